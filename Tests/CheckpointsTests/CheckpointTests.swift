import Checkpoints
import Glibc
import Tensors
import TestSupport
import Testing

@Suite struct CheckpointTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Checks that the path is refused with a message that names it and has `parts` in it.
    private func expectRefusal(_ path: String, _ parts: String..., location: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) { try Checkpoint.open(path) }
        let message = error?.description ?? ""
        for part in parts + [path] {
            #expect(message.contains(part), "\(message)", sourceLocation: location)
        }
    }

    // MARK: What opens

    @Test func ggufFileOpens() throws {
        let checkpoint = try Checkpoint.open(Fixtures.path("mini.gguf"))
        guard case .gguf = checkpoint.format else {
            Issue.record("expected a GGUF file")
            return
        }
        #expect(checkpoint.name == "mini")
        #expect(checkpoint.byteCount == (try Fixtures.bytes("mini.gguf").count))
        #expect(checkpoint.tensorNames.count == 19)
        #expect(checkpoint.contains("weight.F32"))
        #expect(!checkpoint.contains("weight"))
    }

    @Test(arguments: ["single", "sharded"]) func folderOpens(name: String) throws {
        let checkpoint = try Checkpoint.open(Fixtures.path(name) + "/")
        guard case .huggingFace(let folder) = checkpoint.format else {
            Issue.record("expected a folder")
            return
        }
        #expect(checkpoint.name == name)
        #expect(folder.config["hidden_size"] == 3)
        #expect((folder.tokenizerPath != nil) == (name == "single"))
        #expect((folder.tokenizerConfig?["model_max_length"]?.number == 1e30) == (name == "single"))
        for tensor in try Fixtures.expectedTensors("folders") where tensor.type != "I64" {
            let stored = try checkpoint.tensor(tensor.name, shape: tensor.shape)
            #expect(unsafe SHA256.hexadecimal(SHA256.digest(of: stored.bytes)) == tensor.digest)
        }
        #expect(checkpoint.parameterCount == 12 + 3 + 15 + 2 + 6)
        let counts = checkpoint.elementTypeCounts
        #expect(counts.map(\.name) == ["BF16", "F32", "I64", "F16", "F64"])
        #expect(counts.map(\.parameterCount) == [15, 12, 6, 3, 2])
        #expect(counts.map(\.elementType) == [.bfloat16, .float32, nil, .float16, .float64])
    }

    @Test func fingerprintsAreThoseOfTheirDefinition() throws {
        let expected = try Fixtures.expected()
        let gguf = try Checkpoint.open(Fixtures.path("mini.gguf"))
        #expect(gguf.fingerprint() == expected["gguf"]?["fingerprint"]?.string)
        for name in ["single", "sharded"] {
            let checkpoint = try Checkpoint.open(Fixtures.path(name))
            #expect(checkpoint.fingerprint() == expected["folders"]?["\(name)_fingerprint"]?.string)
        }
    }

    @Test func aSnapshotOfTheCacheIsNamedAfterItsModel() throws {
        let snapshot = "models--maker--some-model--v2/snapshots/0123abcd"
        for name in ["config.json", "model.safetensors"] {
            try folder.write(Fixtures.bytes("single/\(name)"), to: "\(snapshot)/\(name)")
        }
        #expect(try Checkpoint.open("\(folder.path)/\(snapshot)").name == "some-model--v2")
        #expect(try Checkpoint.open("\(folder.path)/\(snapshot)/.").name == "0123abcd")
    }

    // MARK: Tensors that are asked for

    @Test func absentTensorsAreReportedWithNearNames() throws {
        let path = Fixtures.path("single")
        let checkpoint = try Checkpoint.open(path)
        let error = #expect(throws: CheckpointError.self) { try checkpoint.tensor("model.embd.weight") }
        guard case .tensorMissing(path, "model.embd.weight", let nearest)? = error else {
            Issue.record("expected tensorMissing")
            return
        }
        #expect(nearest.first == "model.embed.weight")
    }

    @Test func wrongShapesAreReportedWithBothShapes() throws {
        let checkpoint = try Checkpoint.open(Fixtures.path("single"))
        let error = #expect(throws: CheckpointError.self) {
            try checkpoint.tensor("model.embed.weight", shape: [3, 4])
        }
        #expect(error?.description.contains("expected the shape [3, 4], found [4, 3]") == true)
    }

    // MARK: What does not open

    @Test func missingEmptyAndSpecialFilesAreRefused() throws {
        expectRefusal("\(folder.path)/absent.gguf", "no such file")
        expectRefusal("/dev/null", "a device")
        expectRefusal(try folder.write([], to: "empty.gguf"), "empty")
        let pipe = "\(folder.path)/pipe"
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        expectRefusal(pipe, "a pipe")
        let loop = "\(folder.path)/loop"
        #expect(unsafe symlink(loop, loop) == 0)
        expectRefusal(loop, "cannot be read")
        #expect(throws: CheckpointError.isFolder(path: folder.path)) { try MappedFile(folder.path) }
    }

    @Test func unreadableFilesAreRefused() throws {
        let path = try folder.write("GGUF", to: "secret.gguf")
        #expect(unsafe chmod(path, 0) == 0)
        // The superuser reads it all the same, and finds it truncated.
        expectRefusal(path, geteuid() == 0 ? "truncated" : "permission")
    }

    private static let otherFormats: [(bytes: [UInt8], looksLike: String)] = [
        (Array("Call me Ishmael.\n".utf8), "a text file"),
        ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "a PNG image"),
        ([0x80, 0x02, 0x8A], "a Python pickle"), (Array("{\"a\": 1}".utf8), "a JSON file"),
        (Array("<!DOCTYPE html>".utf8), "a web page"),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], "binary data that begins with 00 01 02"),
        ([2, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8), "a safetensors file"), ([0], "binary data"),
    ]

    @Test(arguments: otherFormats) func otherFormatsAreRefusedByName(bytes: [UInt8], looksLike: String) throws {
        expectRefusal(try folder.write(bytes, to: "model"), looksLike, "expected a GGUF file")
    }

    @Test func incompleteFoldersAreRefusedWithWhatTheyLack() throws {
        expectRefusal(folder.path, "no config.json")
        try folder.write("GGUF", to: "model.gguf")
        expectRefusal(folder.path, "no config.json", "name that file")
        try folder.write("{}", to: "only/config.json")
        expectRefusal("\(folder.path)/only", "no model.safetensors")
        try folder.write("PK", to: "only/weights.bin")
        expectRefusal("\(folder.path)/only", "It has weights.bin")
        try folder.write("PK", to: "only/pytorch_model.bin")
        expectRefusal("\(folder.path)/only/pytorch_model.bin", "a text file", "PyTorch archives")
    }

    @Test func damagedConfigurationsAreRefused() throws {
        try folder.write(Fixtures.bytes("single/model.safetensors"), to: "model.safetensors")
        for (config, part) in [("{\"a\": }", "byte 6"), ("[]", "expected an object"), (" ", "the text ends here")] {
            try folder.write(config, to: "config.json")
            expectRefusal(folder.path, "config.json", part)
        }
    }

    // MARK: Shards

    private func writeSharded(_ index: JSON) throws {
        for name in ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
            try folder.write(Fixtures.bytes("sharded/\(name)"), to: name)
        }
        try folder.write(index.serialized(indented: true), to: "model.safetensors.index.json")
    }

    @Test func aMissingShardIsNamed() throws {
        try writeSharded(["weight_map": ["a": "model-00003-of-00003.safetensors"]])
        expectRefusal(folder.path, "the shard \"model-00003-of-00003.safetensors\"", "\"a\"")
    }

    @Test func aTensorThatItsShardLacksIsNamed() throws {
        try writeSharded(["weight_map": ["a": "model-00001-of-00002.safetensors"]])
        expectRefusal(folder.path, "\"a\" is not in the shard \"model-00001-of-00002.safetensors\"")
    }

    @Test(arguments: [
        "../x.safetensors", "/etc/x.safetensors", "a/x.safetensors", "..", "", "config.json", "x.safetensors\u{0}",
        "\u{1B}[2J.safetensors", String(repeating: "x", count: 100_000) + ".safetensors",
    ])
    func shardsOutsideTheFolderAreRefused(name: String) throws {
        try writeSharded(["weight_map": ["a": .string(name)]])
        expectRefusal(folder.path, "not the plain name")
        let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(folder.path) }
        let message = error?.description ?? ""
        #expect(message.utf8.count < 1_000 && !message.contains("\u{1B}"))
    }

    @Test func indicesWithoutAMapAreRefused() throws {
        for index in [[:], ["weight_map": []], ["weight_map": [:]], ["weight_map": ["a": 1]]] as [JSON] {
            try writeSharded(index)
            expectRefusal(folder.path, "weight_map")
        }
    }
}
