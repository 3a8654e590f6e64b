public import Compute
import Synchronization
import Tensors
public import Transformers

/// From streams that leave the last layer of a model to how well they predict tokens.
///
/// Logits exist only in slabs of few rows. A slab of a reference's is computed once for all streams that are compared with
/// it. Sums are made in the order of the tokens, so that they do not depend on the number of lanes.
public struct Evaluator: Sendable {
    public let tokens: ScoredTokens
    private let device: Device
    private let plan: DecoderPlan
    private let head: OutputHead
    private let slabs: [ScoredSlab]

    /// Reads the final norm and the head of a model.
    ///
    /// - Parameters:
    ///   - forward: Of the model; it is not kept.
    ///   - tokens: What is scored; the streams have their layout.
    ///   - slabRowCount: Tokens whose logits are computed at once on each lane; nil to choose.
    /// - Throws: `EvaluationError.transformer`: weights that are damaged, memory.
    public init(forward: Forward, tokens: ScoredTokens, slabRowCount: Int? = nil) throws(EvaluationError) {
        self = try transforming { () throws(TransformerError) in
            try Evaluator(reading: forward, tokens: tokens, slabRowCount: slabRowCount)
        }
    }

    init(reading forward: Forward, tokens: ScoredTokens, slabRowCount: Int?) throws(TransformerError) {
        precondition(tokens.layout == forward.layout, "tokens of another layout")
        self.tokens = tokens
        device = forward.device
        plan = forward.plan
        head = try forward.outputHead()
        precondition(slabRowCount.map { $0 > 0 } ?? true, "slabs of no rows")
        slabs = tokens.slabs(
            rowCount: slabRowCount ?? Evaluator.slabRowCount(forward.plan, forward.device, byteCount: nil))
    }

    /// Scores a stream that leaves the last layer; the stream stays as it is.
    ///
    /// - Parameter progress: Called after each slab, on any thread, with how many are done, and how many there are.
    /// - Throws: `EvaluationError.transformer`: logits that are not finite, memory, disk.
    public func score(
        _ stream: Stream, progress: @Sendable (_ done: Int, _ count: Int) -> Void = { _, _ in }
    ) throws(EvaluationError) -> Evaluation {
        evaluation(try scan([stream], reference: nil, progress), 0)
    }

    /// Scores streams, and compares their predictions with those of a reference that the same norm and head make.
    ///
    /// - Parameters:
    ///   - reference: Leaving the last layer of the model.
    ///   - streams: Leaving the last layers of others that differ from it in their layers only.
    ///   - referenceEvaluator: Of the model that the reference left, where that has another norm and head; of the same
    ///     vocabulary and the same tokens.
    ///   - method: How divergences are summed; where there are many streams, `.crossEntropy` takes far less time.
    public func compare(
        _ streams: [Stream], reference: Stream, of referenceEvaluator: Evaluator? = nil,
        method: DivergenceMethod = .termwise,
        progress: @Sendable (_ done: Int, _ count: Int) -> Void = { _, _ in }
    ) throws(EvaluationError) -> (reference: Evaluation, comparisons: [PredictionComparison]) {
        let evaluator = referenceEvaluator ?? self
        precondition(evaluator.plan.vocabularySize == plan.vocabularySize, "vocabularies of different sizes")
        let sums = try scan(streams, reference: (reference, evaluator, method), progress)
        let comparisons = streams.indices.map { comparison(sums, $0 + 1) }
        return (evaluation(sums, 0), comparisons)
    }
}

// MARK: Slabs

extension Evaluator {
    /// What was summed of a slab: for each stream, the reference first, its pieces.
    private typealias SlabSums = [[PieceSums]]

    private struct PieceSums: Sendable {
        var loss = TokenLoss()
        var divergence = TokenDivergence()
        /// Of each token.
        var divergences: [Float] = []
    }

    /// The scores of a slab's rows.
    private struct SlabScores {
        /// (rows, 3) as `Device.tokenScores` gives them.
        let scores: [Double]
        let logits: Tensor

        /// log Σ exp of each row's logits.
        var logSums: [Double] { stride(from: 0, to: scores.count, by: 3).map { scores[$0] } }
    }

    /// The scores of a reference's slab, and its predictions.
    private struct ReferenceSlab {
        let scores: SlabScores
        let predictions: ReferencePredictions
    }

    private func scan(
        _ streams: [Stream], reference: (stream: Stream, evaluator: Evaluator, method: DivergenceMethod)?,
        _ progress: @Sendable (Int, Int) -> Void
    ) throws(EvaluationError) -> [SlabSums] {
        let results = Mutex((sums: [SlabSums](repeating: [], count: slabs.count), done: 0))
        try device.concurrently(slabs.count) { index, _ throws(EvaluationError) in
            let slab = slabs[index]
            let base = try reference.map { stream, evaluator, method throws(EvaluationError) in
                try evaluator.referenceSlab(slab, of: stream, method)
            }
            var sums = base.map { [self.sums($0.scores, of: slab)] } ?? []
            for stream in streams {
                let scores = try scores(slab, of: stream)
                var pieces = self.sums(scores, of: slab)
                if let base { try compare(scores, base, slab, &pieces) }
                sums.append(pieces)
            }
            results.withLock { results in
                results.sums[index] = sums
                results.done += 1
                progress(results.done, slabs.count)
            }
        }
        return results.withLock { $0.sums }
    }

    private func referenceSlab(
        _ slab: ScoredSlab, of stream: Stream, _ method: DivergenceMethod
    ) throws(EvaluationError) -> ReferenceSlab {
        let scores = try scores(slab, of: stream)
        return try wrapping { () throws(ComputeError) in
            let predictions = try ReferencePredictions(
                logits: scores.logits, logSums: scores.logSums, method: method, device: device)
            return ReferenceSlab(scores: scores, predictions: predictions)
        }
    }

    private func scores(_ slab: ScoredSlab, of stream: Stream) throws(EvaluationError) -> SlabScores {
        let rows = try rows(slab, of: stream)
        let logits = try transforming { () throws(TransformerError) in
            try head.logits(ofLastStream: rows, plan: plan, device: device)
        }
        let scores = try wrapping { () throws(ComputeError) in
            let result = try device.makeTensor([slab.rowCount, 3], .float64, for: "scores of tokens")
            try device.tokenScores(logits, targets: Array(tokens.targets[slab.targets]), into: result)
            return try device.doubles(of: result)
        }
        try checkFinite(scores, slab)
        return SlabScores(scores: scores, logits: logits)
    }

    /// The stream's rows of a slab, one after the other.
    private func rows(_ slab: ScoredSlab, of stream: Stream) throws(EvaluationError) -> Tensor {
        let isView = stream.placementKind == .memory
        if isView, slab.pieces.count == 1 {
            return try transforming { () throws(TransformerError) in
                try stream.rows(slab.pieces[0].rows, staging: nil)
            }
        }
        let gathered = try wrapping { () throws(ComputeError) in
            try device.makeTensor([slab.rowCount, stream.width], .float32, for: "rows of the stream")
        }
        var begin = 0
        for piece in slab.pieces {
            let place = gathered.rows(begin..<begin + piece.rows.count)
            let part = try transforming { () throws(TransformerError) in
                try stream.rows(piece.rows, staging: place)
            }
            if isView { try wrapping { () throws(ComputeError) in try device.copy(part, to: place) } }
            begin += piece.rows.count
        }
        return gathered
    }

    private func checkFinite(_ scores: [Double], _ slab: ScoredSlab) throws(EvaluationError) {
        var row = 0
        for piece in slab.pieces {
            for place in piece.rows {
                guard (scores[3 * row] - scores[3 * row + 1]).isFinite else {
                    throw .transformer(
                        .nonFiniteActivation(
                            stage: "in the logits", sequence: piece.sequence,
                            position: place - tokens.layout.offsets[piece.sequence]))
                }
                row += 1
            }
        }
    }

    private func sums(_ scores: SlabScores, of slab: ScoredSlab) -> [PieceSums] {
        var row = 0
        return slab.pieces.map { piece in
            var sums = PieceSums()
            sums.loss.tokenCount = piece.rows.count
            for _ in piece.rows {
                sums.loss.nats += scores.scores[3 * row] - scores.scores[3 * row + 1]
                let target = tokens.targets[slab.firstTarget + row]
                if scores.scores[3 * row + 2] == Double(target) { sums.loss.correctCount += 1 }
                row += 1
            }
            return sums
        }
    }

    private func compare(
        _ scores: SlabScores, _ reference: ReferenceSlab, _ slab: ScoredSlab, _ sums: inout [PieceSums]
    ) throws(EvaluationError) {
        let divergences = try wrapping { () throws(ComputeError) in
            try reference.predictions.divergences(of: scores.logits, logSums: scores.logSums)
        }
        var row = 0
        for (index, piece) in slab.pieces.enumerated() {
            sums[index].divergence.tokenCount = piece.rows.count
            for _ in piece.rows {
                sums[index].divergence.nats += divergences[row]
                sums[index].divergences.append(Float(divergences[row]))
                if scores.scores[3 * row + 2] == reference.scores.scores[3 * row + 2] {
                    sums[index].divergence.agreementCount += 1
                }
                row += 1
            }
        }
    }
}

// MARK: Sums

extension Evaluator {
    private func evaluation(_ sums: [SlabSums], _ stream: Int) -> Evaluation {
        var sequences = [TokenLoss](repeating: TokenLoss(), count: tokens.rows.count)
        for (slab, sums) in zip(slabs, sums) {
            for (piece, sums) in zip(slab.pieces, sums[stream]) { sequences[piece.sequence].add(sums.loss) }
        }
        return Evaluation(sequences: sequences)
    }

    private func comparison(_ sums: [SlabSums], _ stream: Int) -> PredictionComparison {
        var sequences = [TokenDivergence](repeating: TokenDivergence(), count: tokens.rows.count)
        for (slab, sums) in zip(slabs, sums) {
            for (piece, sums) in zip(slab.pieces, sums[stream]) { sequences[piece.sequence].add(sums.divergence) }
        }
        return PredictionComparison(
            evaluation: evaluation(sums, stream), sequences: sequences,
            divergences: sums.flatMap { $0[stream].flatMap(\.divergences) })
    }
}

// MARK: Memory

extension Evaluator {
    /// Bytes of a slab of logits, at most: many rows keep a matrix product busy, and more bring nothing.
    private static func slabByteCount(_ device: Device) -> Int { (device.hasOwnMemory ? 512 : 64) << 20 }

    /// Tokens whose logits are computed at once on each lane.
    ///
    /// - Parameter byteCount: Of the logits on all lanes, at most; nil for no limit.
    static func slabRowCount(_ plan: DecoderPlan, _ device: Device, byteCount: Int?) -> Int {
        let limit = min(slabByteCount(device), (byteCount ?? .max) / device.laneCount)
        return max(1, min(device.preferredRowCounts.slab, limit / (4 * plan.vocabularySize)))
    }

    /// Bytes that scoring takes besides the streams, with slabs of the size that is chosen by itself.
    ///
    /// - Parameters:
    ///   - isComparison: Whether there are a reference's logits too.
    ///   - method: How divergences are summed then.
    public static func byteCount(
        _ plan: DecoderPlan, _ device: Device, isComparison: Bool, method: DivergenceMethod = .termwise
    ) -> Int {
        let slabRowCount = slabRowCount(plan, device, byteCount: nil)
        let keepsProbabilities = isComparison && method == .crossEntropy
        let probabilities = keepsProbabilities ? device.laneCount * slabRowCount * 4 * plan.vocabularySize : 0
        return probabilities
            + workingByteCount(plan, device, slabRowCount: slabRowCount, isComparison: isComparison)
    }

    /// Bytes that scoring takes besides the streams: the head, and each lane's slabs.
    ///
    /// - Parameter isComparison: Whether there are a reference's logits too, and its head.
    static func workingByteCount(_ plan: DecoderPlan, _ device: Device, slabRowCount: Int, isComparison: Bool) -> Int {
        let row = 4 * (plan.vocabularySize + 3 * plan.width) + 24
        let lane = slabRowCount * row + (1 << 20)
        return (isComparison ? 2 : 1) * (OutputHead.byteCount(plan) + device.laneCount * lane)
    }
}
