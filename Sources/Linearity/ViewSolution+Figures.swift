import LinearAlgebra

extension ViewSolution {
    /// The scores of this view, with its tokens' norms and angles.
    func figures(_ tokens: TokenStatistics, precision: MomentPrecision) -> LayerFigures {
        let withResidual = score(norms?.outputSquares, noVariance: "Y has no variance")
        let withoutResidual = score(norms?.contributionSquares, noVariance: "the contribution Y - X has no variance")
        let heldOutWith = heldOutScore(\.outputSquares, withResidual)
        let heldOutWithout = heldOutScore(\.contributionSquares, withoutResidual)
        return LayerFigures(
            n: count, linearity: withResidual, linearityWithoutResidual: withoutResidual,
            linearityHeldOut: heldOutWith.score, linearityHeldOutStandardError: heldOutWith.standardError,
            linearityWithoutResidualHeldOut: heldOutWithout.score,
            linearityWithoutResidualHeldOutStandardError: heldOutWithout.standardError,
            linearityAdjusted: adjusted(withResidual), linearityWithoutResidualAdjusted: adjusted(withoutResidual),
            chanceFloor: chanceFloor, linearityIfContributionUnrelated: scoreIfUnrelated,
            rank: Figure(fit.map { Double($0.rank) }, otherwise: unsolved),
            rankCutoff: Figure(fit?.rankCutoff, otherwise: unsolved),
            conditionNumber: Figure(fit?.conditionNumber, otherwise: "X has no variance"),
            orthogonalProcrustes: Figure(orthogonalProcrustes, otherwise: "X or Y has no variance"),
            contribution: tokens.contributionDistribution(),
            contributionToOutput: tokens.contributionToOutputDistribution(), cosine: tokens.cosineDistribution(),
            angularDistance: tokens.angularDistanceDistribution(),
            anisotropy: Figure(anisotropy, otherwise: "X has no variance"), streamNormMean: tokens.streamNormMean,
            momentPrecision: precision == .float64 ? "float64" : "float32")
    }

    private var unsolved: String { "\(count) tokens are too few for a fit" }

    /// 1 - ‖E‖²/total. Rounding can carry an exact fit a hair below zero residual; it is cut off there.
    private func score(_ total: Double?, noVariance reason: String) -> Figure {
        guard let fit, let total else { return .absent(reason: unsolved) }
        guard total > 0 else { return .absent(reason: reason) }
        return .value(1 - fit.residualSquares / total)
    }

    private func heldOutScore(
        _ total: KeyPath<HeldOutErrors, Double>, _ inSample: Figure
    ) -> (score: Figure, standardError: Figure) {
        let reason = inSample.reason ?? heldOutReason
        guard !heldOut.isEmpty, inSample.value != nil else { return (.absent(reason: reason), .absent(reason: reason)) }
        let residual = heldOut.reduce(0) { $0 + $1.residualSquares }
        let sum = heldOut.reduce(0) { $0 + $1[keyPath: total] }
        let scores = heldOut.map { 1 - $0.residualSquares / $0[keyPath: total] }
        let count = Double(scores.count)
        let mean = scores.reduce(0, +) / count
        let variance = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        return (
            Figure(1 - residual / sum, otherwise: "a held-out fold has no variance"),
            Figure((variance / count).squareRoot(), otherwise: "a held-out fold has no variance")
        )
    }

    private func adjusted(_ score: Figure) -> Figure {
        guard let fit else { return .absent(reason: unsolved) }
        let freedom = count - fit.rank - 1
        guard freedom > 0 else { return .absent(reason: "\(count) tokens leave no freedom at rank \(fit.rank)") }
        return score.map { 1 - (1 - $0) * Double(count - 1) / Double(freedom) }
    }

    private var chanceFloor: Figure {
        guard let fit, count > 1 else { return .absent(reason: unsolved) }
        return .value(min(1, Double(fit.rank) / Double(count - 1)))
    }

    private var scoreIfUnrelated: Figure {
        guard let norms, norms.outputSquares > 0 else { return .absent(reason: "Y has no variance") }
        return chanceFloor.map { 1 - (1 - $0) * norms.contributionSquares / norms.outputSquares }
    }
}
