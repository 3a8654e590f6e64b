public import Compute
public import Evaluation
import Linearity
public import Transformers

/// Holds models that were made of one against it: the same tokens through both.
public struct ModelJudge: Sendable {
    public let tokens: TokenBatch
    public let device: Device
    public let computeType: ComputeType
    /// Of the model itself.
    public let base: Evaluation
    private let baseStream: Stream
    private let baseEvaluator: Evaluator
    private let memoryByteCount: Int?

    /// What became of a model.
    public struct Judgement: Sendable {
        public let evaluation: Evaluation
        /// KL(model ‖ judged model), nats a token.
        public let divergence: Estimate
        /// Share of tokens at which both find the same token likeliest.
        public let agreement: Estimate
    }

    /// Takes tokens through the model that others are held against.
    ///
    /// - Throws: `PruningError`.
    public init(
        _ model: DecoderModel, device: Device, tokens: TokenBatch, computeType: ComputeType = .f32,
        memoryByteCount: Int? = nil
    ) throws(PruningError) {
        self.tokens = tokens
        self.device = device
        self.computeType = computeType
        self.memoryByteCount = memoryByteCount
        (baseStream, baseEvaluator) = try ModelJudge.pass(model, device, tokens, computeType, memoryByteCount)
        let (evaluator, stream) = (baseEvaluator, baseStream)
        base = try evaluating { () throws(EvaluationError) in try evaluator.score(stream) }
    }

    /// Takes the tokens through a model, and compares.
    ///
    /// - Throws: `PruningError`.
    public func judge(_ model: DecoderModel) throws(PruningError) -> Judgement {
        let (stream, evaluator) = try ModelJudge.pass(model, device, tokens, computeType, memoryByteCount)
        let comparisons = try evaluating { () throws(EvaluationError) in
            try evaluator.compare([stream], reference: baseStream, of: baseEvaluator).comparisons
        }
        return Judgement(
            evaluation: comparisons[0].evaluation, divergence: comparisons[0].divergence,
            agreement: comparisons[0].agreement)
    }

    private static func pass(
        _ model: DecoderModel, _ device: Device, _ tokens: TokenBatch, _ computeType: ComputeType, _ budget: Int?
    ) throws(PruningError) -> (Stream, Evaluator) {
        let plan = model.plan
        let memory = try measuring { () throws(LinearityError) in
            try MemoryPlan(
                plan: plan, layout: tokens.layout, streamCount: 4,
                otherByteCount: 2 * Evaluator.byteCount(plan, device, isComparison: true), device: device,
                computeType: computeType, budgetByteCount: budget)
        }
        let (forward, stream) = try transforming { () throws(TransformerError) in
            let forward = try Forward(
                model: model, device: device, layout: tokens.layout, slabTokenCount: memory.slabTokenCount,
                placement: memory.placement, computeType: computeType,
                layersReadAhead: memory.readsAhead ? 0..<plan.layerCount : 0..<0)
            var stream = try forward.embed(tokens.ids)
            for layer in 0..<plan.layerCount { stream = try forward.apply(layer, to: stream) }
            return (forward, stream)
        }
        let evaluator = try evaluating { () throws(EvaluationError) in
            try Evaluator(forward: forward, tokens: ScoredTokens(ids: tokens.ids, layout: tokens.layout))
        }
        return (stream, evaluator)
    }
}

// MARK: - Speed

extension ModelJudge {
    /// Tokens a second of the layers of two models, in turns: the medians of some passes over the first of the tokens.
    ///
    /// - Throws: `PruningError`.
    public func speeds(_ one: DecoderModel, _ other: DecoderModel) throws(PruningError) -> (Double, Double) {
        // Whole sequences from the first on, or its beginning.
        let limit = 2048
        var lengths = [min(tokens.layout.lengths[0], limit)]
        for length in tokens.layout.lengths.dropFirst() {
            guard lengths.reduce(length, +) <= limit else { break }
            lengths.append(length)
        }
        let layout = SequenceLayout(lengths: lengths)
        let ids = Array(tokens.ids[..<layout.tokenCount])
        var seconds: ([Double], [Double]) = ([], [])
        for _ in 0..<3 {
            seconds.0.append(try time(one, ids, layout))
            seconds.1.append(try time(other, ids, layout))
        }
        let count = Double(layout.tokenCount)
        return (count / seconds.0.sorted()[1], count / seconds.1.sorted()[1])
    }

    private func time(_ model: DecoderModel, _ ids: [Int32], _ layout: SequenceLayout) throws(PruningError) -> Double {
        let memory = try measuring { () throws(LinearityError) in
            try MemoryPlan(
                plan: model.plan, layout: layout, streamCount: 2, otherByteCount: 0, device: device,
                computeType: computeType, budgetByteCount: memoryByteCount)
        }
        return try transforming { () throws(TransformerError) in
            let forward = try Forward(
                model: model, device: device, layout: layout, slabTokenCount: memory.slabTokenCount,
                placement: memory.placement, computeType: computeType)
            var stream = try forward.embed(ids)
            try synchronize()
            var stopwatch = Stopwatch()
            for layer in 0..<model.plan.layerCount { stream = try forward.apply(layer, to: stream) }
            try synchronize()
            return stopwatch.lap()
        }
    }

    private func synchronize() throws(TransformerError) {
        do { try device.synchronize() } catch { throw .compute(error) }
    }
}
