public import LinearAlgebra

/// How maps are fitted.
public struct FitSettings: Sendable, Hashable {
    /// The kind of maps in the place of layers.
    public var kind = MapKind.leastSquares
    /// The kind of what merged projections take up. A penalty, because each merge asks of few directions of one MLP's output
    /// what it can hardly give: least squares then fits the calibration tokens.
    public var mergedKind = MapKind.ridge(alpha: nil)
    /// First tokens of each sequence that fits leave out.
    public var skippedTokenCount = 0
    /// Folds on which alpha or a rank is chosen, and held-out scores are measured.
    public var foldCount = 5
    /// Whether maps are fitted on the streams of the whole model, instead of those of the model as it is cut so far.
    public var usesOriginalStreams = false
    /// Whether merged projections may get a bias where the architecture has a setting for it.
    public var addsBiases = false

    public init() {}
}
