public import Linearity

/// A run of layers that might be cut, and what is known of it.
public struct Candidate: Sendable {
    /// Layers of the model that is cut, half-open.
    public let layers: Range<Int>
    public let scores: Scores
    /// What cutting it does; empty where it was not measured.
    public var damage: [PruningMode: Damage] = [:]
    /// Why there is no damage of a mode that was asked for.
    public var damageReasons: [PruningMode: String] = [:]

    public init(layers: Range<Int>, scores: Scores) {
        self.layers = layers
        self.scores = scores
    }

    /// Of the step from the stream entering the run to the stream leaving it.
    public struct Scores: Sendable, Hashable {
        /// With residual, all tokens, on the tokens of the fit.
        public var linearity: Figure
        /// Without residual.
        public var linearityWithoutResidual: Figure
        /// With residual, on held-out tokens, without the first of each sequence.
        public var heldOutLinearity: Figure
        public var heldOutLinearityWithoutResidual: Figure
        /// Mean of ‖B‖/‖X‖.
        public var contribution: Figure
        /// Mean of cos(x, y).
        public var cosine: Figure
        /// Mean of arccos(cos(x, y))/π.
        public var angularDistance: Figure

        /// - Parameters:
        ///   - all: Of all tokens.
        ///   - rest: Without the first tokens; `all` where there is no such view.
        public init(all: LayerFigures, rest: LayerFigures) {
            linearity = all.linearity
            linearityWithoutResidual = all.linearityWithoutResidual
            heldOutLinearity = rest.linearityHeldOut
            heldOutLinearityWithoutResidual = rest.linearityWithoutResidualHeldOut
            contribution = all.contribution.mean
            cosine = all.cosine.mean
            angularDistance = all.angularDistance.mean
        }
    }
}

/// What became of a model's predictions, on tokens that no fit has seen.
public struct Damage: Sendable, Hashable {
    /// Of the cut model, nats a token.
    public var crossEntropy: Double
    /// Mean of KL(model ‖ cut model) over tokens, nats.
    public var divergence: Double
    /// Share of tokens at which both find the same token likeliest.
    public var agreement: Double

    public init(crossEntropy: Double, divergence: Double, agreement: Double) {
        self.crossEntropy = crossEntropy
        self.divergence = divergence
        self.agreement = agreement
    }
}
