import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Transformers

/// Small checkpoints of every family with Hugging Face's hidden states; see Fixtures/families/make_families.py.
@Suite("Every family equals Hugging Face's")
struct FamilyTests {
    /// Float32 against float64 on a few layers.
    private static let tolerance = 2e-5

    @Test("hidden states of every layer and logits", arguments: FamilyFixture.all, TestDevice.available)
    func hiddenStates(fixture: FamilyFixture, on testDevice: TestDevice) throws {
        let differences = try fixture.differences(fixture.model(), testDevice.open())
        for (name, difference) in differences { #expect(difference < Self.tolerance, "\(name)") }
    }

    @Test(
        "the same as GGUF, as llama.cpp converts it", arguments: FamilyFixture.all.filter { $0.gguf != nil },
        TestDevice.available)
    func gguf(fixture: FamilyFixture, on testDevice: TestDevice) throws {
        let path = Fixture.path("families/\(try #require(fixture.gguf))")
        let differences = try fixture.differences(DecoderModel(Checkpoint.open(path)), testDevice.open())
        for (name, difference) in differences { #expect(difference < Self.tolerance, "\(name)") }
    }

    @Test("operands of sixteen bits stay near float32", arguments: FamilyFixture.all, [ComputeType.bf16, .f16])
    func sixteenBits(fixture: FamilyFixture, computeType: ComputeType) throws {
        let differences = try fixture.differences(fixture.model(), .host(), computeType)
        for (name, difference) in differences {
            #expect(difference < (computeType == .bf16 ? 0.2 : 0.03), "\(name)")
        }
    }

    @Test(
        "the same as a PyTorch archive, to the bit",
        arguments: FamilyFixture.all.filter { $0.name.hasSuffix("-bin") })
    func archives(fixture: FamilyFixture) throws {
        let twin = try FamilyFixture.named(String(fixture.name.dropLast("-bin".count)))
        let device = Device.host()
        let (got, want) = (try fixture.logits(fixture.model(), device), try twin.logits(twin.model(), device))
        #expect(!got.isEmpty && got == want)
    }

    @Test("parameters are counted once each", arguments: FamilyFixture.all)
    func parameterCount(fixture: FamilyFixture) throws {
        let model = try fixture.model()
        let used = model.checkpoint.tensorNames.filter { !model.sources.ignored.contains($0) }
        let count = try used.reduce(0) { $0 + (try model.checkpoint.tensor($1).elementCount) }
        #expect(model.parameterCount == count)
    }
}

/// One line of the catalogue.
struct FamilyFixture: Sendable, CustomTestStringConvertible {
    let name: String
    private let expected: String
    /// The same model as llama.cpp stores it.
    let gguf: String?

    static let all: [FamilyFixture] = {
        let lines = (try? JSON.read(Fixture.path("families/catalogue.json")))?.array ?? []
        return lines.compactMap { line in
            guard let name = line["name"]?.string, let expected = line["expected"]?.string else { return nil }
            return FamilyFixture(name: name, expected: expected, gguf: line["gguf"]?.string)
        }
    }()

    static func named(_ name: String) throws -> FamilyFixture { try #require(all.first { $0.name == name }) }

    var family: String { String(name.split(separator: "/")[0]) }
    var testDescription: String { name }
    var path: String { Fixture.path("families/\(name)") }

    func model() throws -> DecoderModel { try DecoderModel(Checkpoint.open(path)) }

    func logits(_ model: DecoderModel, _ device: Device) throws -> [Float] {
        let (ids, layout) = try expectations().batch()
        let forward = try Forward(model: model, device: device, layout: layout)
        var stream = try forward.embed(ids)
        for layer in 0..<forward.plan.layerCount { stream = try forward.apply(layer, to: stream) }
        let normed = try forward.finalNorm(stream, into: stream)
        let logits = try forward.logits(of: normed, rows: 0..<layout.tokenCount, head: forward.outputHead())
        return try device.floats(of: logits)
    }

    private func expectations() throws -> Expectations {
        Expectations(file: try SafetensorsFile(Fixture.path("families/\(expected)")))
    }

    /// How far the stream of each layer, the final norm and the logits are from what they should be.
    func differences(
        _ model: DecoderModel, _ device: Device, _ computeType: ComputeType = .f32
    ) throws -> [(name: String, difference: Double)] {
        let expected = try expectations()
        let (ids, layout) = try expected.batch()
        let forward = try Forward(
            model: model, device: device, layout: layout, slabTokenCount: 16, computeType: computeType)
        var stream = try forward.embed(ids)
        var differences = [("hidden.0", relativeDifference(try stream.values(), try expected.floats("hidden.0")))]
        for layer in 0..<forward.plan.layerCount {
            stream = try forward.apply(layer, to: stream)
            let want = try expected.floats("hidden.\(layer + 1)")
            differences.append(("hidden.\(layer + 1)", relativeDifference(try stream.values(), want)))
        }
        let normed = try forward.finalNorm(stream)
        differences.append(
            ("hidden.norm", relativeDifference(try normed.values(), try expected.floats("hidden.norm"))))
        let logits = try forward.logits(of: normed, rows: 0..<layout.tokenCount, head: forward.outputHead())
        let want = try expected.floats("logits")
        differences.append(("logits", relativeDifference(try device.floats(of: logits), want)))
        return differences
    }
}
