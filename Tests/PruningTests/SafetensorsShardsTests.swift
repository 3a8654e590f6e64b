import Checkpoints
import Glibc
import Pruning
import Tensors
import TestSupport
import Testing

@Suite("Weights are written as Hugging Face writes them")
struct SafetensorsShardsTests {
    private static let values: [Float] = [1, -2.5, 0.1, 65504, -0.0, 3.140625]

    private static func tensors() -> [ExportTensor] {
        [
            ExportTensor("a", .float32, [2, 3], values: values),
            ExportTensor("b.weight", .float16, [6], values: values),
            ExportTensor("c", .bfloat16, [3, 2], values: values),
            ExportTensor("d", .float64, [1, 6], values: values),
        ]
    }

    @Test("what was written is read back, rounded to its type")
    func single() throws {
        let place = try TemporaryFolder()
        let folder = try OutputFolder("\(place.path)/model")
        try SafetensorsShards(Self.tensors()).write(to: folder)
        #expect(place.names(in: "model") == [])
        try folder.finish()
        #expect(place.names() == ["model"] && place.names(in: "model") == ["model.safetensors"])
        let file = try SafetensorsFile("\(place.path)/model/model.safetensors")
        #expect(file.metadata.map(\.key) == ["format"] && file.metadata.map(\.value) == ["pt"])
        #expect(file.tensorNames == ["a", "b.weight", "c", "d"])
        #expect(try file.tensor("a").shape == [2, 3])
        #expect(try file.tensor("a").bits(UInt32.self) == Self.values.map(\.bitPattern))
        // 0.1 is 0x2E66 in float16 and 0x3DCD in bfloat16, 65504 is beyond halfway to 65536 of bfloat16.
        #expect(try file.tensor("b.weight").bits(UInt16.self) == [0x3C00, 0xC100, 0x2E66, 0x7BFF, 0x8000, 0x4248])
        #expect(try file.tensor("c").bits(UInt16.self) == [0x3F80, 0xC020, 0x3DCD, 0x4780, 0x8000, 0x4049])
        #expect(try file.tensor("d").bits(UInt64.self) == Self.values.map { Double($0).bitPattern })
    }

    @Test("shards are as large as asked for, and the index names all tensors")
    func shards() throws {
        let place = try TemporaryFolder()
        let folder = try OutputFolder("\(place.path)/model")
        try SafetensorsShards(Self.tensors(), shardByteCount: 36).write(to: folder)
        try place.write("{\"model_type\": \"any\"}", to: "config.json")
        try folder.finish()
        #expect(
            place.names(in: "model") == [
                "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors", "model.safetensors.index.json",
            ])
        let index = try JSON.read("\(place.path)/model/model.safetensors.index.json")
        #expect(index["metadata"]?["total_size"]?.integer == 24 + 12 + 12 + 48)
        #expect(
            index["weight_map"]
                == [
                    "a": "model-00001-of-00003.safetensors", "b.weight": "model-00001-of-00003.safetensors",
                    "c": "model-00002-of-00003.safetensors", "d": "model-00003-of-00003.safetensors",
                ])
        // As a model of shards it is read back whole.
        try place.write("{}", to: "model/config.json")
        let checkpoint = try Checkpoint.open("\(place.path)/model")
        #expect(checkpoint.tensorNames == ["a", "b.weight", "c", "d"])
        #expect(try checkpoint.tensor("d").bits(UInt64.self) == Self.values.map { Double($0).bitPattern })
    }

    @Test("a number that its type does not have is refused", arguments: [Float.infinity, .nan, 65520])
    func overflow(value: Float) throws {
        let place = try TemporaryFolder()
        let folder = try OutputFolder("\(place.path)/model")
        let shards = SafetensorsShards([ExportTensor("w", .float16, [2], values: [1, value])])
        #expect(throws: ExportError.self) { try shards.write(to: folder) }
    }

    @Test("a tensor that gives too few bytes is refused")
    func short() throws {
        let place = try TemporaryFolder()
        let folder = try OutputFolder("\(place.path)/model")
        let shards = SafetensorsShards([
            ExportTensor("w", .float32, [2]) { file throws(ExportError) in
                do throws(OutputError) { try file.write([Float(1)]) } catch { throw .output(error) }
            }
        ])
        #expect(throws: ExportError.self) { try shards.write(to: folder) }
    }
}

extension StoredTensor {
    /// The elements as they are stored.
    func bits<Bits: FixedWidthInteger & BitwiseCopyable>(_ type: Bits.Type) -> [Bits] {
        unsafe withBytes { bytes in
            (0..<bytes.count / MemoryLayout<Bits>.size).map {
                unsafe bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Bits>.size, as: type)
            }
        }
    }
}
