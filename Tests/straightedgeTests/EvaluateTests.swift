import Checkpoints
import TestSupport
import Testing

@Suite("A model is evaluated from the command")
struct EvaluateTests {
    /// A file beside the tests of the room.
    private func fixture(_ name: String) -> String {
        let ofTests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        return ofTests.joined(separator: "/") + "/EvaluationTests/Fixtures/\(name)"
    }

    private func expected() throws -> JSON { try JSON.read(fixture("expected.json")) }

    /// A folder with the sequences that are scored, as ids.jsonl.
    private func idsFolder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let lines = try #require(try expected()["ids"]?.array).map { $0.serialized(indented: false) + "\n" }
        try folder.write(lines.joined(), to: "ids.jsonl")
        return folder
    }

    /// A model with a tokenizer: that of the forward pass's tests, beside that of the evaluation's.
    private func modelFolder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for name in ["config.json", "model.safetensors"] {
            let file = try MappedFile(Command.fixture("llama-tied/\(name)"))
            try folder.write(unsafe Array(file.bytes), to: "model/\(name)")
        }
        let file = try MappedFile(fixture("tokenizer.json"))
        try folder.write(unsafe Array(file.bytes), to: "model/tokenizer.json")
        return folder
    }

    private func expect(
        _ figures: JSON?, _ names: [String], are expected: JSON?, tolerance: Double = 1e-5,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        for name in names {
            let got = try #require(figures?[name]?.number, "\(name)", sourceLocation: location)
            let want = try #require(expected?[name]?.number, "\(name)", sourceLocation: location)
            #expect(
                abs(got - want) <= tolerance * max(1, abs(want)), "\(name): \(got), expected \(want)",
                sourceLocation: location)
        }
    }

    private static let names = [
        "cross_entropy", "cross_entropy_standard_error", "perplexity", "perplexity_standard_error", "accuracy",
        "accuracy_standard_error",
    ]

    @Test("ids are scored, and compared with another model's predictions")
    func tokens() throws {
        let folder = try idsFolder()
        let arguments = [
            "evaluate", Command.fixture("llama-gguf/Q4_0.gguf"), "--against", Command.fixture("llama-tied"), "--tokens",
            "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/o.json",
        ]
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("only the sizes of the vocabularies are compared"), "\(outcome.errors)")
        #expect(outcome.output.contains("127 tokens scored of 133 in 6 sequences"))
        #expect(outcome.output.contains("KL divergence") && outcome.output.contains("Against llama-tied"))
        let report = try JSON.read("\(folder.path)/o.json")
        let expected = try expected()
        #expect(report["schema"]?.string == "straightedge.evaluation/1")
        #expect(report["figures"]?["tokens_scored"]?.integer == 127)
        #expect(report["figures"]?["sequences"]?.integer == 6)
        try expect(report["figures"], Self.names, are: expected["rounded"])
        try expect(report["against"]?["figures"], Self.names, are: expected["tokens"])
        let comparison = report["against"]?["comparison"]
        let want = try #require(expected["rounded_against"])
        for (name, key) in [("kl_divergence", "kl"), ("agreement", "agreement")] {
            for ending in ["", "_standard_error"] {
                let got = try #require(comparison?[name + ending]?.number)
                #expect(abs(got - (want[key + ending]?.number ?? .nan)) < 1e-6, "\(name)\(ending)")
            }
        }
        #expect(report["model"]?["fingerprint"]?.string?.hasPrefix("sha256:") == true)
        #expect(report["run"]?["device"]?.string == "host" && report["run"]?["compute_type"]?.string == "f32")
        #expect(report["run"]?["peak_resident_bytes"]?.integer ?? 0 > 0)
        // The file is not overwritten unasked.
        let again = try Command.run(arguments)
        #expect(again.exitCode == 1 && again.errors.contains("o.json exists already"))
        #expect(try Command.run(arguments + ["--force", "--quiet"]).output.isEmpty)
        #expect(folder.names() == ["ids.jsonl", "o.json"])
    }

    @Test("figures that cannot be had are null, and say why")
    func reasons() throws {
        let folder = try TemporaryFolder()
        try folder.write("[5, 6, 7]\n", to: "ids.jsonl")
        let outcome = try Command.run([
            "evaluate", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/o.json",
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let figures = try #require(try JSON.read("\(folder.path)/o.json")["figures"])
        #expect(figures["cross_entropy_standard_error"]?.isNull == true && figures["bits_per_byte"]?.isNull == true)
        let reasons = figures["null_reasons"]
        #expect(reasons?["cross_entropy_standard_error"]?.string?.contains("one sequence") == true)
        #expect(reasons?["bits_per_byte"]?.string?.contains("has no tokenizer") == true)
    }

    @Test("a text in windows, apart and sliding, and questions", arguments: ["windows", "stride"])
    func text(key: String) throws {
        let folder = try modelFolder()
        let stride = key == "stride" ? ["--stride", "7"] : []
        let outcome = try Command.run(
            [
                "evaluate", "\(folder.path)/model", "--text", fixture("text.txt"), "--sequence-length", "24",
                "--choices", fixture("choices.jsonl"), "--out", "\(folder.path)/o.json",
            ] + stride)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("6 questions of"))
        let report = try JSON.read("\(folder.path)/o.json")
        let expected = try expected()
        try expect(
            report["figures"], Self.names + ["bits_per_byte", "bits_per_byte_standard_error"], are: expected[key])
        let bytes = expected[key]?["bytes"]?.array?.compactMap(\.integer).reduce(0, +)
        #expect(report["figures"]?["bytes_scored"]?.integer == bytes)
        try expect(
            report["choices"],
            [
                "accuracy", "accuracy_standard_error", "accuracy_normalized", "accuracy_normalized_standard_error",
            ], are: expected["choices"])
        #expect(report["choices"]?["questions"]?.integer == 6)
    }

    @Test(
        "what cannot be scored ends with a message that names it",
        arguments: [
            ("[1]\n[2]\n", "no token can be scored", 2), ("[1, 2\n", "line 1", 1), ("[1, 2]\n[2, 64]\n", "line 2", 1),
            ("\n", "no token ids", 1),
        ] as [(String, String, Int32)])
    func unscored(text: String, problem: String, exitCode: Int32) throws {
        let folder = try TemporaryFolder()
        try folder.write(text, to: "ids.jsonl")
        let outcome = try Command.run([
            "evaluate", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/o.json",
        ])
        #expect(outcome.exitCode == exitCode, "\(outcome.errors)")
        #expect(outcome.errors.contains("ids.jsonl") && outcome.errors.contains(problem), "\(outcome.errors)")
        #expect(folder.names() == ["ids.jsonl"])
    }

    @Test("another vocabulary is refused with 2, and so are other tokens of the same text")
    func otherVocabulary() throws {
        let folder = try idsFolder()
        let sizes = try Command.run([
            "evaluate", Command.fixture("llama-tied"), "--against", Command.fixture("families/llama/linear.gguf"),
            "--tokens", "\(folder.path)/ids.jsonl",
        ])
        #expect(sizes.exitCode == 2)
        #expect(sizes.errors.contains("vocabulary of 64 ids") && sizes.errors.contains("linear.gguf"))
        let (model, other) = (try modelFolder(), try modelFolder())
        // Without merges letters stay alone.
        let text = try other.text("model/tokenizer.json")
        let start = try #require(text.firstRange(of: "\"merges\": ["))
        try other.write(String(text[..<start.lowerBound]) + "\"merges\": []}}", to: "model/tokenizer.json")
        let tokens = try Command.run([
            "evaluate", "\(model.path)/model", "--against", "\(other.path)/model", "--text", fixture("text.txt"),
        ])
        #expect(tokens.exitCode == 2, "\(tokens.errors)")
        #expect(tokens.errors.contains("different tokenizers"), "\(tokens.errors)")
    }

    @Test("a malformed question is refused with its line")
    func choices() throws {
        let folder = try modelFolder()
        try folder.write("{\"context\": \"the\", \"choices\": [\"a\"], \"answer\": 0}\n", to: "q.jsonl")
        let outcome = try Command.run(["evaluate", "\(folder.path)/model", "--choices", "\(folder.path)/q.jsonl"])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("q.jsonl: line 1: choices: expected two or more, found 1"))
    }

    @Test(
        "wrong usage ends with 64",
        arguments: [
            ["evaluate"], ["evaluate", "m"], ["evaluate", "m", "--text", "a", "--tokens", "b"],
            ["evaluate", "m", "--tokens", "b", "--stride", "5"],
            ["evaluate", "m", "--choices", "c", "--sequence-length", "5"],
            ["evaluate", "m", "--choices", "c", "--against", "n"],
            ["evaluate", "m", "--choices", "c", "--sequences", "2"], ["evaluate", "m", "--text", "a", "--stride", "0"],
        ])
    func usage(arguments: [String]) throws {
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 64)
        #expect(!outcome.errors.isEmpty)
    }
}
