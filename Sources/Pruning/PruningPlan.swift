/// Which layers of a model are to be cut, and why: what plan.json holds.
public struct PruningPlan: Sendable {
    public let layers: CutLayers
    public let settings: Planner.Settings
    /// One for each layer or block that was cut, in the order of choice.
    public let choices: [Choice]
    /// The candidates of the whole model, in order.
    public let candidates: [Candidate]
    /// Nats a token of the whole model on the held-out tokens; nil where no damage was measured.
    public let crossEntropy: Double?

    public struct Choice: Sendable, Hashable {
        public let layers: Range<Int>
        /// What it was chosen by, smaller where it is missed less: the score of `settings.criterion`, negative where larger
        /// scores come first.
        public let cost: Double

        public init(layers: Range<Int>, cost: Double) {
            self.layers = layers
            self.cost = cost
        }
    }
}
