import Checkpoints
import Compute
import LinearAlgebra
import Synchronization

/// Compares two matrices by the triangular factors of their moments, whose singular values are those of X itself.
struct SingularValueSolver {
    let moments: EmbeddingMoments
    let keepsMap: Bool

    private var rows: EmbeddingRows { moments.rows }
    private var device: Device { moments.rows.device }

    /// - Parameter report: Gives for a stage that begins what is called with its number of rows.
    func solve(
        _ seconds: inout EmbeddingComparison.Result.Seconds,
        report: (EmbeddingComparison.Progress.Stage) -> (Int) -> Void
    ) throws(LinearityError) -> EmbeddingSolution {
        var stopwatch = Stopwatch()
        let progress = report(.factoring)
        let groups = try comparing { () throws(ComputeError) in
            try EmbeddingFactors(moments).gather(progress: progress)
        }
        seconds.multiplying += stopwatch.lap()
        report(.solving)(0)
        let factor = try comparing { () throws(ComputeError) in try MomentFactor.sum(groups.folds) }
        let total = try comparing { () throws(ComputeError) in try factor.moments(keepsTargetGram: true) }
        try moments.checkMagnitudes(total)
        let solution = try comparing { () throws(ComputeError) in try solve(groups, factor, total) }
        seconds.solving += stopwatch.lap()
        return solution
    }

    private func solve(
        _ groups: EmbeddingFactors.Groups, _ factor: MomentFactor, _ total: Moments
    ) throws(ComputeError) -> EmbeddingSolution {
        let fit = try factor.fit(extras: .conditionNumber)
        var solution = ViewSolution()
        (solution.count, solution.noun, solution.fit) = (total.count, "rows", fit)
        solution.contributionReason = rows.contributionReason
        solution.norms = try total.centredNorms()
        solution.orthogonalProcrustes = try total.orthogonalProcrustes()
        solution.anisotropy = try total.anisotropy()
        (solution.heldOut, solution.heldOutReason) = try heldOut(groups.folds)
        var result = EmbeddingSolution(solution: solution, precision: .float64)
        result.correlation = try total.matrixCorrelation(rows: groups.rowSquares)
        result.warnings = warnings(fit)
        if keepsMap, let matrix = fit.map {
            result.map = try EmbeddingMap(
                device: device, matrix: matrix, target: total.target, meanX: total.meanX, meanY: total.meanOutput,
                orthogonal: try total.orthogonalFit())
        }
        return result
    }

    /// For each fold the errors of the others' map, or why there are none.
    private func heldOut(_ folds: [MomentFactor]) throws(ComputeError) -> ([HeldOutErrors], reason: String) {
        guard folds.count > 1 else { return ([], ViewSolution.tooFewFolds) }
        let found = Mutex<[Int: HeldOutErrors]>([:])
        let reasons = Mutex<[Int: String]>([:])
        try device.concurrently(folds.count) { fold, _ throws(ComputeError) in
            var others = folds
            others.remove(at: fold)
            let training = try MomentFactor.sum(others)
            // More unknowns than rows: the fit is exact, and says nothing of other rows.
            let fit = training.count > training.width ? try training.fit(extras: []) : nil
            let rank = fit?.rank ?? training.width
            if let map = fit?.map, training.count > rank + 1 {
                let errors = try folds[fold].heldOutErrors(of: map, fittedOn: training)
                found.withLock { $0[fold] = errors }
            } else {
                let reason = ViewSolution.tooFewRows(training.count, "rows", withoutFold: fold, rank: rank)
                reasons.withLock { $0[fold] = reason }
            }
        }
        if let reason = reasons.withLock({ $0.values.first }) { return ([], reason) }
        let errors = found.withLock { $0 }
        return (folds.indices.compactMap { errors[$0] }, "")
    }

    private func warnings(_ fit: LinearFit) -> [String] {
        let varyingColumnCount = moments.survey.variesX.count { $0 }
        guard fit.rank < varyingColumnCount else { return [] }
        return [
            "X has rank \(fit.rank), and \(varyingColumnCount) columns that vary: singular values at or below "
                + "\(fit.rankCutoff) of the largest count as zero"
        ]
    }
}
