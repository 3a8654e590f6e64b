public import Compute
import Tensors
public import Transformers

/// Drives a decoder over a corpus layer by layer, and measures how linear each step is.
public struct Analysis: Sendable {
    public let model: DecoderModel
    public let device: Device
    public let settings: Settings

    /// How to measure.
    public struct Settings: Sendable, Hashable {
        /// Folds of the held-out scores; 1 for none.
        public var foldCount = 5
        /// First tokens of each sequence that the second view leaves out; 0 for no second view.
        public var skippedTokenCount = 1
        /// Layers to measure; nil for all. Those before are computed, those after are not.
        public var layers: Range<Int>?
        /// Which steps of each layer to measure; the final norm's is measured with the last layer's own.
        public var sites: [StepSite] = [.layer]
        /// Whether to measure the error of every token.
        public var measuresTokenErrors = true
        /// Of the operands of the forward pass's matrix products.
        public var computeType = ComputeType.f32
        /// Bytes of memory to take at most; nil for 80 % of what is available.
        public var memoryByteCount: Int?

        public init() {}
    }

    /// What an analysis reports while it runs.
    public struct Progress: Sendable {
        /// Layers computed so far, and in all.
        public let completedLayerCount: Int
        public let layerCount: Int
        /// Layers that an earlier run had measured.
        public let resumedLayerCount: Int
        public let tokenCount: Int
        /// Seconds since the first layer of this run began.
        public let seconds: Double
    }

    /// What was measured.
    public struct Result: Sendable {
        public var views: [ViewResult]
        public var folds: FoldLayout
        public var memory: MemoryPlan
        public var seconds: Seconds

        public init(views: [ViewResult], folds: FoldLayout, memory: MemoryPlan, seconds: Seconds) {
            self.views = views
            self.folds = folds
            self.memory = memory
            self.seconds = seconds
        }
    }

    /// Seconds by stage, those of interrupted runs included.
    public struct Seconds: Sendable, Hashable {
        public var forward = 0.0
        public var moments = 0.0
        public var solve = 0.0
        public var tokenErrors = 0.0

        public init() {}
    }

    /// What was measured in one view.
    public struct ViewResult: Sendable {
        public let view: View
        public let tokenCount: Int
        /// The steps that were measured, in the order of the layers.
        public var steps: [StepResult] = []
        /// For each of `steps` every token's error; empty where they were not asked for, or are not at hand.
        public var tokenErrors: [TokenErrors?] = []

        /// The whole layers' steps.
        public var layers: [StepResult] { steps.filter { $0.site == .layer } }
        /// nil where the last layer was not reached.
        public var finalNorm: StepResult? { steps.first { $0.site == .finalNorm } }

        public init(view: View, tokenCount: Int) {
            self.view = view
            self.tokenCount = tokenCount
        }
    }

    public init(model: DecoderModel, device: Device, settings: Settings) {
        self.model = model
        self.device = device
        self.settings = settings
    }

    /// Measures the layers on these tokens.
    ///
    /// - Parameters:
    ///   - tokens: Ids of all sequences, packed.
    ///   - layout: Their lengths.
    ///   - store: Where finished layers are kept, and taken from where they are there already.
    ///   - progress: Called after each layer.
    /// - Throws: `LinearityError.tooFewTokens` where there are no more tokens than the stream is wide, and what the
    ///   forward pass throws.
    public func run(
        tokens: [Int32], layout: SequenceLayout, store: (any AnalysisStore)? = nil,
        progress: (Progress) -> Void = { _ in }
    ) throws(LinearityError) -> Result {
        let plan = model.plan
        let layers = settings.layers ?? 0..<plan.layerCount
        guard layers.lowerBound >= 0, layers.upperBound <= plan.layerCount, !layers.isEmpty else {
            throw .layers(asked: layers, layerCount: plan.layerCount)
        }
        guard layout.tokenCount > plan.width else { throw .tooFewTokens(count: layout.tokenCount, width: plan.width) }
        let folds = FoldLayout(layout: layout, foldCount: settings.foldCount)
        let memory = try MemoryPlan(
            plan: plan, layout: layout, settings: settings, foldCount: folds.foldCount, device: device,
            slabTokenCount: store?.slabTokenCount)
        try store?.begin(slabTokenCount: memory.slabTokenCount)
        return try AnalysisRun(
            analysis: self, tokens: tokens, layout: layout, layers: layers, folds: folds, memory: memory, store: store
        ).run(progress)
    }
}
