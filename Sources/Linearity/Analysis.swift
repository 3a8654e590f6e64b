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
        /// Bytes of memory to take at most; nil for 80 % of what is available.
        public var memoryByteCount: Int?

        public init() {}
    }

    /// What an analysis reports while it runs.
    public struct Progress: Sendable {
        /// Layers computed so far, and in all.
        public let completedLayerCount: Int
        public let layerCount: Int
        public let tokenCount: Int
        /// Seconds since the first layer began.
        public let seconds: Double
    }

    /// What was measured.
    public struct Result: Sendable {
        public var views: [ViewResult] = []
        public var folds: FoldLayout
        public var memory: MemoryPlan
        public var seconds: Seconds

        /// Seconds by stage.
        public struct Seconds: Sendable {
            public var forward = 0.0
            public var moments = 0.0
            public var solve = 0.0
        }
    }

    /// One view's figures.
    public struct ViewResult: Sendable {
        public let view: View
        public let tokenCount: Int
        /// The measured layers, with their numbers.
        public var layers: [(layer: Int, figures: LayerFigures)] = []
        /// From the stream entering the last layer to the output of the final norm; nil where it was not reached.
        public var finalNorm: LayerFigures?
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
    ///   - progress: Called after each layer.
    /// - Throws: `LinearityError.tooFewTokens` where there are no more tokens than the stream is wide, and what the
    ///   forward pass throws.
    public func run(
        tokens: [Int32], layout: SequenceLayout, progress: (Progress) -> Void = { _ in }
    ) throws(LinearityError) -> Result {
        let plan = model.plan
        let layers = settings.layers ?? 0..<plan.layerCount
        guard layers.lowerBound >= 0, layers.upperBound <= plan.layerCount, !layers.isEmpty else {
            throw .layers(asked: layers, layerCount: plan.layerCount)
        }
        guard layout.tokenCount > plan.width else { throw .tooFewTokens(count: layout.tokenCount, width: plan.width) }
        let folds = FoldLayout(layout: layout, foldCount: settings.foldCount)
        let memory = try MemoryPlan(
            plan: plan, layout: layout, foldCount: folds.foldCount, laneCount: device.laneCount,
            budgetByteCount: settings.memoryByteCount)
        do throws(TransformerError) {
            return try run(tokens, layout, layers, folds, memory, progress)
        } catch {
            throw .transformer(error)
        }
    }

    private func run(
        _ tokens: [Int32], _ layout: SequenceLayout, _ layers: Range<Int>, _ folds: FoldLayout, _ memory: MemoryPlan,
        _ progress: (Progress) -> Void
    ) throws(TransformerError) -> Result {
        let forward = try Forward(
            model: model, device: device, layout: layout, slabTokenCount: memory.slabTokenCount,
            placement: memory.placement)
        let measurement = try LayerMeasurement(
            device: device, layout: layout, folds: folds, skippedTokenCount: settings.skippedTokenCount,
            width: model.plan.width, stages: memory.placement == .scratchFile)
        var result = Result(views: emptyViews(layout), folds: folds, memory: memory, seconds: .init())
        var (total, stopwatch) = (Stopwatch(), Stopwatch())
        var elapsed = 0.0
        var stream = try forward.embed(tokens)
        result.seconds.forward += stopwatch.lap()
        for layer in 0..<layers.upperBound {
            let next = try forward.apply(layer, to: stream)
            result.seconds.forward += stopwatch.lap()
            if layers.contains(layer) {
                for (view, figures) in try measurement.measure(x: stream, y: next).enumerated() {
                    result.views[view].layers.append((layer, figures))
                }
            }
            if layer == model.plan.layerCount - 1 {
                _ = stopwatch.lap()
                let normed = try forward.finalNorm(next, into: next)
                result.seconds.forward += stopwatch.lap()
                for (view, figures) in try measurement.measure(x: stream, y: normed).enumerated() {
                    result.views[view].finalNorm = figures
                }
            }
            _ = stopwatch.lap()
            stream = next
            elapsed += total.lap()
            progress(
                Progress(
                    completedLayerCount: layer + 1, layerCount: layers.upperBound, tokenCount: layout.tokenCount,
                    seconds: elapsed))
        }
        result.seconds.moments = measurement.momentSeconds
        result.seconds.solve = measurement.solveSeconds
        return result
    }

    private func emptyViews(_ layout: SequenceLayout) -> [ViewResult] {
        let all = ViewResult(view: .allTokens, tokenCount: layout.tokenCount)
        let skipped = settings.skippedTokenCount
        guard skipped > 0 else { return [all] }
        let count = layout.lengths.reduce(0) { $0 + max(0, $1 - skipped) }
        return [all, ViewResult(view: .withoutFirstTokens(skipping: skipped), tokenCount: count)]
    }
}
