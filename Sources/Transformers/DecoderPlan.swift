public import Compute

/// A decoder as a value: everything `Forward` needs to know about its mathematics, and nothing about its weights.
public struct DecoderPlan: Sendable, Hashable {
    /// Name of the family, for instance `llama`.
    public var family: String
    /// What differs from layer to layer, one entry each.
    public var layers: [Layer]
    /// Width of the residual stream.
    public var width: Int
    public var vocabularySize: Int
    /// The longest sequence the model was made for.
    public var maximumPositions: Int
    public var embedding = Embedding()
    public var heads: AttentionHeads
    /// The normalization of the sublayers and at the end.
    public var norm: Norm
    public var normPlacement = NormPlacement.before
    public var hasFinalNorm = true
    /// Rotary embeddings, to which layers refer by index.
    public var rotaries: [RotaryEmbedding] = []
    /// Bound of the elements of queries, keys and values, which are cut to it.
    public var queryKeyValueLimit: Float?
    /// Of queries and keys, before they are rotated.
    public var queryKeyNorm: QueryKeyNorm?
    public var residual = Residual.sequential
    /// Factor of what a sublayer adds to the stream.
    public var residualScale: Float = 1
    public var feedForward: FeedForward
    public var biases: Biases = []
    /// Whether the output head is the embedding table.
    public var isHeadTied: Bool
    /// Factor of the logits.
    public var logitScale: Float = 1
    /// Logits become cap · tanh(logit / cap), after the factor.
    public var logitSoftCap: Float?

    public var layerCount: Int { layers.count }
}

// MARK: - Parts

extension DecoderPlan {
    public struct Layer: Sendable, Hashable {
        /// Index into `rotaries`; nil where queries and keys are not rotated.
        public var rotary: Int?
        public var attention: AttentionRule
        /// Where a linear map of the stream stands: in the place of the whole layer, or of a sublayer with its norms.
        public var linearSites: Set<Site> = []

        /// Whether one map is all of the layer.
        public var isLinear: Bool { linearSites.contains(.layer) }

        public init(rotary: Int?, attention: AttentionRule) {
            self.rotary = rotary
            self.attention = attention
        }
    }

    /// The stream entering layer 0: norm(scale · table[token] (projected to the stream's width) + positions[position]).
    public struct Embedding: Sendable, Hashable {
        public var scale: Float = 1
        /// Width of the table where it is not the stream's: matrices lead from it to the stream, and from the stream to
        /// the head (OPT-350m).
        public var projectedWidth: Int?
        /// A table of positions, of which the first is in this row.
        public var learnedPositionOffset: Int?
        public var norm: Norm?

        public init() {}
    }

    public struct Norm: Sendable, Hashable {
        public var kind: NormKind
        public var epsilon: Float
        public var hasWeight = true
        public var hasBias = false
        /// Is added to the stored weights (Gemma: 1).
        public var weightOffset: Float = 0

        public static func rootMeanSquare(epsilon: Float, weightOffset: Float = 0) -> Norm {
            Norm(kind: .rootMeanSquare, epsilon: epsilon, weightOffset: weightOffset)
        }

        public static func layer(epsilon: Float, hasBias: Bool = true) -> Norm {
            Norm(kind: .layer, epsilon: epsilon, hasBias: hasBias)
        }
    }

    /// Where a sublayer f has its norms.
    public enum NormPlacement: Sendable, Hashable {
        /// x + f(norm(x)).
        case before
        /// x + norm(f(x)) (OLMo 2).
        case after
        /// x + norm'(f(norm(x))) (Gemma 2).
        case beforeAndAfter
        /// norm(x + f(x)) (Vaswani et al. 2017; OPT-350m).
        case afterResidual
    }

    public struct QueryKeyNorm: Sendable, Hashable {
        public var norm: Norm
        public var scope: Scope

        public enum Scope: Sendable, Hashable {
            /// Each head by itself, all with the same weights.
            case head
            /// Each head by itself, with weights of its own.
            case headWithOwnWeights
            /// All heads together.
            case projection
        }
    }

    public enum Residual: Sendable, Hashable {
        /// m = x + attention(norm(x)), y = m + mlp(norm(m)).
        case sequential
        /// y = x + attention(norm(x)) + mlp(norm'(x)); GPT-J has one norm for both.
        case parallel
    }

    /// down(act(up(x))), or down(act(gate(x)) ⊙ up(x)) where it is gated; the inner projections are `width` wide.
    public struct FeedForward: Sendable, Hashable {
        public var activation: Activation
        public var isGated: Bool
        public var width: Int

        public init(_ activation: Activation, isGated: Bool, width: Int) {
            self.activation = activation
            self.isGated = isGated
            self.width = width
        }

        /// Inner projections: gate and up, or up alone.
        public var projectionCount: Int { isGated ? 2 : 1 }
    }

    /// Projections that have a bias.
    public struct Biases: OptionSet, Sendable, Hashable {
        public let rawValue: Int

        public init(rawValue: Int) { self.rawValue = rawValue }

        public static let queryKeyValue = Biases(rawValue: 1)
        public static let attentionOutput = Biases(rawValue: 2)
        public static let attention: Biases = [.queryKeyValue, .attentionOutput]
        /// Of gate and up.
        public static let feedForwardInput = Biases(rawValue: 4)
        public static let feedForwardOutput = Biases(rawValue: 8)
        public static let feedForward: Biases = [.feedForwardInput, .feedForwardOutput]
        public static let head = Biases(rawValue: 16)
    }
}

// MARK: - Work

extension DecoderPlan {
    /// Elements of the matrices of one layer.
    var matrixElementCount: Int {
        let attention = width * heads.width * (2 * heads.queryCount + 2 * heads.keyCount)
        return attention + (feedForward.projectionCount + 1) * width * feedForward.width
    }

    /// Floating-point operations of all layers for one token that sees `keyCount` keys on average.
    public func operationCount(averageKeyCount keyCount: Double) -> Double {
        let attention = 2 * Double(heads.queryCount * heads.width) * keyCount
        let map = 2 * Double(width) * Double(width)
        return layers.reduce(0) { sum, layer in
            if layer.isLinear { return sum + map }
            // Sublayers that are maps are so few that they count as what they replace.
            return sum + 2 * (Double(matrixElementCount) + attention)
        }
    }
}
