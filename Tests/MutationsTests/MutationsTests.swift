import Glibc
import TestSupport
import Testing

@testable import mutations

/// A short run of `mutations`, the same each time; `Scripts/mutate` runs as long as one likes.
@Suite("Damaged and hostile files are read or refused")
struct MutationsTests {
    @Test(
        "no case crashes, hangs, or takes memory that its files do not justify", arguments: InputFormats.names)
    func everyFormat(format: String) throws {
        let outcome = try Program.run(["--format", format, "--count", "400", "--seed", "1", "--quiet"])
        #expect(outcome.exitCode == 0, "\(outcome.output)")
        #expect(outcome.output.hasPrefix("\(format): 400 cases from seed 1 "), "\(outcome.output)")
        #expect(outcome.output.contains(", 0 findings;"), "\(outcome.output)")
    }

    @Test("ids of a text that a normalizer makes fourteen times as long are decoded in memory by their number")
    func longNormalizedText() throws {
        let outcome = try Program.run(["--format", "tokenizer", "--seed", "738688", "--count", "1", "--quiet"])
        #expect(outcome.exitCode == 0, "\(outcome.output)")
    }

    @Test("a GPU that fails in any call gives an error and its memory back", .needsEmulation)
    func failures() throws {
        let model =
            #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
            + "/TransformersTests/Fixtures/llama-tied"
        let outcome = try Program.run(["failures", model, "--every", "17"])
        #expect(outcome.exitCode == 0, "\(outcome.output)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.last == "0 findings", "\(outcome.output)")
        let counts = lines.dropLast().compactMap { Int($0.split(separator: " ")[1]) }
        #expect(counts.count == 5 && counts.allSatisfy { $0 > 0 }, "\(outcome.output)")
    }

    @Test("a crash, an abort, a hang, memory beyond the bound and a message that steers a terminal are findings")
    func findings() throws {
        let outcome = try Program.run(["--format", "self-test", "--count", "6", "--case-limit", "2", "--quiet"])
        #expect(outcome.exitCode == 1)
        for what in [
            "self-test: 6 cases", " 5 findings", "seed 1: is killed: Illegal instruction", "seed 2: is killed: Aborted",
            "seed 3: hangs", "seed 4: is killed", "failed to allocate",
            "seed 5: a message with the control character U+1b",
        ] {
            #expect(outcome.output.contains(what), "\(what) is not in: \(outcome.output)")
        }
    }

    @Test("pairs of matrices come in every type, byte order, order and version, and are compared")
    func matrices() throws {
        var text = ""
        for seed in UInt64(0)..<200 {
            var random = RandomSource(seed: seed)
            let files = NumPyFormat().base(&random)
            for name in files.names { text += name + String(decoding: files[name]?.prefix(160) ?? [], as: UTF8.self) }
        }
        for type in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<V2", "\"F16\"", "\"F32\"", "\"F64\"", "\"BF16\""] {
            #expect(text.contains(type), "\(type)")
        }
        for part in ["True", "False", "NUMPY\u{1}\0", "NUMPY\u{2}\0", "NUMPY\u{3}\0", "x.safetensors", "y.safetensors"]
        {
            #expect(text.contains(part), "\(part)")
        }
        // A third and more of the mutations are pairs still, so that more than headers is tried.
        let outcome = try Program.run(["--format", "npy", "--count", "400", "--seed", "1", "--quiet"])
        let words = outcome.output.split(separator: " ")
        let place = try #require(words.firstIndex(of: "read"))
        #expect(Int(words[place - 1]) ?? 0 > 100, "\(outcome.output)")
    }

    @Test("a seed makes the same files each time, and other seeds make others", arguments: InputFormats.all.indices)
    func seeds(format: Int) {
        let format = InputFormats.all[format]
        let cases = (UInt64(0)..<200).map { seed in
            let files = (0..<2).map { _ in
                var random = RandomSource(seed: seed)
                let files = format.mutated(&random)
                return files.names.map { [UInt8]($0.utf8) + (files[$0] ?? []) }
            }
            #expect(files[0] == files[1], "seed \(seed)")
            return files[0]
        }
        #expect(Set(cases).count > 150)
    }
}

/// The built program.
private enum Program {
    struct Outcome {
        let exitCode: Int32
        let output: String
    }

    /// Runs it; what it keeps goes with the run.
    static func run(_ arguments: [String]) throws -> Outcome {
        let folder = try Disk.makeTemporaryFolder()
        defer { Disk.remove(folder) }
        let output = "\(folder)/output"
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let keeping = arguments.first == "failures" ? [] : ["--keep", "\(folder)/findings"]
        let words = ["mutations"] + arguments + keeping
        var pointers = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        var child = pid_t()
        let status = unsafe posix_spawn(&child, executablePath(), &actions, nil, &pointers, environ)
        try #require(status == 0, "the program could not be started")
        var ended = Int32(0)
        while unsafe waitpid(child, &ended, 0) < 0 && errno == EINTR {}
        try #require(ended & 0x7F == 0, "the program was ended by signal \(ended & 0x7F)")
        return Outcome(exitCode: (ended >> 8) & 0xFF, output: String(decoding: Disk.read(output), as: UTF8.self))
    }

    /// Beside the test bundle, which is what runs or an argument of what runs.
    private static func executablePath() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let runner = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for path in [runner] + CommandLine.arguments {
            let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            if unsafe access("\(folder)/mutations", X_OK) == 0 { return "\(folder)/mutations" }
        }
        return "mutations"
    }
}
