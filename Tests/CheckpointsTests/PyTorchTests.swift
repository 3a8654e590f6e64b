import Checkpoints
import Glibc
import Tensors
import TestSupport
import Testing

@Suite("Archives of PyTorch are read as safetensors are")
struct PyTorchTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static func path(_ name: String) -> String { Fixtures.path("archives/\(name)") }

    private static func expected(_ key: String) throws -> [Fixtures.Tensor] {
        let tensors = try JSON.read(path("expected.json"))[key]?.array ?? []
        return tensors.map { tensor in
            Fixtures.Tensor(
                name: tensor["name"]?.string ?? "", shape: tensor["shape"]?.array?.compactMap(\.integer) ?? [],
                type: tensor["type"]?.string ?? "", digest: tensor["sha256"]?.string ?? "")
        }
    }

    private static func digest(_ tensor: StoredTensor) -> String {
        unsafe tensor.withBytes { unsafe SHA256.hexadecimal(SHA256.digest(of: $0)) }
    }

    private static let readTypes: Set = ["F64", "F32", "F16", "BF16"]

    // MARK: What opens

    @Test(
        "every tensor that is read has the elements that PyTorch has, in one archive or in shards",
        arguments: ["whole", "sharded"])
    func tensors(name: String) throws {
        let checkpoint = try Checkpoint.open(Self.path(name))
        let expected = try Self.expected("whole")
        #expect(checkpoint.tensorNames.sorted() == expected.map(\.name).sorted())
        #expect(checkpoint.weightFiles.count == (name == "whole" ? 1 : 2))
        for tensor in expected where Self.readTypes.contains(tensor.type) && tensor.name != "expanded" {
            try checkpoint.requireTensor(tensor.name, shape: tensor.shape)
            let stored = try checkpoint.tensor(tensor.name, shape: tensor.shape)
            #expect(stored.elementType.rawValue == tensor.type)
            #expect(Self.digest(stored) == tensor.digest, "\(tensor.name)")
        }
        guard case .huggingFace(let folder) = checkpoint.format else { return #expect(Bool(false)) }
        #expect(folder.weightFormat == .pyTorch)
        let fingerprint = try JSON.read(Self.path("expected.json"))["fingerprints"]?[name]?.string
        #expect(checkpoint.fingerprint() == fingerprint)
    }

    @Test("the same checkpoint as safetensors and as an archive has the same bits")
    func sameBits() throws {
        let archive = try Checkpoint.open(Self.path("whole"))
        let safetensors = try Checkpoint.open(Self.path("safetensors"))
        let names = safetensors.tensorNames.filter { safetensors.elementType(of: $0) != nil }
        #expect(names.count == 14)
        for name in names {
            let (left, right) = (try archive.tensor(name), try safetensors.tensor(name))
            #expect(left.shape == right.shape && left.elementType == right.elementType)
            #expect(Self.digest(left) == Self.digest(right), "\(name)")
        }
        let integers = archive.elementTypeCounts.filter { $0.elementType == nil }
        #expect(integers.map(\.name).sorted() == ["BOOL", "F8_E4M3", "I64", "U16", "U8"])
    }

    @Test("integers and views that repeat elements are listed, and refused when they are asked for")
    func refusedWhenAsked() throws {
        let checkpoint = try Checkpoint.open(Self.path("whole"))
        let path = Self.path("whole/pytorch_model.bin")
        for (name, type) in [("positions", "I64"), ("mask", "BOOL"), ("short", "U16"), ("eighths", "F8_E4M3")] {
            #expect(throws: CheckpointError.unsupportedElementType(path: path, name: name, type: type)) {
                try checkpoint.tensor(name)
            }
        }
        #expect(throws: CheckpointError.expandedTensor(path: path, name: "expanded", shape: [50, 3])) {
            try checkpoint.tensor("expanded")
        }
        #expect(throws: CheckpointError.expandedTensor(path: path, name: "expanded", shape: [50, 3])) {
            try checkpoint.requireTensor("expanded", shape: [50, 3])
        }
    }

    @Test(
        "a state dict is found beside other members, of every protocol, and packed by other programs",
        arguments: [
            "state_dict", "model", "deep", "other_key", "protocol3", "protocol4", "protocol5", "no_checksums",
            "deflated", "zip64",
        ])
    func stateDictionaries(name: String) throws {
        let file = try PyTorchFile(Self.path("\(name).pt"))
        let expected = try Self.expected("linear")
        #expect(file.tensorNames == ["weight", "bias"])
        for tensor in expected { #expect(Self.digest(try file.tensor(tensor.name)) == tensor.digest) }
    }

    @Test("an archive named directly, and the only one beside config.json, are opened; safetensors come first")
    func places() throws {
        try folder.write("{}", to: "config.json")
        let path = try folder.write(Fixtures.bytes("archives/model.pt"), to: "last.pth")
        try folder.write(Fixtures.bytes("archives/legacy.pt"), to: "optimizer.pt")
        for opened in [path, folder.path] {
            let checkpoint = try Checkpoint.open(opened)
            #expect(checkpoint.tensorNames == ["weight", "bias"])
            #expect(checkpoint.configurationPath == "\(folder.path)/config.json")
        }
        #expect(try Checkpoint.open(path).name == "last")
        try folder.write(Fixtures.bytes("archives/model.pt"), to: "first.pt")
        #expect(throws: CheckpointError.weightsChoice(path: folder.path, names: ["first.pt", "last.pth"])) {
            try Checkpoint.open(folder.path)
        }
        try folder.write(Fixtures.bytes("archives/whole/pytorch_model.bin"), to: "pytorch_model.bin")
        #expect(try Checkpoint.open(folder.path).contains("brain"))
        try folder.write(Fixtures.bytes("single/model.safetensors"), to: "model.safetensors")
        #expect(try Checkpoint.open(folder.path).contains("model.embed.weight"))
    }

    // MARK: What does not

    private func expectRefusal(_ path: String, _ parts: String..., location: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) { try PyTorchFile(path) }
        let message = error?.description ?? ""
        for part in parts + [path] {
            #expect(message.contains(part), "\(message)", sourceLocation: location)
        }
        #expect(message.utf8.count < 1_000, sourceLocation: location)
    }

    @Test("what is no archive of a state dict is refused with what it is, and what to do")
    func otherFiles() {
        expectRefusal(Self.path("legacy.pt"), "before 1.6", "weights_only=True")
        expectRefusal(Self.path("script.pt"), "TorchScript", "state_dict()")
        expectRefusal(Self.path("module.pt"), "torch.nn.modules.linear.Linear", "not executed", "model.state_dict()")
        expectRefusal(Self.path("numpy.pt"), "numpy", "not executed")
        expectRefusal(Self.path("several.pt"), "several", "\"ema\"", "\"student\"", "[KEY]")
        expectRefusal(Self.path("none.pt"), "no state dict", "\"losses\"")
        expectRefusal(Self.path("list.pt"), "no dictionary")
        expectRefusal(Self.path("bzip2.pt"), "compressed by method 12")
        expectRefusal(Self.path("big.pt"), "big-endian")
        expectRefusal(Self.path("bomb.pt"), "32 times")
        expectRefusal(Fixtures.path("single/model.safetensors"), "a safetensors file")
        let legacy = #expect(throws: CheckpointError.self) { try Checkpoint.open(Self.path("legacy.pt")) }
        #expect(legacy?.description.contains("config.json") == true)
    }

    @Test("every truncation is refused")
    func truncations() throws {
        for name in ["protocol4.pt", "deflated.pt"] {
            let bytes = try Fixtures.bytes("archives/\(name)")
            for length in 1..<bytes.count {
                let path = try folder.write(Array(bytes.prefix(length)), to: "short.pt")
                #expect(throws: CheckpointError.self, "\(length) bytes of \(name)") { try PyTorchFile(path) }
            }
        }
    }

    @Test("no changed byte of a storage goes unseen, and none of another storage matters")
    func checksums() throws {
        for name in ["protocol4.pt", "deflated.pt"] {
            let bytes = try Fixtures.bytes("archives/\(name)")
            let digests = try Self.expected("linear").map(\.digest)
            var damaged = 0
            for place in bytes.indices {
                var copy = bytes
                copy[place] ^= 1 << UInt8(place % 8)
                let path = try folder.write(copy, to: "damaged.pt")
                guard let file = try? PyTorchFile(path) else { continue }
                for (tensor, digest) in zip(["weight", "bias"], digests) where file.tensorNames.contains(tensor) {
                    do {
                        #expect(Self.digest(try file.tensor(tensor)) == digest, "byte \(place) of \(name)")
                    } catch { damaged += 1 }
                }
            }
            #expect(damaged > 20)
        }
    }

    @Test("shards that are missing, and tensors that are in none, are named")
    func shards() throws {
        let index = "pytorch_model.bin.index.json"
        let shard = "pytorch_model-00001-of-00002.bin"
        for name in ["config.json", index, shard] {
            try folder.write(Fixtures.bytes("archives/sharded/\(name)"), to: name)
        }
        let path = "\(folder.path)/\(index)"
        #expect(
            throws: CheckpointError.shardMissing(
                path: path, shard: "pytorch_model-00002-of-00002.bin", tensor: "head.weight")
        ) { try Checkpoint.open(folder.path) }
        try folder.write("{\"weight_map\": {\"absent\": \"\(shard)\"}}", to: index)
        #expect(throws: CheckpointError.shardLacksTensor(path: path, shard: shard, tensor: "absent")) {
            try Checkpoint.open(folder.path)
        }
        try folder.write("{\"weight_map\": {\"absent\": \"../\(shard)\"}}", to: index)
        #expect(throws: CheckpointError.unsafeShardName(path: path, shard: "../\(shard)")) {
            try Checkpoint.open(folder.path)
        }
    }

    @Test("pointers of Git LFS are known wherever a file is read, with the command that fetches them")
    func pointers() throws {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
        func expectPointer(_ opened: String, _ file: String, location: SourceLocation = #_sourceLocation) {
            let error = #expect(throws: CheckpointError.self, sourceLocation: location) { try Checkpoint.open(opened) }
            #expect(error == .gitLFSPointer(path: file), sourceLocation: location)
            #expect(error?.description.contains("git lfs pull") == true, sourceLocation: location)
        }
        let file = try folder.write(pointer, to: "model.gguf")
        expectPointer(file, file)
        for name in ["pytorch_model.bin", "model.safetensors"] {
            try folder.write("{}", to: "a/config.json")
            expectPointer("\(folder.path)/a", try folder.write(pointer, to: "a/\(name)"))
        }
        expectPointer("\(folder.path)/a", try folder.write(pointer, to: "a/config.json"))
    }
}
