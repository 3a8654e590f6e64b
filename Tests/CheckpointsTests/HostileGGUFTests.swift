import Checkpoints
import TestSupport
import Testing

/// Files that lie, end early, or are damaged: each is refused with an error, none crashes or allocates without limit.
@Suite struct HostileGGUFTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ bytes: [UInt8]) throws -> GGUFFile {
        try GGUFFile(folder.write(bytes, to: "model.gguf"))
    }

    /// Checks that the file is refused with a message that has `part` in it.
    private func expectRefusal(
        _ builder: GGUFBuilder, _ part: String, location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: CheckpointError.self, sourceLocation: location) { try open(builder.file()) }
        let message = error?.description ?? ""
        #expect(message.contains(part) && message.contains("model.gguf"), "\(message)", sourceLocation: location)
    }

    private func small() -> GGUFBuilder {
        var builder = GGUFBuilder()
        builder.addString("general.architecture", "llama")
        builder.addUInt32("general.alignment", 32)
        builder.addPair(
            "n", type: 9, value: GGUFBuilder.bytes(UInt32(5)) + GGUFBuilder.bytes(UInt64(2)) + [0, 0, 0, 0, 1, 0, 0, 0])
        builder.addPair(
            "s", type: 9,
            value: GGUFBuilder.bytes(UInt32(8)) + GGUFBuilder.bytes(UInt64(2)) + GGUFBuilder.string("a")
                + GGUFBuilder.string("bc"))
        builder.addTensor("a", shape: [4, 2])
        builder.addTensor("b", shape: [32], type: 8, offset: 32)
        builder.data = [UInt8](repeating: 1, count: 32 + 34)
        return builder
    }

    @Test(arguments: [2, 3] as [UInt32]) func versionsTwoAndThreeOpen(version: UInt32) throws {
        var builder = small()
        builder.version = version
        let file = try open(builder.file())
        #expect(file.tensorNames == ["a", "b"])
        #expect(try file.tensor("a").shape == [2, 4])
        #expect(try file.tensor("b").byteCount == 34)
    }

    @Test func everyTruncationIsRefused() throws {
        let bytes = small().file()
        for length in 0..<bytes.count {
            #expect(throws: CheckpointError.self, "\(length) of \(bytes.count) bytes") {
                try open(Array(bytes.prefix(length)))
            }
        }
    }

    @Test func otherVersionsAreRefused() {
        for version in [0, 1, 4, 0x0300_0000] as [UInt32] {
            var builder = small()
            builder.version = version
            expectRefusal(builder, "expected version 2 or 3")
        }
    }

    @Test func countsAndLengthsBeyondTheFileAreRefused() {
        for count in [1_000, 1 << 31, 1 << 32, 1 << 63, UInt64.max] {
            var builder = small()
            builder.tensorCount = count
            expectRefusal(builder, "tensors is \(count)")
            builder = small()
            builder.pairCount = count
            expectRefusal(builder, "metadata pairs is \(count)")
            builder = GGUFBuilder()
            builder.pairs = [GGUFBuilder.bytes(count) + Array("key".utf8) + GGUFBuilder.bytes(UInt64(0))]
            expectRefusal(builder, "the length of the key")
            builder = GGUFBuilder()
            builder.addPair("k", type: 8, value: GGUFBuilder.bytes(count))
            expectRefusal(builder, "the length of the string of \"k\"")
            for type in 0...12 as ClosedRange<UInt32> {
                builder = GGUFBuilder()
                builder.addPair("k", type: 9, value: GGUFBuilder.bytes(type) + GGUFBuilder.bytes(count))
                expectRefusal(builder, "the length of the array \"k\"")
            }
        }
    }

    @Test func metadataThatContradictsItsFormatIsRefused() {
        var builder = GGUFBuilder()
        builder.addPair("k", type: 13, value: [0])
        expectRefusal(builder, "expected 0 to 12")
        builder = GGUFBuilder()
        builder.addPair("k", type: 7, value: [2])
        expectRefusal(builder, "expected 0 or 1")
        builder = GGUFBuilder()
        builder.addUInt32("k", 1)
        builder.addUInt32("k", 2)
        expectRefusal(builder, "\"k\" is repeated")
        builder = GGUFBuilder()
        builder.pairs = [GGUFBuilder.bytes(UInt64(2)) + [0xC3, 0x28] + GGUFBuilder.bytes(UInt32(0)) + [0]]
        expectRefusal(builder, "not valid UTF-8")
    }

    @Test func nestedArraysAreReadToALimitedDepth() throws {
        let header = GGUFBuilder.bytes(UInt32(9)) + GGUFBuilder.bytes(UInt64(1))
        let leaf = GGUFBuilder.bytes(UInt32(0)) + GGUFBuilder.bytes(UInt64(1)) + [7]
        var builder = GGUFBuilder()
        builder.addPair("k", type: 9, value: header + leaf)
        guard case .array(let outer)? = try open(builder.file()).metadata["k"] else {
            Issue.record("expected an array")
            return
        }
        #expect(outer.arrays.first?.integers == [7])
        for depth in [8, 100_000] {
            builder = GGUFBuilder()
            builder.addPair("k", type: 9, value: Array(repeatElement(header, count: depth).joined()) + leaf)
            expectRefusal(builder, "nested arrays")
        }
    }

    @Test(arguments: [0, 3, 24, 33, UInt32.max]) func alignmentIsAPowerOfTwo(alignment: UInt32) {
        var builder = GGUFBuilder()
        builder.addUInt32("general.alignment", alignment)
        expectRefusal(builder, "expected a power of two")
    }

    @Test func alignmentBeyondTheFileIsRefused() {
        for alignment in [1 << 31, 1 << 62] as [UInt64] {
            var builder = GGUFBuilder()
            builder.addPair("general.alignment", type: 10, value: GGUFBuilder.bytes(alignment))
            builder.addTensor("a", shape: [1])
            expectRefusal(builder, "ends before the tensors' data")
        }
    }

    @Test func shapesThatDoNotFitAreRefused() {
        let large: [[UInt64]] = [
            [17], [1 << 63], [.max], [1 << 32, 1 << 32], [1 << 62], [1 << 61], [1 << 31, 1 << 31, 2, 1], [3, .max / 3],
        ]
        for shape in large {
            var builder = GGUFBuilder()
            builder.addTensor("a", shape: shape)
            builder.data = [UInt8](repeating: 0, count: 64)
            expectRefusal(builder, "tensor \"a\"")
        }
        var builder = GGUFBuilder()
        builder.addTensor("a", shape: [1, 1, 1, 1, 1])
        expectRefusal(builder, "5 dimensions")
        builder = GGUFBuilder()
        builder.addTensor("a", shape: [16, 2], type: 2)
        builder.data = [UInt8](repeating: 0, count: 64)
        expectRefusal(builder, "whole blocks")
    }

    /// A type's number, elements and bytes of a block, by `enum ggml_type`.
    @Test(arguments: [
        (2, 32, 18), (8, 32, 34), (20, 32, 18), (10, 256, 84), (11, 256, 110), (12, 256, 144), (13, 256, 176),
        (14, 256, 210), (15, 256, 292),
    ])
    func rowsThatAreNoWholeBlocksAreRefused(type: UInt32, elementCount: UInt64, byteCount: Int) throws {
        // The tensor as a whole may have whole blocks: its rows must.
        for shape in [
            [elementCount / 2, 2], [elementCount - 1], [elementCount + 1], [1, elementCount],
            [elementCount * 3 / 2, 2],
            [],
        ] {
            var builder = GGUFBuilder()
            builder.addTensor("a", shape: shape, type: type)
            builder.data = [UInt8](repeating: 0, count: 4 * byteCount)
            expectRefusal(builder, "its rows are not whole blocks of \(elementCount)")
        }
        for (missing, shape) in [(0, [elementCount, 2]), (1, [elementCount, 2]), (0, [2 * elementCount])] {
            var builder = GGUFBuilder()
            builder.addTensor("a", shape: shape, type: type)
            builder.data = [UInt8](repeating: 0, count: 2 * byteCount - missing)
            if missing > 0 {
                expectRefusal(builder, "does not fit")
            } else {
                #expect(try open(builder.file()).tensor("a").byteCount == 2 * byteCount)
            }
        }
    }

    @Test func offsetsThatDoNotFitAreRefused() {
        for offset in [64, 1 << 63, .max, .max - 31] as [UInt64] {
            var builder = GGUFBuilder()
            builder.addTensor("a", shape: [16], offset: offset)
            builder.data = [UInt8](repeating: 0, count: 64)
            expectRefusal(builder, "does not fit")
        }
        var builder = GGUFBuilder()
        builder.addTensor("a", shape: [1], offset: 4)
        builder.data = [UInt8](repeating: 0, count: 64)
        expectRefusal(builder, "not a multiple of 32")
    }

    @Test func tensorsDoNotShareNamesOrBytes() {
        var builder = GGUFBuilder()
        builder.addTensor("a", shape: [1])
        builder.addTensor("a", shape: [1], offset: 32)
        builder.data = [UInt8](repeating: 0, count: 64)
        expectRefusal(builder, "\"a\" is repeated")
        builder = GGUFBuilder()
        builder.addTensor("a", shape: [9])
        builder.addTensor("b", shape: [1], offset: 32)
        builder.data = [UInt8](repeating: 0, count: 64)
        expectRefusal(builder, "overlap")
    }

    @Test func namesThatAreNotUTF8AreRefused() {
        var builder = GGUFBuilder()
        builder.addTensor(nameBytes: GGUFBuilder.bytes(UInt64(1)) + [0xFF], shape: [1])
        builder.data = [0, 0, 0, 0]
        expectRefusal(builder, "the name of tensor 0 is not valid UTF-8")
    }

    @Test func namesInMessagesAreCutAndCannotSteerATerminal() throws {
        var builder = GGUFBuilder()
        builder.addTensor("\u{1B}[2J" + String(repeating: "x", count: 100_000), shape: [17])
        expectRefusal(builder, "\\u{1B}[2J")
        let error = #expect(throws: CheckpointError.self) { try open(builder.file()) }
        #expect((error?.description.utf8.count ?? .max) < 1_000)
    }

    @Test func keysInMessagesAreCutAndCannotSteerATerminal() throws {
        let key = "\u{1B}[2J\u{9B}31m" + String(repeating: "x", count: 100_000)
        for type in 0...12 as ClosedRange<UInt32> {
            var builder = GGUFBuilder()
            builder.addPair(key, type: type, value: [])
            expectRefusal(builder, "\\u{1B}[2J\\u{009B}31m")
            let error = #expect(throws: CheckpointError.self) { try open(builder.file()) }
            #expect((error?.description.utf8.count ?? .max) < 1_000, "type \(type)")
        }
    }

    @Test func unknownTypesAreRefusedWhenTheyAreAskedFor() throws {
        var builder = small()
        builder.addTensor("c", shape: [1 << 62], type: 999, offset: 64)
        builder.addTensor("d", shape: [1 << 62], type: 999, offset: 64)
        let path = try folder.write(builder.file(), to: "model.gguf")
        let checkpoint = try Checkpoint.open(path)
        #expect(try checkpoint.tensor("a").byteCount == 32)
        #expect(throws: CheckpointError.unsupportedElementType(path: path, name: "c", type: "number 999")) {
            try checkpoint.tensor("c")
        }
        #expect(checkpoint.parameterCount == Int.max)
    }

    @Test func mutatedFilesAreReadOrRefused() throws {
        var random = SplitMix(state: 2)
        for original in [small().file(), try Fixtures.bytes("mini.gguf")] {
            for _ in 0..<1_500 {
                do {
                    let file = try open(original.mutated(by: &random))
                    for key in file.metadata.keys { exercise(file.metadata[key]) }
                    for name in file.tensorNames { unsafe _ = SHA256.digest(of: try file.tensor(name).bytes) }
                } catch is CheckpointError {
                    // Refused, which is as good as read.
                }
            }
        }
    }

    private func exercise(_ value: GGUFValue?) {
        guard case .array(let array)? = value else { return }
        #expect((array.integers?.count ?? array.count) == array.count)
        #expect((array.numbers?.count ?? array.count) == array.count)
        #expect((array.bools?.count ?? array.count) == array.count)
        if let strings = array.strings { for index in strings.indices { _ = strings[index] } }
    }
}
