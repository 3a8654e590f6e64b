import Checkpoints
import Tensors
import Testing

@Suite struct GGUFTests {
    @Test func fixtureHasTheTensorsThatItsWriterWrote() throws {
        let file = try GGUFFile(Fixtures.path("mini.gguf"))
        let expected = try Fixtures.expectedTensors("gguf")
        #expect(file.version == 3)
        #expect(file.tensorNames == expected.map(\.name))
        for tensor in expected where !tensor.name.hasPrefix("refused") {
            let stored = try file.tensor(tensor.name)
            #expect(stored.shape == tensor.shape)
            #expect(stored.elementType.rawValue == tensor.type)
            #expect(unsafe SHA256.hexadecimal(SHA256.digest(of: stored.bytes)) == tensor.digest)
        }
    }

    @Test func tensorsOfOtherTypesAreRefusedWhenTheyAreAskedFor() throws {
        let file = try GGUFFile(Fixtures.path("mini.gguf"))
        for type in ["IQ4_XS", "I32"] {
            #expect(
                throws: CheckpointError.unsupportedElementType(
                    path: file.file.path, name: "refused.\(type)", type: type)
            ) { try file.tensor("refused.\(type)") }
        }
    }

    @Test func metadataOfEveryTypeIsRead() throws {
        let metadata = try GGUFFile(Fixtures.path("mini.gguf")).metadata
        #expect(metadata.keys.first == "general.architecture")
        let integers = [
            "uint8": 200, "int8": -100, "uint16": 60_000, "int16": -30_000, "uint32": 4_000_000_000,
            "int32": -2_000_000_000, "int64": Int.min,
        ]
        for (type, value) in integers { #expect(try metadata.integer("test.\(type)") == value) }
        #expect(try metadata.number("test.float32") == 0.5)
        #expect(try metadata.number("test.float64") == 1e-300)
        #expect(try metadata.number("test.uint8") == 200)
        #expect(try metadata.bool("test.bool"))
        #expect(try metadata.string("test.string") == "naïve 𝄞")
        #expect(try metadata.integers("test.integers") == [-1, 0, 70_000])
        #expect(try metadata.numbers("test.numbers") == [0.25, -2])
        if case .array(let bools)? = metadata["test.bools"] { #expect(bools.bools == [true, false]) }
        let strings = try metadata.strings("test.strings")
        #expect(strings.map { String(decoding: $0, as: UTF8.self) } == ["a", "", "é", "e\u{301}"])
        #expect(strings[2] == [0xC3, 0xA9])
        #expect(strings[3] == [0x65, 0xCC, 0x81])
    }

    @Test func stringsThatAreNotUTF8AreGivenAsBytes() throws {
        let strings = try GGUFFile(Fixtures.path("mini.gguf")).metadata.strings("test.bytes")
        #expect(strings[0] == [0xFF, 0xFE])
        #expect(strings.string(at: 0) == nil)
        #expect(strings.string(at: 1) == "ok")
    }

    @Test func errorsOfMetadataNameTheKey() throws {
        let metadata = try GGUFFile(Fixtures.path("mini.gguf")).metadata
        let missing = #expect(throws: CheckpointError.self) { try metadata.integer("test.absent") }
        #expect(missing?.description.contains("no key \"test.absent\"") == true)
        let wrong = #expect(throws: CheckpointError.self) { try metadata.integer("test.string") }
        #expect(wrong?.description.contains("\"test.string\": expected an integer") == true)
        #expect(throws: CheckpointError.self) { try metadata.integer("test.uint64") }
        #expect(throws: CheckpointError.self) { try metadata.integers("test.numbers") }
        #expect(throws: CheckpointError.self) { try metadata.strings("test.integers") }
        #expect(try metadata.integerIfPresent("test.absent") == nil)
    }
}
