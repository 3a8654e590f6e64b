import Checkpoints
import Compute
import Evaluation
import Synchronization
import TestSupport
import Testing
import Tokenizers
import Transformers

@Suite("From models and tokens to figures")
struct EvaluationJobTests {
    private func subject(_ name: String) throws -> EvaluationJob.Subject {
        EvaluationJob.Subject(try Fixture.model(name), computeType: .f32)
    }

    private func tokenizer() throws -> Tokenizer { try Tokenizer(tokenizerJSON: Fixture.path("tokenizer.json")) }

    @Test(
        "a text in windows, apart and sliding, each of its tokens once", arguments: ["windows", "stride"],
        TestDevice.available)
    func windows(key: String, on testDevice: TestDevice) throws {
        let expected = try Fixture.expected().object(key)
        let tokenizer = try tokenizer()
        let corpus = try Corpus.slidingWindows(
            of: MappedFile(Fixture.path("text.txt")), tokenizer: tokenizer, length: 24,
            stride: key == "stride" ? 7 : nil, bos: true)
        #expect(corpus.sequences == (try expected.object("sequences").sequences))
        #expect(corpus.contextTokenCounts == (try expected.counts("contexts")))
        let tokens = ScoredTokens(
            ids: corpus.sequences.flatMap(\.self), layout: SequenceLayout(lengths: corpus.sequences.map(\.count)),
            contextTokenCounts: corpus.contextTokenCounts)
        let bytes = ScoredText(tokens) { () throws(TokenizerError) in tokenizer }
        let counts = try expected.counts("bytes")
        #expect(bytes == .byteCounts(counts))
        let evaluation = try EvaluationJob(device: testDevice.open(), memoryByteCount: nil)
            .score(subject("llama-tied"), tokens)
        #expect(evaluation.sequences.map(\.tokenCount) == (try expected.counts("counts")))
        expect(evaluation.sequences.map(\.nats), try expected.numbers("nats"), "nats")
        try expect(evaluation.crossEntropy, expected, "cross_entropy")
        try expect(evaluation.bitsPerByte(byteCounts: counts), expected, "bits_per_byte")
    }

    @Test("without a stride as many windows as are asked for, and no more of the text")
    func count() throws {
        let text = try MappedFile(Fixture.path("text.txt"))
        let all = try Corpus.slidingWindows(of: text, tokenizer: tokenizer(), length: 24, bos: true)
        let some = try Corpus.slidingWindows(of: text, tokenizer: tokenizer(), length: 24, count: 2, bos: true)
        #expect(some.sequences == Array(all.sequences.prefix(2)))
        let sliding = try Corpus.slidingWindows(
            of: text, tokenizer: tokenizer(), length: 24, stride: 5, count: 3, bos: false)
        #expect(sliding.sequences.map(\.count) == [24, 24, 24])
        #expect(sliding.contextTokenCounts == [0, 19, 19])
        #expect(sliding.sequences[1].prefix(19) == sliding.sequences[0].suffix(19))
    }

    @Test("a stride of nothing, or beyond the window, is refused", arguments: [0, 24, -1, Int.max])
    func stride(_ stride: Int) throws {
        let text = try MappedFile(Fixture.path("text.txt"))
        let error = #expect(throws: TokenizerError.self) {
            try Corpus.slidingWindows(of: text, tokenizer: tokenizer(), length: 24, stride: stride, bos: true)
        }
        #expect(error?.description.contains("1 to 23") == true)
    }

    @Test("two models, one after the other", arguments: TestDevice.available)
    func comparison(on testDevice: TestDevice) throws {
        let job = EvaluationJob(device: try testDevice.open(), memoryByteCount: nil)
        let result = try job.compare(
            subject("llama-gguf/Q4_0.gguf"), reference: subject("llama-tied"), Fixture.tokens())
        let expected = try Fixture.expected()
        try expect(result.reference.crossEntropy, expected.object("tokens"), "cross_entropy")
        try expect(result.comparison.evaluation.crossEntropy, expected.object("rounded"), "cross_entropy")
        try expect(result.comparison.divergence, expected.object("rounded_against"), "kl", tolerance: 1e-5)
        try expect(result.comparison.agreement, expected.object("rounded_against"), "agreement")
    }

    @Test("little memory changes nothing but where the streams are, and too little is refused")
    func memory() throws {
        let tokens = try Fixture.tokens()
        let want = try EvaluationJob(device: .host(laneCount: 1), memoryByteCount: nil)
            .score(subject("llama-tied"), tokens)
        func refusal(_ byteCount: Int) throws -> String {
            let error = #expect(throws: EvaluationError.self) {
                try EvaluationJob(device: .host(laneCount: 1), memoryByteCount: byteCount)
                    .score(subject("llama-tied"), tokens)
            }
            return error?.description ?? ""
        }
        #expect(try refusal(1000).contains("give a larger --memory"))
        // As much as it says that it needs, at last: the streams, of 34 KB, have to be elsewhere.
        let words = try refusal(2_200_000).split(separator: " ")
        let needed = try #require(words.firstIndex(of: "needs").flatMap { Int(words[$0 + 1]) })
        let got = try EvaluationJob(device: .host(laneCount: 1), memoryByteCount: needed + 2000)
            .score(subject("llama-tied"), tokens)
        #expect(abs(got.crossEntropy.value - want.crossEntropy.value) < 1e-6)
        #expect(got.total.tokenCount == want.total.tokenCount)
    }

    @Test("progress goes from layer to layer to the end")
    func progress() throws {
        let shares = Shares()
        _ = try EvaluationJob(device: .host(laneCount: 1), memoryByteCount: nil)
            .compare(subject("llama-tied"), reference: subject("llama-tied"), Fixture.tokens()) {
                shares.note($0.stage, $0.doneShare)
            }
        #expect(
            shares.stages == [
                "layer 1 of 2 of the reference", "layer 2 of 2 of the reference", "layer 1 of 2 of the model",
                "layer 2 of 2 of the model", "logits",
            ])
        #expect(shares.all == shares.all.sorted() && shares.all.last == 1)
    }

    @Test("models of other vocabularies are refused by name")
    func otherVocabulary() throws {
        let (model, other) = (try Fixture.model("llama-tied"), try Fixture.model("families/llama/linear.gguf"))
        try #require(model.plan.vocabularySize != other.plan.vocabularySize)
        let error = #expect(throws: EvaluationError.self) {
            try EvaluationJob.requireSameVocabulary(model, reference: other, Fixture.tokens())
        }
        #expect(error?.description.contains("llama-tied has a vocabulary of 64 ids") == true)
        #expect(error?.description.contains("linear.gguf") == true)
    }

    @Test("a model whose tokenizer cannot be read is compared by the size of its vocabulary, and the reason is told")
    func vocabularyWithoutTokenizer() throws {
        let model = try Fixture.model("llama-tied")
        let reason = try EvaluationJob.requireSameVocabulary(model, reference: model, Fixture.tokens())
        #expect(reason?.contains("llama-tied") == true)
    }
}

private final class Shares: Sendable {
    private let calls = Mutex<[(String, Double)]>([])

    func note(_ stage: String, _ share: Double) { calls.withLock { $0.append((stage, share)) } }
    var stages: [String] { calls.withLock { $0.map(\.0) } }
    var all: [Double] { calls.withLock { $0.map(\.1) } }
}
