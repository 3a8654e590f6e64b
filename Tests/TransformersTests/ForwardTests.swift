import Checkpoints
import Compute
import Synchronization
import Tensors
import TestSupport
import Testing
import Transformers

/// Float32 against float64 on two or three layers; a dropped bias or a wrong rotation errs by a thousand times more.
private let tolerance = 2e-5

@Suite("The forward pass equals Hugging Face's")
struct ForwardTests {
    private static let models = ["llama-tied", "llama-untied-sharded"]

    @Test(
        "hidden states and logits of every layer",
        arguments: models.flatMap { name in [Stream.PlacementKind.memory, .hostMemory, .scratchFile].map { (name, $0) }
        },
        TestDevice.available)
    func hiddenStates(which: (name: String, placement: Stream.PlacementKind), on testDevice: TestDevice) throws {
        let (name, placement) = which
        let device = try testDevice.open()
        let expected = try Fixture.expectations(name)
        let (ids, layout) = try expected.batch()
        let forward = try Forward(
            model: Fixture.model(name), device: device, layout: layout, slabTokenCount: 8, placement: placement)
        var stream = try forward.embed(ids)
        #expect(stream.placementKind == placement)
        #expect(relativeDifference(try stream.values(), try expected.floats("hidden.0")) == 0)
        for layer in 0..<forward.plan.layerCount {
            stream = try forward.apply(layer, to: stream)
            let difference = relativeDifference(try stream.values(), try expected.floats("hidden.\(layer + 1)"))
            #expect(difference < tolerance, "layer \(layer)")
        }
        let normed = try forward.finalNorm(stream)
        #expect(relativeDifference(try normed.values(), try expected.floats("hidden.norm")) < tolerance)
        let logits = try forward.logits(of: normed, rows: 0..<layout.tokenCount, head: forward.outputHead())
        #expect(relativeDifference(try device.floats(of: logits), try expected.floats("logits")) < tolerance)
    }

    @Test(
        "contributions of attention and MLP, as an observer sees them",
        arguments: models, TestDevice.available)
    func contributions(name: String, on testDevice: TestDevice) throws {
        let device = try testDevice.open()
        let expected = try Fixture.expectations(name)
        let (ids, layout) = try expected.batch()
        let forward = try Forward(model: Fixture.model(name), device: device, layout: layout, slabTokenCount: 8)
        let recorder = Recorder(device: device, width: forward.plan.width, tokenCount: layout.tokenCount)
        var stream = try forward.embed(ids)
        for layer in 0..<forward.plan.layerCount { stream = try forward.apply(layer, to: stream, observer: recorder) }
        for layer in 0..<forward.plan.layerCount {
            for (site, prefix) in [(Site.attention, "attention"), (.feedForward, "mlp")] {
                let got = recorder.contribution(site, layer)
                #expect(relativeDifference(got, try expected.floats("\(prefix).\(layer)")) < tolerance)
            }
        }
        #expect(recorder.contribution(.layer, 0).isEmpty, "a site nobody wanted")
    }

    @Test(
        "every element type of a GGUF file",
        arguments: ["F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "super-blocks"], TestDevice.available)
    func elementTypes(type: String, on testDevice: TestDevice) throws {
        let device = try testDevice.open()
        let expected = try Fixture.expectations("llama-gguf")
        let (allIds, allLayout) = try Fixture.expectations("llama-tied").batch()
        let want = try expected.floats("\(type).norm")
        let model = try Fixture.model("llama-gguf/\(type).gguf")
        let tokenCount = want.count / model.plan.width
        let sequenceCount = try #require(allLayout.offsets.firstIndex(of: tokenCount))
        let layout = SequenceLayout(lengths: Array(allLayout.lengths[..<sequenceCount]))
        let forward = try Forward(model: model, device: device, layout: layout)
        var stream = try forward.embed(Array(allIds[..<tokenCount]))
        for layer in 0..<forward.plan.layerCount { stream = try forward.apply(layer, to: stream) }
        let normed = try forward.finalNorm(stream, into: stream)
        #expect(relativeDifference(try normed.values(), want) < tolerance)
        let logits = try forward.logits(of: normed, rows: 0..<tokenCount, head: forward.outputHead())
        #expect(relativeDifference(try device.floats(of: logits), try expected.floats("\(type).logits")) < tolerance)
    }

    @Test(
        "quantized blocks decode to the same bits as ggml's",
        arguments: ElementType.allCases.filter { $0.blockElementCount > 1 }, TestDevice.available)
    func blocks(type: ElementType, on testDevice: TestDevice) throws {
        let device = try testDevice.open()
        let name = type.rawValue
        let file = try SafetensorsFile(Fixture.path("blocks.safetensors"))
        let want = try Expectations(file: file).floats("\(name).values")
        let result = try device.makeTensor([want.count], .float32, for: "a test")
        // U8 is no type of weights, so the bytes are found by their place in the file.
        let header = try #require(try SafetensorsRange.of("\(name).bytes", in: file))
        try unsafe device.decode(
            UnsafeRawBufferPointer(rebasing: file.file.bytes[header]).bytes, elementType: type, into: result)
        let got = try device.floats(of: result)
        #expect(zip(got, want).allSatisfy { $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN })
    }

    @Test("the slab size does not change the stream", arguments: TestDevice.available)
    func slabs(on testDevice: TestDevice) throws {
        let device = try testDevice.open()
        let (ids, layout) = try Fixture.expectations("llama-tied").batch()
        let model = try Fixture.model("llama-tied")
        let streams = try [1, 8, 40, 1000].map { tokenCount in
            let forward = try Forward(model: model, device: device, layout: layout, slabTokenCount: tokenCount)
            return try forward.apply(0, to: forward.embed(ids)).values()
        }
        for stream in streams.dropFirst() {
            #expect(relativeDifference(stream, streams[0]) < 1e-6)
        }
    }

    @Test("interleaved and halved rotary pairs are not mixed up")
    func rotaryLayoutMatters() throws {
        // The GGUF file's rows of Q and K are permuted; read with the other layout, the result is far away.
        let gguf = try Fixture.model("llama-gguf/F16.gguf")
        let folder = try Fixture.model("llama-tied")
        #expect(gguf.plan.rotaries != folder.plan.rotaries)
    }
}

/// Keeps the contributions of attention and MLP.
private final class Recorder: Observer {
    private let device: Device
    private let width: Int
    private let tokenCount: Int
    private let kept = Mutex<[Key: [Float]]>([:])

    private struct Key: Hashable {
        let site: Site
        let layer: Int
    }

    init(device: Device, width: Int, tokenCount: Int) {
        self.device = device
        self.width = width
        self.tokenCount = tokenCount
    }

    func wants(_ site: Site, layer: Int) -> Bool { site != .layer }

    func observe(
        _ site: Site, layer: Int, rows: Range<Int>, x: Tensor, contribution: Tensor
    ) throws(TransformerError) {
        let values: [Float]
        do { values = try device.floats(of: contribution) } catch { throw .compute(error) }
        kept.withLock { kept in
            var all = kept[Key(site: site, layer: layer)] ?? [Float](repeating: .nan, count: tokenCount * width)
            all.replaceSubrange(rows.lowerBound * width..<rows.upperBound * width, with: values)
            kept[Key(site: site, layer: layer)] = all
        }
    }

    func contribution(_ site: Site, _ layer: Int) -> [Float] {
        kept.withLock { $0[Key(site: site, layer: layer)] ?? [] }
    }
}

/// Where a tensor of any type lies in a safetensors file.
private enum SafetensorsRange {
    static func of(_ name: String, in file: SafetensorsFile) throws -> Range<Int>? {
        let length = unsafe Int(file.file.bytes.loadUnaligned(as: UInt64.self))
        let header = try unsafe JSON.parse(
            UnsafeRawBufferPointer(rebasing: file.file.bytes[8..<8 + length]), source: file.file.path)
        guard let offsets = header[name]?["data_offsets"]?.array?.compactMap(\.integer), offsets.count == 2 else {
            return nil
        }
        return 8 + length + offsets[0]..<8 + length + offsets[1]
    }
}
