import Checkpoints
import Compute
import TestSupport
import Testing
import Transformers

@testable import Benchmarking

@Suite("A shape is measured as a model of that shape would be")
struct ShapeTests {
    @Test("a random model has the shape's sizes in every layer", arguments: [ModelShape.tiny, .smolLM2With135M])
    func sizes(_ shape: ModelShape) throws {
        let model = try RandomCheckpoint.model(shape, layerCount: 5)
        #expect(model.plan.layerCount == 5)
        #expect(model.plan.width == shape.width)
        #expect(model.plan.heads == shape.heads)
        #expect(model.plan.feedForward.width == shape.feedForwardWidth)
        #expect(model.checkpoint.tensorNames.count == 11)
    }

    @Test("the largest shapes have the parameters that their names say, without embeddings")
    func parameters() {
        let counts = [("llama-2-7b", 6.5e9), ("llama-3-8b", 7.0e9), ("smollm2-135m", 106e6)]
        for (name, expected) in counts {
            let shape = ModelShape.named(name)
            let heads = shape?.heads ?? AttentionHeads(queryCount: 0, keyCount: 0, width: 0)
            let attention = 2 * (heads.queryCount + heads.keyCount) * heads.width
            let count =
                (shape?.layerCount ?? 0) * (shape?.width ?? 0) * (attention + 3 * (shape?.feedForwardWidth ?? 0))
            #expect(abs(Double(count) / expected - 1) < 0.01, "\(name): \(count)")
        }
    }

    @Test("products of random weights keep the variance of their inputs")
    func variance() throws {
        let model = try RandomCheckpoint.model(.smolLM2With135M, layerCount: 1)
        let device = Device.host()
        for (name, inputs) in [("blk.0.ffn_down.weight", 1536), ("blk.0.attn_q.weight", 576), ("token_embd.weight", 1)]
        {
            let stored = try model.checkpoint.tensor(name)
            let tensor = try device.makeTensor([1, stored.elementCount], .float32, for: "a test")
            try unsafe device.decode(stored.bytes.bytes, elementType: stored.elementType, into: tensor)
            let sum = try device.floats(of: tensor).reduce(0.0) { $0 + Double($1) * Double($1) }
            let variance = sum / Double(stored.elementCount) * Double(inputs)
            #expect(abs(variance - 1) < 0.02, "\(name): \(variance)")
        }
    }

    @Test("every stage is timed, on every device", arguments: TestDevice.available)
    func profile(_ place: TestDevice) throws {
        let profile = ShapeProfile(shape: .tiny, layerCount: 1, tokenCount: 100)
        let result = try profile.run(on: place.open())
        #expect(result.layerCount == 1 && result.sequenceCount == 1)
        let stages = [
            result.loadSeconds, result.seconds.forward, result.seconds.moments, result.seconds.solve,
            result.seconds.tokenErrors,
        ]
        #expect(stages.allSatisfy { $0 > 0 })
        #expect(result.analysisSeconds >= stages.dropFirst().reduce(0, +) * 0.999)
        // Each weight twice, and two products with 50.5 keys on average.
        let weights = 64 * 16 * (2 * 4 + 2 * 2) + 3 * 64 * 160
        let operations = 100 * 2 * (Double(weights) + 2 * 64 * 50.5)
        #expect(abs(result.forwardOperations / operations - 1) < 1e-12)
    }

    @Test("tokens that are too few are refused")
    func tooFew() {
        #expect(throws: (any Error).self) { try ShapeProfile(shape: .tiny, tokenCount: 64).run(on: .host()) }
    }

    @Test("a shape of another family says that its layer is LLaMA's")
    func notes() {
        #expect(ModelShape.known.map(\.name) == ["llama-2-7b", "llama-3-8b", "opt-1.3b", "opt-6.7b", "smollm2-135m"])
        for shape in ModelShape.known {
            let says = ShapeProfile(shape: shape).notes.contains { $0.contains("LLaMA") }
            #expect(says == shape.name.hasPrefix("opt"))
        }
    }
}
