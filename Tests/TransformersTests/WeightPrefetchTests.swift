import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing
import Transformers

@Suite("Weights that are read ahead")
struct WeightPrefetchTests {
    /// The streams after each layer, and after layers that are applied in another order, bit by bit.
    private func bits(
        _ device: Device, layers: Range<Int>, order: [Int], _ computeType: ComputeType = .f32
    ) throws -> [[UInt32]] {
        let (ids, layout) = try Fixture.expectations("llama-tied").batch()
        let forward = try Forward(
            model: Fixture.model("llama-tied"), device: device, layout: layout, slabTokenCount: 8,
            computeType: computeType, layersReadAhead: layers)
        var stream = try forward.embed(ids)
        return try order.map { layer in
            stream = try forward.apply(layer, to: stream)
            return try stream.values().map(\.bitPattern)
        }
    }

    @Test("change no bit", arguments: TestDevice.available, [ComputeType.f32, .bf16])
    func sameBits(device: TestDevice, computeType: ComputeType) throws {
        let device = try device.open()
        let layerCount = try Fixture.model("llama-tied").plan.layerCount
        // In order, one twice, backwards, and from the last to the first.
        let order = Array(0..<layerCount) + [1, 1, 0, layerCount - 1, 0]
        let wanted = try bits(device, layers: 0..<0, order: order, computeType)
        for layers in [0..<layerCount, 0..<1, 1..<layerCount, 0..<99] {
            #expect(try bits(device, layers: layers, order: order, computeType) == wanted)
        }
    }

    @Test("change no bit in any order of the streams", .needsEmulation)
    func sameBitsInEveryOrder() throws {
        let emulation = try Emulation()
        defer { emulation.orderStreams(seed: nil) }
        let wanted = try bits(.emulated(), layers: 0..<0, order: [0, 1])
        for seed in UInt64(1)...4 {
            emulation.orderStreams(seed: seed)
            #expect(try bits(.emulated(), layers: 0..<2, order: [0, 1]) == wanted)
        }
    }

    @Test("that are not finite are an error of their own layer", arguments: TestDevice.available)
    func nonFinite(device: TestDevice) throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: nil)
        try folder.overwrite(tensor: "model.layers.1.mlp.up_proj.weight", element: 35, halfBits: 0x7E00)
        let model = try DecoderModel(Checkpoint.open(folder.path))
        let forward = try Forward(
            model: model, device: device.open(), layout: SequenceLayout(lengths: [2]), layersReadAhead: 0..<2)
        let stream = try forward.apply(0, to: forward.embed([1, 2]))
        for _ in 0..<2 {
            let error = #expect(throws: TransformerError.self) { try forward.apply(1, to: stream) }
            #expect(
                "\(try #require(error))".contains(
                    "'model.layers.1.mlp.up_proj.weight' holds a NaN or an infinity in row 1"))
        }
        // The pass goes on where it can.
        _ = try forward.apply(0, to: stream)
    }

    @Test("are given up where the pass ends early", arguments: TestDevice.available)
    func abandoned(device: TestDevice) throws {
        let device = try device.open()
        for _ in 0..<5 { _ = try bits(device, layers: 0..<2, order: [0]) }
        #expect(try bits(device, layers: 0..<2, order: [0, 1]) == bits(device, layers: 0..<0, order: [0, 1]))
    }

    @Test("count in the memory of a device that has its own", arguments: TestDevice.available)
    func memory(device: TestDevice) throws {
        let opened = try device.open()
        let model = try Fixture.model("llama-tied")
        let plan = model.plan
        func byteCount(readsAhead: Bool) -> Int {
            Forward.workingByteCount(
                plan: plan, slabTokenCount: 8, device: opened, computeType: .f32, longest: 8, readsAhead: readsAhead)
        }
        // Vectors beside, which are few.
        let layer = 4 * model.layerParameterCount / plan.layerCount
        let more = byteCount(readsAhead: true) - byteCount(readsAhead: false)
        #expect(device == .host ? more == 0 : (0.9...1).contains(Double(more) / Double(layer)))
    }
}
