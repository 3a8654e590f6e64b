import Glibc
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct GGUFWriterTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    private func bytes(_ path: String) throws -> [UInt8] {
        let file = try MappedFile(path)
        return withExtendedLifetime(file) { unsafe Array(file.bytes) }
    }

    private func bytes(_ tensor: StoredTensor) -> [UInt8] { unsafe tensor.withBytes { unsafe Array($0) } }

    private func copy(_ file: GGUFFile) throws -> GGUFWriter {
        var writer = GGUFWriter(metadataOf: file)
        writer.tensors = try file.tensorNames.map { try writer.stored($0) }
        return writer
    }

    @Test func aFileThatIsNotChangedKeepsItsBytes() throws {
        let source = try GGUFFile(Fixtures.path("mini.gguf"))
        try copy(source).write(to: path("copy.gguf"))
        #expect(try bytes(path("copy.gguf")) == Fixtures.bytes("mini.gguf"))
        #expect(folder.names() == ["copy.gguf"])
    }

    @Test("tensors start at multiples of the file's own alignment", arguments: [16, 64, 4096])
    func alignment(_ alignment: UInt32) throws {
        var builder = GGUFBuilder()
        builder.addUInt32("general.alignment", alignment)
        builder.addTensor("a", shape: [3])
        builder.addTensor("b", shape: [2], offset: UInt64(alignment))
        builder.data = [UInt8](1...12) + [UInt8](repeating: 0, count: Int(alignment) - 12) + [UInt8](1...8)
        builder.data += [UInt8](repeating: 0, count: Int(alignment) - 8)
        let bytes = builder.file(alignment: Int(alignment))
        let source = try GGUFFile(folder.write(bytes, to: "source.gguf"))
        try copy(source).write(to: path("copy.gguf"))
        #expect(try self.bytes(path("copy.gguf")) == bytes)
    }

    @Test func integersKeepTheirTypesAndArraysTheirElements() throws {
        let source = try GGUFFile(Fixtures.path("mini.gguf"))
        var writer = GGUFWriter(metadataOf: source)
        for (type, value) in [("uint8", 255), ("int8", -128), ("uint32", 7), ("int64", -3)] {
            try writer.setInteger("test.\(type)", value)
        }
        try writer.keepElements([2, 0], of: "test.integers")
        try writer.keepElements([1], of: "test.bools")
        writer.addIfAbsent("test.new", 2)
        writer.addIfAbsent("test.uint16", 2)
        try writer.write(to: path("new.gguf"))
        let metadata = try GGUFFile(path("new.gguf")).metadata
        #expect(metadata.keys == source.metadata.keys + ["test.new"])
        #expect(try metadata.integer("test.uint8") == 255 && metadata.integer("test.int8") == -128)
        #expect(try metadata.integer("test.uint32") == 7 && metadata.integer("test.int64") == -3)
        #expect(try metadata.integers("test.integers") == [70_000, -1])
        if case .array(let bools)? = metadata["test.bools"] { #expect(bools.bools == [false]) }
        #expect(try metadata.integer("test.new") == 2 && metadata.integer("test.uint16") == 60_000)
        #expect(try metadata.string("test.string") == "naïve 𝄞")
    }

    @Test func whatATypeCannotHoldIsRefused() throws {
        var writer = GGUFWriter(metadataOf: try GGUFFile(Fixtures.path("mini.gguf")))
        for (key, value) in [
            ("test.uint8", 256), ("test.uint8", -1), ("test.int8", 128), ("test.int8", -129), ("test.uint32", 1 << 32),
            ("test.string", 1), ("test.absent", 1),
        ] {
            let error = #expect(throws: CheckpointError.self) { try writer.setInteger(key, value) }
            #expect(error?.description.contains("\"\(key)\"") == true)
        }
        #expect(throws: CheckpointError.self) { try writer.keepElements([3], of: "test.integers") }
        #expect(throws: CheckpointError.self) { try writer.keepElements([0], of: "test.strings") }
        #expect(throws: CheckpointError.self) { try writer.stored("absent") }
    }

    @Test func newTensorsAreRounded() throws {
        let values = (0..<64).map { Float($0 - 20) * 1.003 }
        var writer = GGUFWriter(metadataOf: try GGUFFile(Fixtures.path("mini.gguf")))
        for type in ElementType.writable {
            writer.tensors.append(GGUFWriter.values(type.rawValue, values, shape: [2, 32], type))
        }
        try writer.write(to: path("new.gguf"))
        let file = try GGUFFile(path("new.gguf"))
        for type in ElementType.writable {
            let tensor = try file.tensor(type.rawValue)
            #expect(tensor.elementType == type && tensor.shape == [2, 32])
            #expect(bytes(tensor) == type.encoded(values.span))
        }
    }

    /// `Fixtures/make_fixtures.py` has the blocks of the gguf package, whose rounding is that of ggml.
    @Test func eightBitBlocksAreThoseOfTheReference() throws {
        let file = try SafetensorsFile(Fixtures.path("eight-bit-blocks.safetensors"))
        let tensor = try file.tensor("values")
        let values = unsafe tensor.withBytes { unsafe Array($0.bindMemory(to: Float.self)) }
        let blocks = try unsafe file.tensor("blocks").withBytes { bytes in
            unsafe bytes.bindMemory(to: Float.self).map { UInt8($0) }
        }
        #expect(values.count > 1000)
        #expect(ElementType.q8_0.encoded(values.span) == blocks)
    }

    @Test func nothingIsLeftOfWhatCannotBeWritten() throws {
        let writer = try copy(GGUFFile(Fixtures.path("mini.gguf")))
        try folder.write("taken", to: "taken.gguf")
        let error = #expect(throws: OutputError.self) { try writer.write(to: path("taken.gguf")) }
        #expect(error?.description.contains("exists already") == true)
        #expect(try folder.text("taken.gguf") == "taken")
        #expect(throws: OutputError.self) { try writer.write(to: path("absent/new.gguf")) }
        do {
            let rehearsal = try writer.rehearse(beside: path("new.gguf"))
            #expect(folder.names().count == 2 && rehearsal.temporaryPath.hasPrefix(path("new.gguf.")))
        }
        #expect(folder.names() == ["taken.gguf"])
    }

    @Test func aPlaceThatIsTakenMeanwhileIsLeft() throws {
        do {
            let file = try WholeFile(path: path("new.gguf"), replaces: false)
            try folder.write("theirs", to: "new.gguf")
            #expect(throws: OutputError.self) { try file.finish() }
        }
        #expect(try folder.text("new.gguf") == "theirs" && folder.names() == ["new.gguf"])
    }

    @Test func aDiskThatBecomesFullIsNamedAndNothingIsLeft() async {
        // Files of this process may have 1024 bytes, and it is told so by an error, not by a signal.
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let source = try GGUFFile(Fixtures.path("mini.gguf"))
            var writer = GGUFWriter(metadataOf: source)
            writer.tensors = try source.tensorNames.map { try writer.stored($0) }
            var limit = rlimit(rlim_cur: 1024, rlim_max: 1024)
            guard unsafe setrlimit(__rlimit_resource_t(1), &limit) == 0 else { exit(1) }
            let place = try TemporaryFolder()
            var message = "nothing failed"
            do { try writer.write(to: "\(place.path)/new.gguf") } catch { message = "\(error)" }
            guard message.contains("\(place.path)/new.gguf could not be written: "),
                message.contains("free some space"),
                place.names() == []
            else {
                print(message, place.names())
                exit(2)
            }
        }
    }

    @Test func aRehearsalHasAllButLargeTensors() throws {
        let source = try GGUFFile(Fixtures.path("mini.gguf"))
        var writer = try copy(source)
        writer.tensors.insert(
            GGUFWriter.values("large", [Float](repeating: 1, count: 1 << 19), shape: [1 << 19], .float32), at: 0)
        let rehearsal = try writer.rehearse(beside: path("new.gguf"))
        let file = try GGUFFile(rehearsal.temporaryPath)
        #expect(file.tensorNames == ["large"] + source.tensorNames)
        #expect(try bytes(file.tensor("large")).allSatisfy { $0 == 0 })
        #expect(try bytes(file.tensor("weight.F32")) == bytes(source.tensor("weight.F32")))
        try writer.write(to: path("new.gguf"))
        let large = try GGUFFile(path("new.gguf")).tensor("large")
        #expect(bytes(large).suffix(4) == [0, 0, 0x80, 0x3F])
    }
}
