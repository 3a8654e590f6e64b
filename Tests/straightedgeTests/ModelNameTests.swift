import Checkpoints
import Glibc
import TestSupport
import Testing

@Suite("A model is named as people name it")
struct ModelNameTests {
    private static let commit = "0123456789abcdef0123456789abcdef01234567"
    private let folder: TemporaryFolder
    private let environment: [String: String]

    /// A cache with the archive of the model whose safetensors are in llama-tied.
    init() throws {
        folder = try TemporaryFolder()
        environment = ["HF_HUB_CACHE": "\(folder.path)/hub"]
        let model = "hub/models--maker--tiny"
        try folder.write(Self.commit, to: "\(model)/refs/main")
        let snapshot = "\(model)/snapshots/\(Self.commit)"
        try folder.write("", to: "\(snapshot)/.keep")
        for name in ["config.json", "pytorch_model.bin"] {
            unsafe symlink(Command.ownFixture("llama-archive/\(name)"), "\(folder.path)/\(snapshot)/\(name)")
        }
        try folder.write(Command.tokenLines(sequences: 12, length: 50), to: "ids.jsonl")
    }

    @Test("an archive of PyTorch gives the bits that safetensors give, whether named by path or by name")
    func sameBits() throws {
        var files: [[UInt8]] = []
        let archive = Command.ownFixture("llama-archive")
        for model in [Command.fixture("llama-tied"), archive, "\(archive)/pytorch_model.bin", "maker/tiny"] {
            let path = "\(folder.path)/states.safetensors"
            let outcome = try Command.run(
                ["hidden-states", model, "--tokens", "\(folder.path)/ids.jsonl", "--logits", "--force", "--out", path],
                environment: environment)
            #expect(outcome.exitCode == 0, "\(outcome.errors)")
            let file = try MappedFile(path)
            files.append(withExtendedLifetime(file) { unsafe Array(file.bytes) })
        }
        for file in files.dropFirst() { #expect(file == files[0]) }
    }

    @Test("inspect and the profile say which model and which revision it was")
    func records() throws {
        let shown = try Command.run(["inspect", "maker/tiny@0123"], environment: environment)
        #expect(shown.exitCode == 0, "\(shown.errors)")
        for part in ["tiny", "\(Self.commit) of maker/tiny", "1 PyTorch archive,", "F16", "head tied"] {
            #expect(shown.output.contains(part), "\(shown.output)")
        }
        let outcome = try Command.run(
            ["analyze", "maker/tiny@main", "--tokens", "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/out"],
            environment: environment)
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let model = try JSON.read("\(folder.path)/out/profile.json")["model"]
        #expect(model?["name"]?.string == "maker/tiny@main")
        #expect(model?["repository"]?.string == "maker/tiny")
        #expect(model?["revision"]?.string == Self.commit)
        #expect(model?["path"]?.string == "\(folder.path)/hub/models--maker--tiny/snapshots/\(Self.commit)")
        // The same content elsewhere is the same model.
        let fingerprint = try Checkpoint.open(Command.ownFixture("llama-archive")).fingerprint()
        #expect(model?["fingerprint"]?.string == fingerprint)
    }

    @Test(
        "a model that is not there gives the command that fetches it, from every subcommand",
        arguments: ["inspect", "tokenize", "analyze", "hidden-states"])
    func absent(subcommand: String) throws {
        let options =
            ["analyze", "hidden-states"].contains(subcommand)
            ? ["--tokens", "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/out"] : []
        let outcome = try Command.run([subcommand, "maker/other@v2"] + options, environment: environment)
        #expect(outcome.exitCode == 1)
        for part in ["hf download maker/other --revision v2", "\(folder.path)/hub/models--maker--other"] {
            #expect(outcome.errors.contains(part), "\(outcome.errors)")
        }
    }
}
