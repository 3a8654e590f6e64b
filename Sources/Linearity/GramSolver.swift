import Checkpoints
import Compute
import LinearAlgebra

/// Compares two matrices by their moments, formed of float32 products where these resolve the data.
struct GramSolver {
    let moments: EmbeddingMoments
    let keepsMap: Bool

    private var rows: EmbeddingRows { moments.rows }
    private var device: Device { moments.rows.device }

    /// - Parameter report: Gives for a stage that begins what is called with its number of rows.
    func solve(
        _ seconds: inout EmbeddingComparison.Result.Seconds,
        report: (EmbeddingComparison.Progress.Stage) -> (Int) -> Void
    ) throws(LinearityError) -> EmbeddingSolution {
        if rows.elementType == .float32, let solution = try solve(.float32Blocks, &seconds, report) { return solution }
        guard let solution = try solve(.float64, &seconds, report) else {
            throw .compute(
                .routine(
                    name: "the linear fit", code: 0, meaning: "float64 moments gave no fit; report this as a defect"))
        }
        return solution
    }

    /// nil where float32 products do not resolve the data.
    private func solve(
        _ precision: MomentPrecision, _ seconds: inout EmbeddingComparison.Result.Seconds,
        _ report: (EmbeddingComparison.Progress.Stage) -> (Int) -> Void
    ) throws(LinearityError) -> EmbeddingSolution? {
        var stopwatch = Stopwatch()
        let progress = report(.multiplying)
        let groups = try comparing { () throws(ComputeError) in try moments.gather(precision, progress: progress) }
        seconds.multiplying += stopwatch.lap()
        defer { seconds.solving += stopwatch.lap() }
        report(.solving)(0)
        let total = try comparing { () throws(ComputeError) in try Moments.sum(groups.folds) }
        switch precision {
        case .float32Blocks: guard try moments.isWithinFloat32Range(total) else { return nil }
        case .float64: try moments.checkMagnitudes(total)
        }
        return try comparing { () throws(ComputeError) in try solve(groups, total) }
    }

    private func solve(_ groups: EmbeddingMoments.Groups, _ total: Moments) throws(ComputeError) -> EmbeddingSolution? {
        let folds = groups.folds.map { $0.withoutTargetGram() }
        guard
            var solution = try ViewSolution.solve(views: [folds], keepsMaps: false, noun: "rows", device: device)?.first
        else { return nil }
        solution.contributionReason = rows.contributionReason
        var result = EmbeddingSolution(solution: solution, precision: total.precision)
        result.correlation = try total.matrixCorrelation(rows: groups.rowSquares)
        result.warnings = warnings(solution)
        if keepsMap, let fit = try LinearFit.fit(total, extras: .map), let matrix = fit.map {
            result.map = try EmbeddingMap(
                device: device, matrix: matrix, target: total.target, meanX: total.meanX, meanY: total.meanOutput,
                orthogonal: try total.orthogonalFit())
        }
        return result
    }

    private func warnings(_ solution: ViewSolution) -> [String] {
        let varyingColumnCount = moments.survey.variesX.count { $0 }
        guard let fit = solution.fit, fit.rank < varyingColumnCount else { return [] }
        let resolution = MomentFactor.rankCutoff(width: rows.x.columnCount)
        return [
            "the Gram matrix of X has rank \(fit.rank) by its cut-off, and X has \(varyingColumnCount) columns "
                + "that vary: singular values at or below \(fit.rankCutoff) of the largest count as zero; if X is "
                + "ill-conditioned, --method svd tells those above \(resolution) apart"
        ]
    }
}
