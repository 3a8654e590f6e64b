import Checkpoints
import Compute
import TestSupport
import Testing

@testable import Transformers

/// Models with layers left out, maps in the place of layers, and changed projections.
@Suite("An edited model computes what was put in it")
struct ModelEditTests {
    @Test("maps of zeros in the place of layers are the layers left out", arguments: FamilyFixture.all)
    func zeroMaps(fixture: FamilyFixture) throws {
        let model = try fixture.model()
        let last = model.plan.layerCount - 1
        let zero = LinearMap(
            matrix: [Float](repeating: 0, count: model.plan.width * model.plan.width),
            bias: [Float](repeating: 0, count: model.plan.width))
        let kept = ModelEdit(keeping: 0..<last)
        let replaced = ModelEdit(layers: kept.layers + [.init(source: last, maps: [.layer: zero])])
        let hollow = ModelEdit(
            layers: kept.layers + [.init(source: last, maps: [.attention: zero, .feedForward: zero])])
        let want = try fixture.logits(model.applying(kept), .host())
        #expect(try fixture.logits(model.applying(replaced), .host()) == want)
        #expect(try fixture.logits(model.applying(hollow), .host()) == want)
        #expect(try fixture.logits(model, .host()) != want)
    }

    @Test("a map is y = x + x·matrix + bias", arguments: TestDevice.available)
    func map(on testDevice: TestDevice) throws {
        let (model, device) = (try Fixture.model("llama-tied"), try testDevice.open())
        let width = model.plan.width
        let map = LinearMap(
            matrix: (0..<width * width).map { Float(($0 * 7919) % 101 - 50) / 500 },
            bias: (0..<width).map { Float($0 % 5) - 2 })
        let edited = try model.applying(
            ModelEdit(
                layers: [.init(source: 0, maps: [.layer: map])] + ModelEdit(keeping: 1..<model.plan.layerCount).layers))
        let (ids, layout) = try Fixture.expectations("llama-tied").batch()
        let forward = try Forward(model: edited, device: device, layout: layout, slabTokenCount: 8)
        let entering = try forward.embed(ids)
        let x = try entering.values()
        let want = (0..<layout.tokenCount).flatMap { row in
            (0..<width).map { column in
                var sum = Double(x[row * width + column]) + Double(map.bias[column])
                for k in 0..<width { sum += Double(x[row * width + k]) * Double(map.matrix[k * width + column]) }
                return Float(sum)
            }
        }
        #expect(relativeDifference(try forward.apply(0, to: entering).values(), want) < 1e-6)
        #expect(relativeDifference(try forward.apply(map, to: entering).values(), want) < 1e-6)
    }

    @Test("a sublayer's map stands for the sublayer with its norms", arguments: ["llama/linear", "gptj/partial"])
    func sublayers(name: String) throws {
        let fixture = try FamilyFixture.named(name)
        let model = try fixture.model()
        let width = model.plan.width
        let bias = (0..<width).map { Float($0 % 3) }
        let map = LinearMap(matrix: [Float](repeating: 0, count: width * width), bias: bias)
        let both = ModelEdit(layers: [.init(source: 0, maps: [.attention: map, .feedForward: map])])
        let twice = ModelEdit(layers: [
            .init(source: 0, maps: [.layer: LinearMap(matrix: map.matrix, bias: bias.map { 2 * $0 })])
        ])
        let (got, want) = (
            try fixture.logits(model.applying(both), .host()), try fixture.logits(model.applying(twice), .host())
        )
        #expect(relativeDifference(got, want) < 1e-6)
    }

    @Test("a projection put in its own place changes nothing", arguments: ["llama/linear", "gpt2/tied", "opt/before"])
    func projection(name: String) throws {
        let fixture = try FamilyFixture.named(name)
        let model = try fixture.model()
        var edit = ModelEdit(keeping: 0..<model.plan.layerCount)
        edit.layers[0].feedForwardOutput = try model.feedForwardOutput(of: 0, on: .host())
        #expect(try fixture.logits(model.applying(edit), .host()) == fixture.logits(model, .host()))
        edit.layers[0].feedForwardOutput?.weight[0] += 1
        #expect(try fixture.logits(model.applying(edit), .host()) != fixture.logits(model, .host()))
    }

    @Test("added biases are zeros but for those given")
    func addedBiases() throws {
        let fixture = try FamilyFixture.named("llama/linear")
        let model = try fixture.model()
        var edit = ModelEdit(keeping: 0..<model.plan.layerCount)
        edit.addsFeedForwardBiases = true
        #expect(try fixture.logits(model.applying(edit), .host()) == fixture.logits(model, .host()))
        edit.layers[0].feedForwardOutput = EditedProjection(
            weight: try model.feedForwardOutput(of: 0, on: .host()).weight,
            bias: [Float](repeating: 1, count: model.plan.width))
        #expect(try fixture.logits(model.applying(edit), .host()) != fixture.logits(model, .host()))
    }

    @Test("several streams at once are each what it is alone")
    func severalStreams() throws {
        let model = try Fixture.model("llama-tied")
        let (ids, layout) = try Fixture.expectations("llama-tied").batch()
        let forward = try Forward(model: model, device: .host(), layout: layout)
        let first = try forward.embed(ids)
        let second = try forward.apply(0, to: first)
        let both = try forward.apply(1, to: [first, second])
        #expect(try both.map { try $0.values() } == [first, second].map { try forward.apply(1, to: $0).values() })
    }

    @Test(
        "what config.json says of linear layers is checked",
        arguments: [
            "7", "{\"linear\": {\"9\": [\"layer\"]}}", "{\"linear\": {\"0\": [\"norm\"]}}", "{\"linear\": {\"0\": []}}",
            "{\"linear\": {\"00\": [\"layer\"]}}", "{\"linear\": {}, \"quadratic\": {}}",
            "{\"linear\": {\"-1\": [\"layer\"]}}",
        ])
    func settings(value: String) throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: "\"straightedge\": \(value)")
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        #expect("\(try #require(error))".contains("straightedge"))
    }

    @Test("a linear layer without its map is a tensor that is missing")
    func missingMap() throws {
        let folder = try TemporaryModel(
            copying: "llama-tied", addingToConfig: "\"straightedge\": {\"linear\": {\"1\": [\"layer\"]}}")
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        #expect("\(try #require(error))".contains("model.layers.1"))
    }
}
