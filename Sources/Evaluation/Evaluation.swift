import Glibc

/// Sums over scored tokens.
public struct TokenLoss: Sendable, Hashable {
    public var tokenCount = 0
    /// Σ -log p(token | those before).
    public var nats = 0.0
    /// Tokens that were the most probable ones.
    public var correctCount = 0

    public init() {}

    mutating func add(_ other: TokenLoss) {
        tokenCount += other.tokenCount
        nats += other.nats
        correctCount += other.correctCount
    }
}

/// How well a model predicts tokens.
public struct Evaluation: Sendable, Hashable {
    /// Of each sequence.
    public let sequences: [TokenLoss]

    init(sequences: [TokenLoss]) {
        self.sequences = sequences
    }

    public var total: TokenLoss { sequences.reduce(into: TokenLoss()) { $0.add($1) } }

    /// Nats per token.
    public var crossEntropy: Estimate {
        Estimate(sums: sequences.map(\.nats), counts: sequences.map(\.tokenCount))
    }

    /// exp of the cross-entropy.
    public var perplexity: Estimate {
        let crossEntropy = crossEntropy
        let value = exp(crossEntropy.value)
        return crossEntropy.mapped(to: value, slope: value)
    }

    /// The share of tokens that were the most probable ones.
    public var accuracy: Estimate {
        Estimate(sums: sequences.map { Double($0.correctCount) }, counts: sequences.map(\.tokenCount))
    }

    /// What a compressor would write for a byte of the text: comparable between models whatever their tokens are.
    ///
    /// - Parameter byteCounts: Of the text of each sequence's scored tokens.
    public func bitsPerByte(byteCounts: [Int]) -> Estimate {
        Estimate(sums: sequences.map { $0.nats / log(2) }, counts: byteCounts)
    }
}

/// How a model's predictions differ from those of a reference, and how good they are.
public struct PredictionComparison: Sendable, Hashable {
    public let evaluation: Evaluation
    /// Of each sequence.
    public let sequences: [TokenDivergence]
    /// Of the tokens' divergences, in nats, at `probabilities`.
    public let quantiles: [Double]

    /// 1 is the largest.
    public static let probabilities = [0.5, 0.9, 0.99, 1]

    init(evaluation: Evaluation, sequences: [TokenDivergence], divergences: [Float]) {
        self.evaluation = evaluation
        self.sequences = sequences
        let sorted = divergences.sorted()
        quantiles = PredictionComparison.probabilities.map { PredictionComparison.quantile($0, sorted) }
    }

    /// KL(P || Q) in nats per token: P is what the reference predicts, Q what the model does.
    public var divergence: Estimate {
        Estimate(sums: sequences.map(\.nats), counts: sequences.map(\.tokenCount))
    }

    /// The share of tokens where both find the same one most probable.
    public var agreement: Estimate {
        Estimate(sums: sequences.map { Double($0.agreementCount) }, counts: sequences.map(\.tokenCount))
    }

    /// Interpolated between neighbours.
    private static func quantile(_ probability: Double, _ sorted: [Float]) -> Double {
        guard !sorted.isEmpty else { return .nan }
        let place = probability * Double(sorted.count - 1)
        let (low, high) = (Int(place), min(Int(place) + 1, sorted.count - 1))
        let (below, above) = (Double(sorted[low]), Double(sorted[high]))
        return below == above ? below : below + (place - Double(low)) * (above - below)
    }
}

/// Sums of divergences over scored tokens.
public struct TokenDivergence: Sendable, Hashable {
    public var tokenCount = 0
    /// Σ KL(P || Q).
    public var nats = 0.0
    /// Tokens where both find the same one most probable.
    public var agreementCount = 0

    public init() {}

    mutating func add(_ other: TokenDivergence) {
        tokenCount += other.tokenCount
        nats += other.nats
        agreementCount += other.agreementCount
    }
}
