import Checkpoints
import TestSupport
import Testing

@Suite("straightedge fit")
struct FitTests {
    private let model = Command.fixture("llama-tied")

    private func folder(sequences: Int = 10) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(Command.tokenLines(sequences: sequences, length: 60), to: "ids.jsonl")
        return folder
    }

    private func run(_ folder: TemporaryFolder, _ arguments: String...) throws -> Command.Outcome {
        try Command.run(
            ["fit", model, "--tokens", "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/m.safetensors"] + arguments)
    }

    private func metadata(_ file: SafetensorsFile, _ key: String) throws -> String {
        try #require(file.metadata.first { $0.key == key }).value
    }

    @Test(
        "every layer has a map, and the metadata say what it is",
        arguments: ["least-squares", "ridge", "ridge:3", "low-rank", "low-rank:4", "diagonal", "orthogonal"])
    func kinds(kind: String) throws {
        let folder = try folder()
        let outcome = try run(folder, "--fit", kind)
        #expect(outcome.exitCode == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        #expect(outcome.output.contains("held-out") && outcome.output.contains("600"))
        let file = try SafetensorsFile("\(folder.path)/m.safetensors")
        let width = try file.tensor("layers.0.bias").shape[0]
        #expect(Set(file.tensorNames) == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"])
        #expect(try file.tensor("layers.1.weight").shape == [width, width])
        #expect(try file.tensor("layers.1.weight").elementType == .float32)
        #expect(try metadata(file, "format") == "pt" && metadata(file, "fit") == kind)
        #expect(try metadata(file, "convention").contains("linear.weight = weight.T"))
        let maps = try #require(try JSON.parse(metadata(file, "maps"), source: "maps").array)
        #expect(maps.compactMap { $0["name"]?.string } == ["layers.0", "layers.1"])
        for map in maps {
            #expect(map["kind"]?.string == String(kind.prefix { $0 != ":" }) && map["tokens"]?.integer == 600)
            let (fit, heldOut) = (map["score"]?.number ?? .nan, map["score_heldout"]?.number ?? .nan)
            #expect(fit > 0.1 && fit <= 1 && heldOut < fit && heldOut > -1)
            #expect((map["alpha"]?.number != nil) == kind.hasPrefix("ridge"))
            #expect((map["k"]?.integer != nil) == kind.hasPrefix("low-rank"))
            #expect((map["trials"]?.array?.count ?? 0 > 3) == ["ridge", "low-rank"].contains(kind))
        }
    }

    @Test("blocks, sublayers, float64 and skipped tokens")
    func others() throws {
        let folder = try folder()
        #expect(try run(folder, "--block", "2", "--type", "f64", "--skip-tokens", "2", "--quiet").output.isEmpty)
        let block = try SafetensorsFile("\(folder.path)/m.safetensors")
        #expect(Set(block.tensorNames) == ["layers.0.weight", "layers.0.bias"])
        #expect(try block.tensor("layers.0.weight").elementType == .float64)
        let map = try #require(try JSON.parse(metadata(block, "maps"), source: "maps").array?.first)
        #expect(map["layers"]?.array?.compactMap(\.integer) == [0, 2] && map["tokens"]?.integer == 580)

        let outcome = try run(folder, "--site", "mlp,attention", "--layers", "1", "--force", "--folds", "1")
        #expect(outcome.exitCode == 0 && outcome.output.contains("1 mlp"))
        #expect(outcome.output.contains("Held-out scores are missing: held-out scores need at least 2 folds"))
        let sublayers = try SafetensorsFile("\(folder.path)/m.safetensors")
        #expect(
            Set(sublayers.tensorNames) == [
                "layers.1.attention.weight", "layers.1.attention.bias", "layers.1.mlp.weight", "layers.1.mlp.bias",
            ])
    }

    @Test(
        "what cannot be fitted is refused with 2, named, and leaves no file",
        arguments: [
            (["--layers", "1:3"], "layers 1:3 are not all in the model, whose layers are 0:2"),
            (["--layers", "0", "--block", "2"], "no multiple of --block 2"),
            (["--skip-tokens", "59"], "10 tokens for a least-squares map"),
            (["--fit", "low-rank:5000"], "rank of at most"),
        ])
    func refused(arguments: [String], message: String) throws {
        let folder = try folder()
        let outcome = try Command.run(
            ["fit", model, "--tokens", "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/m.safetensors"] + arguments)
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(folder.names() == ["ids.jsonl"])
    }

    @Test(
        "options that are none are wrong usage",
        arguments: [
            (["--fit", "ridge", "--folds", "1"], "ridge:1000"), (["--folds", "9223372036854775807"], "from 1 to 100"),

            (["--layers", "2:1"], "go backwards"), (["--layers", "0,0"], "overlap"), (["--fit", "lasso"], "known:"),
            (["--fit", "ridge:0"], "above 0"), (["--block", "0"], "--block"),
            (["--block", "2", "--site", "mlp"], "whole layers"), (["--folds", "0"], "--folds"),
        ])
    func usage(arguments: [String], message: String) throws {
        let folder = try folder()
        let outcome = try Command.run(
            ["fit", model, "--tokens", "\(folder.path)/ids.jsonl", "--out", "\(folder.path)/m.safetensors"] + arguments)
        #expect(outcome.exitCode == 64)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }

    @Test("a file that exists is kept without --force; few tokens are warned of")
    func existing() throws {
        let folder = try folder(sequences: 2)
        try folder.write("mine", to: "m.safetensors")
        let kept = try run(folder)
        #expect(kept.exitCode == 1 && kept.errors.contains("--force"))
        #expect(try folder.text("m.safetensors") == "mine")
        let outcome = try run(folder, "--force", "--layers", "1")
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors.contains("warning: layer 1: 120 tokens for a least-squares map of width"))
    }
}
