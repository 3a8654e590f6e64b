import LinearAlgebra

extension ViewSolution {
    /// The scores of this view, with its tokens' norms and angles.
    ///
    /// - Parameter tokens: nil where there is no contribution Y - X.
    func figures(_ tokens: TokenStatistics?, precision: MomentPrecision) -> LayerFigures {
        let withResidual = score(norms?.outputSquares, noVariance: "Y has no variance")
        let withoutResidual =
            contributionReason.map { .absent(reason: $0) }
            ?? score(norms?.contributionSquares, noVariance: "the contribution Y - X has no variance")
        let heldOutWith = heldOutScore({ $0.outputSquares }, withResidual)
        let heldOutWithout = heldOutScore({ $0.contributionSquares }, withoutResidual)
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
            orthogonalProcrustes: Figure(
                orthogonalProcrustes,
                otherwise: contributionReason
                    ?? (extent == .everything ? "X or Y has no variance" : "it was not asked for")),
            contribution: tokens?.contributionDistribution() ?? noDistribution,
            contributionToOutput: tokens?.contributionToOutputDistribution() ?? noDistribution,
            cosine: tokens?.cosineDistribution() ?? noDistribution,
            angularDistance: tokens?.angularDistanceDistribution() ?? noDistribution,
            anisotropy: Figure(anisotropy, otherwise: "X has no variance"),
            streamNormMean: tokens?.streamNormMean ?? .absent(reason: contributionReason ?? unsolved),
            momentPrecision: precision == .float64 ? "float64" : "float32")
    }

    private var noDistribution: Distribution {
        let none = Figure.absent(reason: contributionReason ?? unsolved)
        return Distribution(mean: none, quantiles: Distribution.probabilities.map { _ in none })
    }

    private var unsolved: String { "\(count) \(noun) are too few for a fit" }

    /// 1 - ‖E‖²/total. Rounding can carry an exact fit a hair below zero residual; it is cut off there.
    private func score(_ total: Double?, noVariance reason: String) -> Figure {
        guard let fit, let total else { return .absent(reason: unsolved) }
        guard total > 0 else { return .absent(reason: reason) }
        return .value(1 - fit.residualSquares / total)
    }

    private func heldOutScore(
        _ total: (HeldOutErrors) -> Double?, _ inSample: Figure
    ) -> (score: Figure, standardError: Figure) {
        let reason = inSample.reason ?? heldOutReason
        guard !heldOut.isEmpty, inSample.value != nil else { return (.absent(reason: reason), .absent(reason: reason)) }
        let residual = heldOut.reduce(0) { $0 + $1.residualSquares }
        let totals = heldOut.map { total($0) ?? .nan }
        let sum = totals.reduce(0, +)
        let scores = zip(heldOut, totals).map { 1 - $0.residualSquares / $1 }
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
        guard freedom > 0 else { return .absent(reason: "\(count) \(noun) leave no freedom at rank \(fit.rank)") }
        return score.map { 1 - (1 - $0) * Double(count - 1) / Double(freedom) }
    }

    private var chanceFloor: Figure {
        guard let fit, count > 1 else { return .absent(reason: unsolved) }
        return .value(min(1, Double(fit.rank) / Double(count - 1)))
    }

    private var scoreIfUnrelated: Figure {
        guard let norms, norms.outputSquares > 0 else { return .absent(reason: "Y has no variance") }
        guard let contributionSquares = norms.contributionSquares else {
            return .absent(reason: contributionReason ?? unsolved)
        }
        return chanceFloor.map { 1 - (1 - $0) * contributionSquares / norms.outputSquares }
    }
}
