public import Compute

/// A decoder as a value: everything `Forward` needs to know about its mathematics, and nothing about its weights.
public struct DecoderPlan: Sendable, Hashable {
    /// Name of the family, for instance `llama`.
    public var family: String
    /// Number of decoder layers.
    public var layerCount: Int
    /// Width of the residual stream.
    public var width: Int
    public var vocabularySize: Int
    /// The longest sequence the model was made for.
    public var maximumPositions: Int
    public var heads: AttentionHeads
    /// The normalization before each sublayer and at the end.
    public var norm: Norm
    public var positions: Positions
    /// Whether the MLP reads the stream after attention, or the same stream that attention reads.
    public var residual = Residual.sequential
    public var feedForward: FeedForward
    /// Biases on the query, key, value and output projections.
    public var hasAttentionBias: Bool
    /// Biases on the projections of the MLP.
    public var hasFeedForwardBias: Bool
    /// Whether the output head is the embedding table.
    public var isHeadTied: Bool

    public enum Norm: Sendable, Hashable {
        /// x / sqrt(mean(x²) + epsilon) ⊙ weight.
        case rootMeanSquare(epsilon: Float)
    }

    public enum Positions: Sendable, Hashable {
        /// Rotary embedding of whole heads with frequencies base^(-2i/width).
        case rotary(base: Double, layout: RotaryLayout)
    }

    public enum Residual: Sendable, Hashable {
        /// m = x + attention(norm(x)), y = m + mlp(norm(m)).
        case sequential
        /// y = x + attention(norm(x)) + mlp(norm(x)), as GPT-J has it.
        case parallel
    }

    public enum FeedForward: Sendable, Hashable {
        /// down(silu(gate(x)) ⊙ up(x)), the inner projections `width` wide.
        case gatedSiLU(width: Int)
    }

    /// Width between the MLP's projections.
    public var feedForwardWidth: Int {
        switch feedForward {
        case .gatedSiLU(let width): width
        }
    }

    /// Number of weights, a tied head counted once.
    public var parameterCount: Int {
        let attention = width * heads.width * (2 * heads.queryCount + 2 * heads.keyCount)
        let attentionBias = hasAttentionBias ? heads.width * (heads.queryCount + 2 * heads.keyCount) + width : 0
        let feedForward = 3 * width * feedForwardWidth + (hasFeedForwardBias ? 2 * feedForwardWidth + width : 0)
        let layer = attention + attentionBias + feedForward + 2 * width
        return layerCount * layer + width + vocabularySize * width * (isHeadTied ? 1 : 2)
    }

    /// Floating-point operations of all layers for one token that sees `keyCount` keys on average.
    public func operationCount(averageKeyCount keyCount: Double) -> Double {
        let projections =
            width * heads.width * (2 * heads.queryCount + 2 * heads.keyCount) + 3 * width * feedForwardWidth
        let attention = 2 * Double(heads.queryCount * heads.width) * keyCount
        return 2 * Double(layerCount) * (Double(projections) + attention)
    }
}
