public import LinearAlgebra

/// How maps are fitted.
public struct FitSettings: Sendable, Hashable {
    /// The kind of maps in the place of layers.
    public var kind = MapKind.leastSquares
    /// The kind of what merged projections take up. A penalty, because least squares follow the calibration tokens: of
    /// SmolLM2-135M without eight layers, on 8,192 tokens, they leave 1.3 % more perplexity on others.
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

    /// Holds tokens to be enough for what is fitted in a mode.
    func check(_ mode: PruningMode, _ tokens: TokenBatch, width: Int) throws(PruningError) {
        guard mode != .remove else { return }
        let count = tokens.layout.lengths.reduce(0) { $0 + max(0, $1 - skippedTokenCount) }
        do { try (mode == .merge ? mergedKind : kind).check(count: count, width: width) } catch {
            throw .map(error, place: "")
        }
    }
}
