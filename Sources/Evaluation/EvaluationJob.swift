public import Compute
import Linearity
public import Transformers

/// Takes models over tokens, from the embeddings to the scores.
public struct EvaluationJob: Sendable {
    public let device: Device
    /// Bytes of memory to take at most; nil for 80 % of what is available.
    public let memoryByteCount: Int?

    /// A model, and the operands of its matrix products.
    public struct Subject: Sendable {
        public let model: DecoderModel
        public let computeType: ComputeType

        public init(_ model: DecoderModel, computeType: ComputeType) {
            self.model = model
            self.computeType = computeType
        }
    }

    /// How far the work is.
    public struct Progress: Sendable {
        /// What is being done, for people.
        public let stage: String
        /// Of all the work, from 0 to 1.
        public let doneShare: Double
        public let seconds: Double
    }

    public init(device: Device, memoryByteCount: Int?) {
        self.device = device
        self.memoryByteCount = memoryByteCount
    }

    /// Scores a model.
    ///
    /// - Parameter progress: Called after each layer and each slab of logits, on any thread.
    /// - Throws: `EvaluationError`: what the forward pass throws, memory.
    public func score(
        _ subject: Subject, _ tokens: ScoredTokens, progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) throws(EvaluationError) -> Evaluation {
        let work = Work([subject], tokens, progress)
        let last = try run(subject, tokens, isComparison: false) { work.finish(layer: $0, of: 0) }
        return try last.evaluator.score(last.stream) { work.finish(slabs: $0, of: $1) }
    }

    /// Scores two models of one vocabulary, and how far the predictions of one are from the other's.
    public func compare(
        _ subject: Subject, reference: Subject, _ tokens: ScoredTokens,
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) throws(EvaluationError) -> (reference: Evaluation, comparison: PredictionComparison) {
        let work = Work([reference, subject], tokens, progress)
        let kept = try run(reference, tokens, isComparison: true) { work.finish(layer: $0, of: 0) }
        let last = try run(subject, tokens, isComparison: true) { work.finish(layer: $0, of: 1) }
        let result = try last.evaluator.compare([last.stream], reference: kept.stream, of: kept.evaluator) {
            work.finish(slabs: $0, of: $1)
        }
        return (result.reference, result.comparisons[0])
    }

    /// The stream that leaves the last layer, and what scores it; the weights of the layers are let go.
    private func run(
        _ subject: Subject, _ tokens: ScoredTokens, isComparison: Bool, _ progress: (_ layer: Int) -> Void
    ) throws(EvaluationError) -> (stream: Stream, evaluator: Evaluator) {
        let plan = subject.model.plan
        let (memory, slabRowCount) = try memoryPlan(subject, tokens, isComparison: isComparison)
        return try transforming { () throws(TransformerError) in
            let forward = try Forward(
                model: subject.model, device: device, layout: tokens.layout, slabTokenCount: memory.slabTokenCount,
                placement: memory.placement, computeType: subject.computeType,
                layersReadAhead: memory.readsAhead ? 0..<plan.layerCount : 0..<0)
            var stream = try forward.embed(tokens.ids)
            for layer in 0..<plan.layerCount {
                stream = try forward.apply(layer, to: stream)
                progress(layer)
            }
            return (stream, try Evaluator(reading: forward, tokens: tokens, slabRowCount: slabRowCount))
        }
    }

    private func memoryPlan(
        _ subject: Subject, _ tokens: ScoredTokens, isComparison: Bool
    ) throws(EvaluationError) -> (MemoryPlan, slabRowCount: Int) {
        let plan = subject.model.plan
        let available = try wrapping { () throws(ComputeError) in try device.availableMemoryByteCount() }
        // Logits take a small part of the memory: more rows at once bring nothing.
        let slabRowCount = Evaluator.slabRowCount(
            plan, device, byteCount: (memoryByteCount ?? available / 5 * 4) / (isComparison ? 16 : 8))
        let working = Evaluator.workingByteCount(
            plan, device, slabRowCount: min(slabRowCount, tokens.count), isComparison: isComparison)
        do throws(LinearityError) {
            let memory = try MemoryPlan(
                plan: plan, layout: tokens.layout, device: device, computeType: subject.computeType,
                budgetByteCount: memoryByteCount, keptStreamCount: isComparison ? 1 : 0,
                otherByteCount: working + 24 * tokens.count)
            return (memory, slabRowCount)
        } catch {
            throw .linearity(error)
        }
    }
}

/// How much of the work is done: multiplications by weights, which take most of the time.
private struct Work: Sendable {
    /// Of each model, in the order in which they run.
    let layers: [Double]
    let layerCounts: [Int]
    let heads: Double
    let start = ContinuousClock.now
    let progress: @Sendable (EvaluationJob.Progress) -> Void

    init(
        _ subjects: [EvaluationJob.Subject], _ tokens: ScoredTokens,
        _ progress: @escaping @Sendable (EvaluationJob.Progress) -> Void
    ) {
        layers = subjects.map { Double($0.model.layerParameterCount) * Double(tokens.layout.tokenCount) }
        layerCounts = subjects.map(\.model.plan.layerCount)
        heads = subjects.reduce(0) { sum, subject in
            let plan = subject.model.plan
            return sum + Double(plan.vocabularySize) * Double(plan.width) * Double(tokens.count)
        }
        self.progress = progress
    }

    func finish(layer: Int, of model: Int) {
        let (done, count) = (layer + 1, layerCounts[model])
        let work = layers[..<model].reduce(0, +) + layers[model] * Double(done) / Double(count)
        let name = layers.count > 1 ? " of the \(["reference", "model"][model])" : ""
        report("layer \(done) of \(count)\(name)", work)
    }

    func finish(slabs done: Int, of count: Int) {
        report("logits", layers.reduce(0, +) + heads * Double(done) / Double(count))
    }

    private func report(_ stage: String, _ work: Double) {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        progress(
            EvaluationJob.Progress(
                stage: stage, doneShare: work / max(1, layers.reduce(0, +) + heads),
                seconds: Double(seconds) + Double(attoseconds) * 1e-18))
    }
}
