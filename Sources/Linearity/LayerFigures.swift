/// What is measured of one layer's step in one view of the tokens. Formulas are those of the README's section on the
/// profile; X enters the layer, Y leaves it, B = Y - X, and subscript c means centred.
public struct LayerFigures: Sendable, Hashable {
    /// Number of tokens.
    public var n: Int
    /// 1 - ‖E‖²/‖Y_c‖², E the residual of the least-squares fit of Y on X: the linearity score with residual.
    public var linearity: Figure
    /// 1 - ‖E‖²/‖B_c‖², with the same E: the linearity score without residual.
    public var linearityWithoutResidual: Figure
    /// The same score on tokens that the fit has not seen, over folds.
    public var linearityHeldOut: Figure
    /// Standard error over folds: the deviation of the folds' scores over √folds.
    public var linearityHeldOutStandardError: Figure
    public var linearityWithoutResidualHeldOut: Figure
    public var linearityWithoutResidualHeldOutStandardError: Figure
    /// 1 - (1 - s)(n - 1)/(n - rank - 1).
    public var linearityAdjusted: Figure
    public var linearityWithoutResidualAdjusted: Figure
    /// What the score without residual would be about for unrelated data: rank/(n - 1).
    public var chanceFloor: Figure
    /// What the score with residual would be about if the contribution had nothing to do with its input:
    /// 1 - (1 - rank/(n - 1))·‖B_c‖²/‖Y_c‖².
    public var linearityIfContributionUnrelated: Figure
    /// Numerical rank of X_c.
    public var rank: Figure
    /// Singular values of the column-scaled X_c at or below this share of the largest count as zero.
    public var rankCutoff: Figure
    /// σmax/σmin of the column-scaled X_c, over the singular values kept.
    public var conditionNumber: Figure
    /// ν², ν the nuclear norm of X̃ᵀỸ.
    public var orthogonalProcrustes: Figure
    /// ‖B‖/‖X‖ per token.
    public var contribution: Distribution
    /// ‖B‖/‖Y‖ per token.
    public var contributionToOutput: Distribution
    /// cos(x, y) per token.
    public var cosine: Distribution
    /// arccos(cos(x, y))/π per token.
    public var angularDistance: Distribution
    /// Largest eigenvalue of cov(X) over its trace.
    public var anisotropy: Figure
    /// Mean of ‖X‖ over tokens.
    public var streamNormMean: Figure
    /// How the products of the moments were formed: `float32` blocks, or `float64` where those do not resolve X.
    public var momentPrecision: String
}

extension LayerFigures {
    /// Figures that are all absent.
    public init(n: Int, momentPrecision: String, absentReason: String) {
        let absent = Figure.absent(reason: absentReason)
        let none = Distribution(
            mean: absent, quantiles: [Figure](repeating: absent, count: Distribution.probabilities.count))
        self.init(
            n: n, linearity: absent, linearityWithoutResidual: absent, linearityHeldOut: absent,
            linearityHeldOutStandardError: absent, linearityWithoutResidualHeldOut: absent,
            linearityWithoutResidualHeldOutStandardError: absent, linearityAdjusted: absent,
            linearityWithoutResidualAdjusted: absent, chanceFloor: absent, linearityIfContributionUnrelated: absent,
            rank: absent, rankCutoff: absent, conditionNumber: absent, orthogonalProcrustes: absent,
            contribution: none, contributionToOutput: none, cosine: none, angularDistance: none, anisotropy: absent,
            streamNormMean: absent, momentPrecision: momentPrecision)
    }
}

/// A quantity of each token: its mean and quantiles.
public struct Distribution: Sendable, Hashable {
    public var mean: Figure
    /// By the nearest rank, at `Distribution.probabilities`.
    public var quantiles: [Figure]

    public static let probabilities = [0.01, 0.1, 0.5, 0.9, 0.99]
}
