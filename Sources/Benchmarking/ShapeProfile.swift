public import Compute
import Conformance
public import Linearity
import Transformers

/// A whole analysis of a model's shape, with random weights: what `analyze` does, timed, without a checkpoint.
public struct ShapeProfile: Sendable {
    public let shape: ModelShape
    /// Layers that are run; all have the weights of one.
    public let layerCount: Int
    public let tokenCount: Int
    /// How to measure; its layers are those that are run.
    public let settings: Analysis.Settings

    /// Tokens of a sequence; the last one takes the rest.
    public static let sequenceLength = 2048
    /// Tokens of a corpus that the field measures with.
    public static let defaultTokenCount = 15_174

    /// What came of it.
    public struct Result: Sendable {
        /// Seconds in which the weights were made.
        public let loadSeconds: Double
        public let seconds: Analysis.Seconds
        /// Seconds from the first layer to the last.
        public let analysisSeconds: Double
        public let layerCount: Int
        public let sequenceCount: Int
        public let memory: MemoryPlan
        /// Weights of the layers that are run.
        public let layerParameterCount: Int
        /// Floating-point operations of the forward pass.
        public let forwardOperations: Double
    }

    /// - Parameters:
    ///   - layerCount: nil for as many as the model has.
    ///   - settings: How to measure.
    public init(
        shape: ModelShape, layerCount: Int? = nil, tokenCount: Int? = nil, settings: Analysis.Settings = .init()
    ) {
        self.shape = shape
        self.layerCount = layerCount ?? shape.layerCount
        self.tokenCount = tokenCount ?? ShapeProfile.defaultTokenCount
        self.settings = settings
    }

    /// Makes the weights, and measures every layer.
    ///
    /// - Parameter progress: Called after each layer.
    /// - Throws: what `Analysis.run` throws, and `.transformer` without memory for the weights.
    public func run(
        on device: Device, progress: (Analysis.Progress) -> Void = { _ in }
    ) throws(LinearityError) -> Result {
        var stopwatch = Stopwatch()
        let model: DecoderModel
        do { model = try RandomCheckpoint.model(shape, layerCount: layerCount) } catch { throw .transformer(error) }
        let loadSeconds = stopwatch.lap()
        let layout = SequenceLayout(lengths: lengths)
        var random = SplitMix64(seed: 2)
        let tokens = (0..<tokenCount).map { _ in Int32(random.index(model.plan.vocabularySize)) }
        stopwatch = Stopwatch()
        let result = try Analysis(model: model, device: device, settings: settings)
            .run(tokens: tokens, layout: layout, progress: progress)
        let plan = model.plan
        // Each token sees itself and those before it.
        let pairs = lengths.reduce(0.0) { $0 + Double($1) * Double($1 + 1) / 2 }
        return Result(
            loadSeconds: loadSeconds, seconds: result.seconds, analysisSeconds: stopwatch.lap(),
            layerCount: layerCount, sequenceCount: lengths.count, memory: result.memory,
            layerParameterCount: model.layerParameterCount,
            forwardOperations: Double(tokenCount)
                * plan.operationCount(averageKeyCount: pairs / Double(tokenCount)))
    }

    private var lengths: [Int] {
        let whole = Array(repeating: ShapeProfile.sequenceLength, count: tokenCount / ShapeProfile.sequenceLength)
        let rest = tokenCount % ShapeProfile.sequenceLength
        return whole + (rest > 0 ? [rest] : [])
    }

    /// In words how what is measured differs from an analysis of the model itself.
    public var notes: [String] {
        var notes = [
            "random weights in bfloat16: every layer has those of one, made once and decoded anew for each layer",
            "\(RandomCheckpoint.vocabularySize) rows of embeddings; the final norm's step is measured too, the output "
                + "head is not part of an analysis",
        ]
        if !shape.isLlama {
            notes.append(
                "the layer is LLaMA's at the widths of \(shape.name): RMSNorm, rotary positions, and an MLP of three "
                    + "products where the model's own has two")
        }
        return notes
    }
}
