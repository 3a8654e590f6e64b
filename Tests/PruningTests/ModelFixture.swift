import Checkpoints
import Compute
import Tensors
import Testing

import Transformers

/// A small checkpoint among the fixtures of the room Transformers, with a batch of ids that fit it.
struct ModelFixture: Sendable, CustomTestStringConvertible {
    let name: String
    /// The same model as llama.cpp stores it.
    let gguf: String?
    private let expected: String

    static let all: [ModelFixture] = {
        let lines = (try? JSON.read(path("catalogue.json")))?.array ?? []
        return lines.compactMap { line in
            guard let name = line["name"]?.string, let expected = line["expected"]?.string else { return nil }
            return ModelFixture(name: name, gguf: line["gguf"]?.string, expected: expected)
        }
    }()

    static let allWithGGUF = all.filter { $0.gguf != nil }

    static func named(_ name: String) throws -> ModelFixture { try #require(all.first { $0.name == name }) }

    var testDescription: String { name }

    private static func path(_ name: String, file: String = #filePath) -> String {
        file.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
            + "/TransformersTests/Fixtures/families/\(name)"
    }

    func model() throws -> DecoderModel { try DecoderModel(Checkpoint.open(Self.path(name))) }

    var ggufPath: String {
        get throws { Self.path(try #require(gguf)) }
    }

    func ggufModel() throws -> DecoderModel { try DecoderModel(Checkpoint.open(ggufPath)) }

    /// The stream after every layer, and the logits.
    func activations(_ model: DecoderModel) throws -> [[Float]] {
        let file = try SafetensorsFile(Self.path(expected))
        func numbers(_ name: String) throws -> [Float] {
            try unsafe file.tensor(name).withBytes { unsafe Array($0.bindMemory(to: Float.self)) }
        }
        let device = Device.host()
        let layout = SequenceLayout(lengths: try numbers("lengths").map { Int($0) })
        let forward = try Forward(model: model, device: device, layout: layout)
        var stream = try forward.embed(numbers("ids").map { Int32($0) })
        var activations: [[Float]] = []
        let staging = try device.makeTensor([layout.tokenCount, model.plan.width], .float32, for: "a test")
        for layer in 0..<forward.plan.layerCount {
            stream = try forward.apply(layer, to: stream)
            activations.append(try device.floats(of: stream.rows(0..<layout.tokenCount, staging: staging)))
        }
        let normed = try forward.finalNorm(stream)
        let logits = try forward.logits(of: normed, rows: 0..<layout.tokenCount, head: forward.outputHead())
        return activations + [try device.floats(of: logits)]
    }
}

/// The largest difference, relative to the largest expected value.
func relativeDifference(_ got: [Float], _ want: [Float]) -> Double {
    guard got.count == want.count else { return .infinity }
    let scale = want.map { abs(Double($0)) }.max() ?? 0
    let difference = zip(got, want).map { abs(Double($0) - Double($1)) }.max() ?? 0
    return zip(got, want).contains { $0.isNaN != $1.isNaN } ? .infinity : difference / scale
}
