import Checkpoints
import Compute
import TestSupport
import Testing
import Tokenizers
import Transformers

@testable import Evaluation

@Suite("Questions with choices")
struct MultipleChoiceTests {
    private func tokenizer() throws -> Tokenizer { try Tokenizer(tokenizerJSON: Fixture.path("tokenizer.json")) }

    private func tokens(_ questions: MultipleChoice, bos: Bool = false) throws -> ScoredTokens {
        try questions.tokens(
            tokenizer(), maximumPositions: Fixture.model("llama-tied").plan.maximumPositions, bos: bos)
    }

    @Test(
        "log-likelihoods and accuracies are lm-evaluation-harness's",
        arguments: [("choices", false), ("choices_bos", true)], TestDevice.available)
    func results(which: (key: String, bos: Bool), on testDevice: TestDevice) throws {
        let expected = try Fixture.expected().object(which.key)
        let questions = try MultipleChoice(MappedFile(Fixture.path("choices.jsonl")))
        let tokens = try tokens(questions, bos: which.bos)
        // The fifth context has more tokens than the model has positions.
        #expect(tokens.layout.lengths.max() == 128)
        let evaluation = try EvaluationJob(device: testDevice.open(), memoryByteCount: nil)
            .score(EvaluationJob.Subject(Fixture.model("llama-tied"), computeType: .f32), tokens)
        let result = questions.result(evaluation)
        let want = try expected.object("log_likelihoods").array ?? []
        #expect(result.logLikelihoods.count == want.count)
        for (got, want) in zip(result.logLikelihoods, want) {
            expect(got, want.array?.compactMap(\.number) ?? [], "log-likelihoods")
        }
        try expect(result.accuracy, expected, "accuracy")
        try expect(result.normalizedAccuracy, expected, "accuracy_normalized")
    }

    @Test("a choice is normalized by its bytes, without the spaces in front")
    func normalization() throws {
        let questions = try MultipleChoice(
            Array(#"{"context": "a", "choices": ["  é", " bb", "ccc"], "answer": 2}"#.utf8), source: "a test")
        // Per byte -3/2, -3.2/2 and -4/3.
        let evaluation = Evaluation(sequences: [3, 3.2, 4].map { loss($0) })
        let result = questions.result(evaluation)
        #expect(result.logLikelihoods == [[-3, -3.2, -4]])
        #expect(result.accuracy.value == 0)
        #expect(result.normalizedAccuracy.value == 1)
        #expect(result.accuracy.standardError.value == nil)
    }

    private func loss(_ nats: Double) -> TokenLoss {
        var loss = TokenLoss()
        (loss.tokenCount, loss.nats) = (1, nats)
        return loss
    }

    @Test(
        "a malformed line is refused with its number and what is wrong",
        arguments: [
            ("{", "not valid JSON"), ("", "not valid JSON"), ("[]", "found an array"),
            (#"{"choices": ["a", "b"], "answer": 0}"#, "no member \"context\""),
            (#"{"context": 1, "choices": ["a", "b"], "answer": 0}"#, "context: expected a string, found an integer"),
            (#"{"context": "x", "choices": "ab", "answer": 0}"#, "choices: expected an array"),
            (#"{"context": "x", "choices": ["a"], "answer": 0}"#, "two or more, found 1"),
            (#"{"context": "x", "choices": ["a", null], "answer": 0}"#, "choice 1: expected a string, found null"),
            (#"{"context": "x", "choices": ["a", " "], "answer": 0}"#, "choice 1: it is empty"),
            (
                #"{"context": "x", "choices": ["a", "b"], "answer": 2}"#,
                "answer: expected an index of the choices, 0 to 1"
            ),
            (#"{"context": "x", "choices": ["a", "b"], "answer": "a"}"#, "answer: expected an index"),
            (#"{"context": "x", "choices": ["a", "b"]}"#, "no member \"answer\""),
        ])
    func malformed(line: String, problem: String) throws {
        let good = #"{"context": "x", "choices": ["a", "b"], "answer": 1}"#
        let error = #expect(throws: EvaluationError.self) {
            try MultipleChoice(Array("\(good)\n\(line)\n\(good)\n".utf8), source: "some.jsonl")
        }
        #expect(error?.description.contains("some.jsonl: line 2: ") == true)
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test("a file without questions is refused", arguments: ["", "\n", " \r\n\t\n"])
    func empty(text: String) throws {
        let error = #expect(throws: EvaluationError.self) {
            try MultipleChoice(Array(text.utf8), source: "some.jsonl")
        }
        #expect(error?.description.contains("some.jsonl: the file has no questions") == true)
    }

    @Test("a choice that no tokens are left for, or too many, is refused with its line")
    func unscorable() throws {
        // Characters that the tokenizer does not know.
        let unknown = try MultipleChoice(
            Array(#"{"context": "the", "choices": [" cat", "é"], "answer": 0}"#.utf8), source: "some.jsonl")
        #expect(refusal(unknown).contains("some.jsonl: line 1: choice 1: it has no tokens of its own"))
        let long = String(repeating: "a rat ", count: 100)
        let many = try MultipleChoice(
            Array("{\"context\": \"the\", \"choices\": [\"\(long)\", \" cat\"], \"answer\": 0}".utf8),
            source: "some.jsonl")
        #expect(refusal(many).contains("some.jsonl: line 1: choice 0: it has"))
        #expect(refusal(many).contains("positions for 128"))
    }

    private func refusal(_ questions: MultipleChoice) -> String {
        let error = #expect(throws: EvaluationError.self) { try tokens(questions) }
        return error?.description ?? ""
    }
}
