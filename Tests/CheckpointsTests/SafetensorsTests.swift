import Checkpoints
import TestSupport
import Testing

@Suite struct SafetensorsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try SafetensorsFile(folder.write(bytes, to: "model.safetensors"))
    }

    private func file(_ header: String, byteCount: Int = 32) -> [UInt8] {
        GGUFBuilder.bytes(UInt64(header.utf8.count)) + Array(header.utf8) + [UInt8](repeating: 1, count: byteCount)
    }

    private func tensor(_ name: String, _ type: String, _ shape: String, _ offsets: String) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    private func expectRefusal(_ header: String, _ part: String, location: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) { try open(file(header)) }
        let message = error?.description ?? ""
        #expect(
            message.contains(part) && message.contains("model.safetensors"), "\(message)", sourceLocation: location)
    }

    @Test func fixtureHasTheTensorsThatItsWriterWrote() throws {
        let file = try SafetensorsFile(Fixtures.path("single/model.safetensors"))
        let expected = try Fixtures.expectedTensors("folders")
        #expect(file.tensorNames.sorted() == expected.map(\.name).sorted())
        #expect(file.metadata.map(\.key) == ["format"])
        for tensor in expected where tensor.type != "I64" {
            let stored = try file.tensor(tensor.name)
            #expect(stored.shape == tensor.shape)
            #expect(stored.elementType.rawValue == tensor.type)
            #expect(unsafe SHA256.hexadecimal(SHA256.digest(of: stored.bytes)) == tensor.digest)
        }
        #expect(
            throws: CheckpointError.unsupportedElementType(
                path: file.file.path, name: "model.positions", type: "I64")
        ) { try file.tensor("model.positions") }
    }

    @Test func everyTruncationIsRefused() throws {
        let bytes = try Fixtures.bytes("single/model.safetensors")
        for length in 0..<bytes.count {
            #expect(throws: CheckpointError.self, "\(length) bytes") { try open(Array(bytes.prefix(length))) }
        }
    }

    @Test func headersBeyondTheFileAreRefused() {
        for length in [11, 1 << 31, 1 << 62, 1 << 63, .max] as [UInt64] {
            #expect(throws: CheckpointError.self) { try open(GGUFBuilder.bytes(length) + Array("{}        ".utf8)) }
        }
    }

    @Test func headersThatContradictTheFormatAreRefused() {
        expectRefusal("[]", "not an object")
        expectRefusal("{\"a\":1}", "tensor \"a\", dtype: expected a string")
        expectRefusal("{\"__metadata__\":{\"a\":1}}", "expected a string")
        expectRefusal("{\"__metadata__\":[]}", "expected an object of strings")
        expectRefusal("{" + tensor("a", "F32", "[-1]", "[0,4]") + "}", "lengths of 0 or more")
        expectRefusal("{" + tensor("a", "F32", "[1.5]", "[0,4]") + "}", "lengths of 0 or more")
        expectRefusal("{" + tensor("a", "F32", "[18446744073709551616]", "[0,4]") + "}", "lengths of 0 or more")
        expectRefusal("{" + tensor("a", "F32", "[1]", "[0]") + "}", "has the offsets")
        expectRefusal("{" + tensor("a", "F32", "[1]", "[4,0]") + "}", "has the offsets")
        expectRefusal("{" + tensor("a", "F32", "[9]", "[0,36]") + "}", "has the offsets")
        expectRefusal("{" + tensor("a", "F32", "[1]", "[0,9223372036854775807]") + "}", "has the offsets")
        expectRefusal("{" + tensor("a", "F32", "[2]", "[0,4]") + "}", "takes 4 bytes")
        expectRefusal("{" + tensor("a", "F64", "[4611686018427387904]", "[0,0]") + "}", "takes 0 bytes")
        expectRefusal("{" + tensor("a", "F32", "[4294967296,4294967296]", "[0,0]") + "}", "more elements")
        expectRefusal(
            "{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[2]", "[4,12]") + "}", "overlap")
        expectRefusal(
            "{" + tensor("a", "F32", "[1]", "[0,4]") + "," + tensor("a", "F32", "[1]", "[4,8]") + "}", "repeated")
        expectRefusal(String(repeating: "{\"a\":", count: 600), "nested")
    }

    @Test func typesOfUnknownSizeAreRefusedWhenTheyAreAskedFor() throws {
        let header = "{" + tensor("a", "F4", "[8]", "[0,4]") + "," + tensor("b", "F16", "[2]", "[4,8]") + "}"
        let file = try open(file(header))
        #expect(try file.tensor("b").byteOffset == 8 + header.utf8.count + 4)
        #expect(throws: CheckpointError.self) { try file.tensor("a") }
    }

    @Test func typesInMessagesAreCutAndCannotSteerATerminal() throws {
        let type = "\\u001b[2J" + String(repeating: "x", count: 100_000)
        let file = try open(file("{" + tensor("a", type, "[1]", "[0,4]") + "}"))
        let error = #expect(throws: CheckpointError.self) { try file.tensor("a") }
        let message = error?.description ?? ""
        #expect(message.contains("\\u{1B}[2Jxxx") && message.utf8.count < 1_000, "\(message.prefix(1_000))")
    }

    @Test func dimensionsAndOffsetsAreCountedNotListed() throws {
        let ones = "[1" + String(repeating: ",1", count: 64) + "]"
        expectRefusal("{" + tensor("a", "U8", ones, "[0,1]") + "}", "65 dimensions; expected at most 64")
        _ = try open(file("{" + tensor("a", "F32", "[1" + String(repeating: ",1", count: 63) + "]", "[0,4]") + "}"))
        let zeros = "[0" + String(repeating: ",0", count: 100_000) + "]"
        let error = #expect(throws: CheckpointError.self) {
            try open(file("{" + tensor("a", "U8", "[1]", zeros) + "}"))
        }
        let message = error?.description ?? ""
        #expect(message.contains("has the offsets 100001 of them") && message.utf8.count < 1_000)
    }

    @Test func mutatedFilesAreReadOrRefused() throws {
        var random = SplitMix(state: 3)
        let original = try Fixtures.bytes("single/model.safetensors")
        for _ in 0..<1_500 {
            do {
                let file = try open(original.mutated(by: &random))
                for name in file.tensorNames { unsafe _ = SHA256.digest(of: try file.tensor(name).bytes) }
            } catch is CheckpointError {
                // Refused, which is as good as read.
            }
        }
    }
}
