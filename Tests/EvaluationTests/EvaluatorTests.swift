import Checkpoints
import Compute
@testable import Evaluation
import Synchronization
import Tensors
import TestSupport
import Testing
import Transformers

@Suite("Scores of streams that leave the last layer")
struct EvaluatorTests {
    /// A model that has run, with the streams that entered and left its layers.
    private struct Pass {
        let forward: Forward
        let evaluator: Evaluator
        let streams: [Stream]

        init(
            _ name: String, on device: Device, placement: Stream.PlacementKind = .memory, slabRowCount: Int? = nil
        ) throws {
            let tokens = try Fixture.tokens()
            forward = try Forward(
                model: Fixture.model(name), device: device, layout: tokens.layout, slabTokenCount: 16,
                placement: placement)
            var streams = [try forward.embed(tokens.ids)]
            for layer in 0..<forward.plan.layerCount { streams.append(try forward.apply(layer, to: streams[layer])) }
            self.streams = streams
            evaluator = try Evaluator(forward: forward, tokens: tokens, slabRowCount: slabRowCount)
        }
    }

    @Test(
        "loss, perplexity and accuracy are those of float64",
        arguments: [Stream.PlacementKind.memory, .hostMemory, .scratchFile], TestDevice.available)
    func scores(placement: Stream.PlacementKind, on testDevice: TestDevice) throws {
        let pass = try Pass("llama-tied", on: testDevice.open(), placement: placement, slabRowCount: 7)
        let expected = try Fixture.expected()
        for (stream, key) in [(2, "tokens"), (1, "shallow")] {
            try check(try pass.evaluator.score(pass.streams[stream]), expected.object(key))
        }
    }

    private func check(_ evaluation: Evaluation, _ expected: JSON) throws {
        #expect(evaluation.sequences.map(\.tokenCount) == (try expected.counts("counts")))
        #expect(evaluation.sequences.map(\.correctCount) == (try expected.counts("correct")))
        expect(evaluation.sequences.map(\.nats), try expected.numbers("nats"), "nats")
        try expect(evaluation.crossEntropy, expected, "cross_entropy")
        try expect(evaluation.perplexity, expected, "perplexity", tolerance: 1e-5)
        try expect(evaluation.accuracy, expected, "accuracy")
    }

    @Test("divergences and agreement are those of float64", arguments: TestDevice.available)
    func comparison(on testDevice: TestDevice) throws {
        let device = try testDevice.open()
        let pass = try Pass("llama-tied", on: device, slabRowCount: 7)
        let expected = try Fixture.expected()
        let (reference, comparisons) = try pass.evaluator.compare([pass.streams[1]], reference: pass.streams[2])
        try check(reference, expected.object("tokens"))
        try check(comparisons[0], expected.object("shallow_against"))
        try check(comparisons[0].evaluation, expected.object("shallow"))
    }

    @Test("another model's divergences from a reference with its own head", arguments: TestDevice.available)
    func otherModel(on testDevice: TestDevice) throws {
        let device = try testDevice.open()
        let (reference, rounded) = (
            try Pass("llama-tied", on: device), try Pass("llama-gguf/Q4_0.gguf", on: device)
        )
        let expected = try Fixture.expected()
        let (_, comparisons) = try rounded.evaluator.compare(
            [rounded.streams[2]], reference: reference.streams[2], of: reference.evaluator)
        try check(comparisons[0], expected.object("rounded_against"))
        try check(comparisons[0].evaluation, expected.object("rounded"))
    }

    private func check(_ comparison: PredictionComparison, _ expected: JSON) throws {
        #expect(comparison.sequences.map(\.tokenCount) == (try expected.counts("counts")))
        #expect(comparison.sequences.map(\.agreementCount) == (try expected.counts("agreement_counts")))
        expect(comparison.sequences.map(\.nats), try expected.numbers("nats"), "nats", tolerance: 1e-5)
        expect(comparison.quantiles, try expected.numbers("kl_quantiles"), "quantiles", tolerance: 1e-5)
        try expect(comparison.divergence, expected, "kl", tolerance: 1e-5)
        try expect(comparison.agreement, expected, "agreement")
    }

    @Test(
        "many streams at once are each as if alone, and a stream does not diverge from itself",
        arguments: TestDevice.available)
    func candidates(on testDevice: TestDevice) throws {
        let pass = try Pass("llama-tied", on: testDevice.open(), slabRowCount: 16)
        let streams = [pass.streams[0], pass.streams[1], pass.streams[2], pass.streams[1]]
        let together = try pass.evaluator.compare(streams, reference: pass.streams[2])
        #expect(together.reference == (try pass.evaluator.score(pass.streams[2])))
        for (stream, comparison) in zip(streams, together.comparisons) {
            let alone = try pass.evaluator.compare([stream], reference: pass.streams[2]).comparisons[0]
            #expect(comparison == alone)
            #expect(comparison.evaluation == (try pass.evaluator.score(stream)))
        }
        #expect(together.comparisons[2].divergence.value == 0)
        #expect(together.comparisons[2].agreement.value == 1)
        #expect(together.comparisons[0].divergence.value > together.comparisons[1].divergence.value)
    }

    @Test(
        "divergences as cross-entropies are those summed term by term, but for 1e-6 nats",
        arguments: TestDevice.available)
    func crossEntropies(on testDevice: TestDevice) throws {
        let pass = try Pass("llama-tied", on: testDevice.open(), slabRowCount: 16)
        let streams = [pass.streams[0], pass.streams[1], pass.streams[2]]
        let want = try pass.evaluator.compare(streams, reference: pass.streams[2])
        let got = try pass.evaluator.compare(streams, reference: pass.streams[2], method: .crossEntropy)
        #expect(got.reference == want.reference)
        for (got, want) in zip(got.comparisons, want.comparisons) {
            #expect(got.evaluation == want.evaluation)
            #expect(got.sequences.map(\.agreementCount) == want.sequences.map(\.agreementCount))
            #expect(zip(got.quantiles, want.quantiles).allSatisfy { abs($0 - $1) < 1e-6 * (1 + $1) })
            #expect(abs(got.divergence.value - want.divergence.value) < 1e-6)
        }
        #expect(got.comparisons[2].divergence.value == 0)
        #expect(got.comparisons[0].divergence.value > 0.01)
    }

    @Test(
        "logits of minus infinity make a divergence zero or infinite in both methods", arguments: TestDevice.available,
        [DivergenceMethod.termwise, .crossEntropy])
    func impossibleTokens(on testDevice: TestDevice, method: DivergenceMethod) throws {
        let device = try testDevice.open()
        let (two, none) = (Float(0.693_147_18), -Float.infinity)
        let reference = try device.makeTensor([0, 0, none, 0, 0, none, 0, two, none], [3, 3], for: "a test")
        let others = try device.makeTensor([0, 0, none, 0, none, 0, 0, 0, none], [3, 3], for: "a test")
        func logSums(_ logits: Tensor) throws -> [Double] {
            let scores = try device.makeTensor([3, 3], .float64, for: "a test")
            try device.tokenScores(logits, targets: [0, 0, 0], into: scores)
            return try device.doubles(of: scores).enumerated().filter { $0.offset % 3 == 0 }.map(\.element)
        }
        let predictions = try ReferencePredictions(
            logits: reference, logSums: logSums(reference), method: method, device: device)
        let divergences = try predictions.divergences(of: others, logSums: logSums(others))
        #expect(divergences[0] == 0)
        #expect(divergences[1] == .infinity)
        // Of (1/3, 2/3) from (1/2, 1/2).
        #expect(abs(divergences[2] - 0.056633) < 1e-6)
    }

    @Test("neither lanes nor slabs of other sizes change the sums of a sequence")
    func lanes() throws {
        let (one, three) = (
            try Pass("llama-tied", on: .host(laneCount: 1), slabRowCount: 7),
            try Pass("llama-tied", on: .host(laneCount: 3), slabRowCount: 7)
        )
        let want = try one.evaluator.compare([one.streams[1]], reference: one.streams[2])
        let got = try three.evaluator.compare([three.streams[1]], reference: three.streams[2])
        #expect(got.comparisons == want.comparisons)
        #expect(got.reference == want.reference)
        let whole = try Pass("llama-tied", on: .host(), slabRowCount: 1000)
        let difference =
            try whole.evaluator.score(whole.streams[2]).crossEntropy.value - got.reference.crossEntropy.value
        #expect(abs(difference) < 1e-6)
    }

    @Test("every slab is reported, and once")
    func progress() throws {
        let pass = try Pass("llama-tied", on: .host(laneCount: 1), slabRowCount: 50)
        let calls = Calls()
        _ = try pass.evaluator.score(pass.streams[2]) { calls.note($0, of: $1) }
        // 127 tokens of the six sequences have one before them.
        #expect(calls.all == [[1, 3], [2, 3], [3, 3]])
    }

    @Test("one sequence has figures, and no errors")
    func oneSequence() throws {
        let device = Device.host()
        let ids = try Fixture.expected().object("ids").sequences[2]
        let tokens = ScoredTokens(ids: ids, layout: SequenceLayout(lengths: [ids.count]))
        let forward = try Forward(model: Fixture.model("llama-tied"), device: device, layout: tokens.layout)
        var stream = try forward.embed(ids)
        for layer in 0..<2 { stream = try forward.apply(layer, to: stream) }
        let evaluation = try Evaluator(forward: forward, tokens: tokens).score(stream)
        let expected = try Fixture.expected().object("one_sequence")
        try expect(evaluation.crossEntropy, expected, "cross_entropy")
        #expect(evaluation.perplexity.standardError.reason?.contains("one sequence") == true)
    }

    @Test("logits that are not finite are an error that names the token")
    func notFinite() throws {
        let pass = try Pass("llama-tied", on: .host())
        let row = [Float](repeating: .nan, count: pass.forward.plan.width)
        let stream = pass.streams[1]
        let place = try stream.destination(12..<13, staging: nil)
        try unsafe stream.device.write(row.span.bytes, to: place)
        let error = #expect(throws: EvaluationError.self) { try pass.evaluator.score(stream) }
        // Sequences of 9, 1 and 40 tokens come first.
        #expect(error?.description.contains("in the logits, sequence 2, position 2") == true)
    }
}

private final class Calls: Sendable {
    private let calls = Mutex<[[Int]]>([])

    func note(_ done: Int, of count: Int) { calls.withLock { $0.append([done, count]) } }
    var all: [[Int]] { calls.withLock { $0 } }
}
