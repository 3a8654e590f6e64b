import Compute
import Tensors

/// How the divergences of many streams from one are summed.
public enum DivergenceMethod: Sendable {
    /// Σ p·(eʳ - 1 - r) with r = log(q/p), whose terms cannot cancel: right in most of its digits even where two models are
    /// nearly the same. Each stream takes two exponentials of every logit.
    case termwise
    /// The cross-entropy less the reference's entropy, Σ p·(a - b) + log Σ exp(b) - log Σ exp(a) with logits a of the
    /// reference and b of the stream. The p, of float32, are computed once for all streams; each then costs a product of each
    /// of its logits. Wrong by about 1e-7 nats, and by 3e-7 of the mean |a - b| at most.
    case crossEntropy
}

/// What a reference predicts at the tokens of a slab.
struct ReferencePredictions {
    private let device: Device
    /// (tokens, vocabulary).
    private let logits: Tensor
    private let distribution: Distribution?

    private struct Distribution {
        /// (tokens, vocabulary) float32.
        let probabilities: Tensor
        /// Of each token: Σ p·a - log Σ exp(a), which is the entropy but for its sign.
        let meanLogarithms: [Double]
    }

    /// - Parameters:
    ///   - logits: (tokens, vocabulary).
    ///   - logSums: log Σ exp of the logits of each token.
    init(logits: Tensor, logSums: [Double], method: DivergenceMethod, device: Device) throws(ComputeError) {
        self.device = device
        self.logits = logits
        switch method {
        case .termwise: distribution = nil
        case .crossEntropy:
            let probabilities = try device.makeTensor(logits.shape, .float32, for: "probabilities of tokens")
            try device.softmax(logits, into: probabilities)
            let means = try ReferencePredictions.means(of: logits, under: probabilities, device)
            distribution = Distribution(
                probabilities: probabilities, meanLogarithms: zip(means, logSums).map { $0 - $1 })
        }
    }

    /// The divergence of each token of other logits, in nats.
    ///
    /// - Parameter logSums: log Σ exp of the logits of each token.
    func divergences(of others: Tensor, logSums: [Double]) throws(ComputeError) -> [Double] {
        if let distribution {
            let means = try ReferencePredictions.means(of: others, under: distribution.probabilities, device)
            let divergences = means.indices.map {
                distribution.meanLogarithms[$0] - (means[$0] - logSums[$0])
            }
            // Logits of -∞ are 0 times ∞ here.
            if divergences.allSatisfy(\.isFinite) { return divergences.map { max(0, $0) } }
        }
        let result = try device.makeTensor([others.rows, 1], .float64, for: "divergences of tokens")
        try device.tokenDivergences(reference: logits, logits: others, into: result)
        return try device.doubles(of: result)
    }

    /// Σ p·b of each row, products and sums in float64.
    private static func means(
        of logits: Tensor, under probabilities: Tensor, _ device: Device
    ) throws(ComputeError) -> [Double] {
        let result = try device.makeTensor([logits.rows], .float64, for: "mean logits")
        try device.rowProducts(probabilities, logits, into: result)
        return try device.doubles(of: result)
    }
}
