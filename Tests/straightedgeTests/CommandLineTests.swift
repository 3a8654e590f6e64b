import Checkpoints
import Glibc
import Testing

@Suite("The command tells what it does, and what is wrong")
struct CommandLineTests {
    @Test(
        "every help text has examples",
        arguments: ["analyze", "report", "hidden-states", "tokenize", "inspect", "doctor"])
    func help(subcommand: String) throws {
        let outcome = try Command.run([subcommand, "--help"])
        #expect(outcome.exitCode == 0)
        #expect(outcome.output.contains("EXAMPLES"))
    }

    @Test(
        "wrong usage ends with 64",
        arguments: [
            ["analyze"], ["analyze", "model.gguf"], ["analyze", "model.gguf", "--text", "a", "--tokens", "b"],
            ["analyze", "model.gguf", "--text", "a", "--wrong-flag"], ["unknown"],
            ["analyze", "model.gguf", "--text", "a", "--layers", "5:2"],
            ["analyze", "model.gguf", "--text", "a", "--memory", "much"],
            ["analyze", "model.gguf", "--text", "a", "--device", "cuda"],
            ["analyze", "model.gguf", "--text", "a", "--site", "head"], ["report"],
            ["analyze", "model.gguf", "--text", "a", "--resume"],
            ["analyze", "model.gguf", "--text", "a", "--no-token-errors", "--tokens-out", "a.npy"],
        ])
    func usage(arguments: [String]) throws {
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 64)
        #expect(!outcome.errors.isEmpty)
    }

    @Test(
        "a model that is missing, empty, truncated or no model ends with 1, and the message names the file",
        arguments: [
            ("missing.gguf", nil), ("empty.gguf", ""), ("text.gguf", "This is no model.\n"), ("short.gguf", "GGUF"),
        ] as [(String, String?)])
    func badModels(name: String, text: String?) throws {
        let place = try TemporaryFolder()
        if let text { try place.write(text, to: name) }
        for arguments in [["inspect", "\(place.path)/\(name)"], ["tokenize", "\(place.path)/\(name)"]] {
            let outcome = try Command.run(arguments)
            #expect(outcome.exitCode == 1)
            #expect(outcome.errors.contains(name))
        }
    }

    @Test("a folder without a model is told so")
    func emptyFolder() throws {
        let place = try TemporaryFolder()
        let outcome = try Command.run(["inspect", place.path])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("config.json"))
    }

    @Test(
        "token files that are damaged or of another vocabulary end with 1, and the message names the line",
        arguments: [
            ("[1, 2\n", "line 1"), ("[1]\n[2, 64]\n", "line 2"), ("[1]\n[]\n", "line 2"), ("[1.5]\n", "line 1"),
        ])
    func badTokens(text: String, place: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(text, to: "ids.jsonl")
        let outcome = try Command.run([
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out",
        ])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("ids.jsonl") && outcome.errors.contains(place))
        #expect(folder.names == ["ids.jsonl"])
    }

    @Test("too few tokens are refused with 2, and nothing is written")
    func refused() throws {
        let folder = try TemporaryFolder()
        try folder.write("[1, 2, 3]\n", to: "ids.jsonl")
        let outcome = try Command.run([
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out",
        ])
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("3 tokens for a stream of width 32"))
        #expect(folder.names == ["ids.jsonl"])
    }

    @Test("a profile has the public format's names, and the folder is not overwritten unasked")
    func profile() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        let arguments = [
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out",
        ]
        let outcome = try Command.run(arguments)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("held-out"))
        let profile = try JSON.read("\(folder.path)/out/profile.json")
        #expect(profile["schema"]?.string == "straightedge.profile/1")
        #expect(profile["corpus"]?["tokens"]?.integer == 600)
        let views = try #require(profile["views"]?.array)
        #expect(views.map { $0["name"]?.string } == ["all_tokens", "without_first_token"])
        for row in try #require(views[0]["layers"]?.array) + [try #require(views[0]["final_norm"])] {
            let missing = Command.rowNames.filter { row[$0] == nil }
            #expect(missing == [])
        }
        #expect(try Command.run(arguments).exitCode == 1)
        #expect(try Command.run(arguments + ["--force", "--quiet"]).output.isEmpty)
    }

    @Test("every token's error in every layer is written as .npy and as safetensors")
    func tokenErrors() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        for name in ["errors.npy", "errors.safetensors"] {
            let outcome = try Command.run([
                "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--site",
                "layer,mlp", "--out", "\(folder.path)/\(name)-out", "--tokens-out", "\(folder.path)/\(name)", "--quiet",
            ])
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
        }
        let file = try SafetensorsFile("\(folder.path)/errors.safetensors")
        let tensor = try file.tensor("all_tokens.layer.in_sample")
        #expect(tensor.shape == [600, 2])
        #expect(try file.tensor("without_first_token.mlp.held_out").shape == [600, 2])
        #expect(try file.tensor("all_tokens.final_norm.held_out").shape == [600, 1])
        let array = try MappedFile("\(folder.path)/errors.npy")
        let header = unsafe String(decoding: array.bytes[10..<128], as: UTF8.self)
        #expect(header.contains("'descr': '<f4', 'fortran_order': False, 'shape': (600, 2), }"))
        // The same errors in both.
        #expect(unsafe array.bytes[128...].elementsEqual(tensor.bytes.bytes.withUnsafeBytes { unsafe Array($0) }))
    }

    @Test("--resume does nothing where all is done, and passes no other analysis off as the one asked for")
    func resume() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        let arguments = [
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out",
            "\(folder.path)/out", "--quiet", "--save-interval", "0",
        ]
        #expect(try Command.run(arguments).exitCode == 0)
        let first = try JSON.read("\(folder.path)/out/profile.json")
        // Finished: there is nothing to do, and other settings are not passed off as the same.
        #expect(try Command.run(arguments + ["--resume"]).exitCode == 0)
        let other = try Command.run(arguments + ["--resume", "--folds", "3"])
        #expect(other.exitCode == 1 && other.errors.contains("another analysis"))
        #expect(try JSON.read("\(folder.path)/out/profile.json") == first)
        #expect(folder.names == ["ids.jsonl", "out"])
    }

    @Test("a page is made of a profile, of its folder, and not of anything else")
    func report() throws {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
        let out = "\(folder.path)/out"
        let analysis = try Command.run([
            "analyze", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--out", out, "--quiet",
        ])
        #expect(analysis.exitCode == 0, "\(analysis.errors)")
        let written = try MappedFile("\(out)/report.html")
        let page = unsafe Array(written.bytes)
        #expect(try Command.run(["report", out, "--figures", "\(folder.path)/figures"]).exitCode == 0)
        let again = try MappedFile("\(out)/report.html")
        #expect(unsafe Array(again.bytes) == page)
        #expect(try Command.run(["report", "\(out)/profile.json", "--out", "\(folder.path)/ids.jsonl"]).exitCode == 1)
        try folder.write("{\"schema\": 1}", to: "wrong.json")
        let wrong = try Command.run(["report", "\(folder.path)/wrong.json"])
        #expect(wrong.exitCode == 1 && wrong.errors.contains("schema"))
        #expect(try Command.run(["report", "\(folder.path)/missing"]).exitCode == 1)
    }

    @Test("hidden states are written as safetensors that open again")
    func hiddenStates() throws {
        let folder = try TemporaryFolder()
        try folder.write("[1, 2, 3]\n[4]\n", to: "ids.jsonl")
        let path = "\(folder.path)/states.safetensors"
        let outcome = try Command.run([
            "hidden-states", Command.fixture("llama-tied"), "--tokens", "\(folder.path)/ids.jsonl", "--logits", "--out",
            path,
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let file = try SafetensorsFile(path)
        #expect(try file.tensor("stream.2").shape == [4, 32])
        #expect(try file.tensor("logits").shape == [4, 64])
    }
}

@Suite("A real model, where Scripts/test could fetch it")
struct RealModelTests {
    private static let model = Command.environment("STRAIGHTEDGE_TEST_MODEL")
    private static let text = Command.environment("STRAIGHTEDGE_TEST_TEXT")

    @Test(
        "SmolLM2's first layers score what numpy finds in Hugging Face's hidden states",
        .enabled(if: model != nil && text != nil, "the model was not fetched"))
    func smolLM2() throws {
        let folder = try TemporaryFolder()
        let outcome = try Command.run([
            "analyze", RealModelTests.model ?? "", "--text", RealModelTests.text ?? "", "--sequences", "2", "--layers",
            "0:3", "--out", "\(folder.path)/out",
        ])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let profile = try JSON.read("\(folder.path)/out/profile.json")
        let golden = try JSON.read(Command.ownFixture("smollm2.json"))
        for view in try #require(profile["views"]?.array) {
            let name = try #require(view["name"]?.string)
            let rows = try #require(view["layers"]?.array)
            let expected = try #require(golden["views"]?[name]?.array)
            #expect(rows.count == expected.count)
            for (row, wanted) in zip(rows, expected) {
                for (figure, value) in try #require(wanted.object).members {
                    let difference = try #require(row[figure]?.number) - (try #require(value.number))
                    // 1,024 tokens for 576 columns: the map follows the hidden states' own float32 rounding closely.
                    #expect(abs(difference) < 2e-6, "\(name), \(figure)")
                }
            }
        }
    }
}

/// Runs the command that was built with these tests.
private enum Command {
    struct Outcome {
        let exitCode: Int32
        let output: String
        let errors: String
    }

    static let rowNames = [
        "layer", "site", "n", "linearity", "linearity_without_residual", "linearity_heldout",
        "linearity_heldout_standard_error", "linearity_without_residual_heldout",
        "linearity_without_residual_heldout_standard_error", "linearity_adjusted",
        "linearity_without_residual_adjusted", "chance_floor", "linearity_if_contribution_unrelated", "rank",
        "rank_cutoff", "condition_number", "orthogonal_procrustes", "contribution_mean", "contribution_to_output_mean",
        "cosine_mean", "angular_distance_mean", "anisotropy", "stream_norm_mean",
    ]

    static func fixture(_ name: String) -> String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
            + "/TransformersTests/Fixtures/\(name)"
    }

    static func ownFixture(_ name: String) -> String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/Fixtures/\(name)"
    }

    static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    static func tokenLines(sequences: Int, length: Int) -> String {
        var state: UInt64 = 1
        return (0..<sequences).map { _ in
            let ids = (0..<length).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return String(state >> 58)
            }
            return "[\(ids.joined(separator: ","))]\n"
        }.joined()
    }

    static func run(_ arguments: [String]) throws -> Outcome {
        let folder = try TemporaryFolder()
        let (output, errors) = ("\(folder.path)/output", "\(folder.path)/errors")
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o600)
        var pointers = unsafe (["straightedge"] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        var child = pid_t()
        let status = unsafe posix_spawn(&child, executablePath(), &actions, nil, &pointers, environ)
        try #require(status == 0, "the command could not be started")
        var ended = Int32(0)
        while unsafe waitpid(child, &ended, 0) < 0 && errno == EINTR {}
        // The low seven bits name the signal that ended it.
        try #require(ended & 0x7F == 0, "the command was ended by signal \(ended & 0x7F)")
        return Outcome(
            exitCode: (ended >> 8) & 0xFF, output: try folder.text("output"), errors: try folder.text("errors"))
    }

    /// Beside the test bundle, which is what runs or an argument of what runs.
    private static func executablePath() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let runner = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let candidates = [runner] + CommandLine.arguments
        for path in candidates {
            let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            if unsafe access("\(folder)/straightedge", X_OK) == 0 { return "\(folder)/straightedge" }
        }
        return "straightedge"
    }
}

/// A folder that goes with the test.
private final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/straightedge-test-XXXXXX".utf8CString)
        let isMade = unsafe mkdtemp(&template) != nil
        try #require(isMade)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func write(_ text: String, to name: String) throws {
        let file = unsafe try #require(unsafe fopen("\(path)/\(name)", "w"))
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    func text(_ name: String) throws -> String {
        let file = unsafe try #require(unsafe fopen("\(path)/\(name)", "r"))
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    var names: [String] { entries("") }

    private func entries(_ folder: String) -> [String] {
        guard let directory = unsafe opendir("\(path)/\(folder)") else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    deinit {
        for name in entries("out") { unsafe unlink("\(path)/out/\(name)") }
        unsafe rmdir("\(path)/out")
        for name in entries("") { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
