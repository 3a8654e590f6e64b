import Checkpoints
import Compute
import TestSupport
import Testing
import Transformers

/// A small checkpoint of a family, beside those that test the families.
struct ExportFixture: Sendable, CustomTestStringConvertible {
    let name: String

    private static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        + "/TransformersTests/Fixtures"

    static let all: [ExportFixture] = {
        let lines = (try? JSON.read("\(folder)/families/catalogue.json"))?.array ?? []
        return lines.compactMap { $0["name"]?.string.map { ExportFixture(name: "families/\($0)") } }
    }()

    static func named(_ name: String) -> ExportFixture { ExportFixture(name: "families/\(name)") }

    var path: String { "\(ExportFixture.folder)/\(name)" }
    var testDescription: String { name }

    func model() throws -> DecoderModel { try DecoderModel(Checkpoint.open(path)) }

    var config: JSONObject { get throws { try #require(JSON.read("\(path)/config.json").object) } }
}

extension DecoderModel {
    /// What the model makes of some tokens: the stream after every layer and the logits.
    func numbers() throws -> [[Float]] {
        let lengths = [7, 3]
        let device = Device.host()
        let forward = try Forward(
            model: self, device: device, layout: SequenceLayout(lengths: lengths), slabTokenCount: 16)
        var stream = try forward.embed((0..<10).map { Int32($0 * 5 % plan.vocabularySize) })
        var numbers = [try stream.numbers()]
        for layer in plan.layers.indices {
            stream = try forward.apply(layer, to: stream)
            numbers.append(try stream.numbers())
        }
        let normed = try forward.finalNorm(stream)
        let logits = try forward.logits(of: normed, rows: 0..<10, head: forward.outputHead())
        return numbers + [try device.floats(of: logits)]
    }

    /// An edit with a map in the place of a layer or of sublayers of it.
    func replacing(_ layer: Int, _ sites: Set<Site>) -> ModelEdit {
        var edit = ModelEdit(keeping: plan.layers.indices)
        for (number, site) in sites.sorted(by: { $0.rawValue < $1.rawValue }).enumerated() {
            edit.layers[layer].maps[site] = LinearMap(
                matrix: DecoderModel.noise(plan.width * plan.width, seed: number, scale: 0.25),
                bias: DecoderModel.noise(plan.width, seed: number + 7, scale: 0.5))
        }
        return edit
    }

    /// An edit with another last projection of a layer's MLP.
    func changing(_ layer: Int, hasBias: Bool) -> ModelEdit {
        var edit = ModelEdit(keeping: plan.layers.indices)
        edit.layers[layer].feedForwardOutput = EditedProjection(
            weight: DecoderModel.noise(plan.width * plan.feedForward.width, seed: 3, scale: 0.25),
            bias: hasBias ? DecoderModel.noise(plan.width, seed: 5, scale: 0.5) : nil)
        return edit
    }

    /// Numbers that types of sixteen bits have too, up to `scale`, a power of two.
    static func noise(_ count: Int, seed: Int, scale: Float) -> [Float] {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int(state >> 56) - 128) / 128 * scale
        }
    }
}

extension Stream {
    fileprivate func numbers() throws -> [Float] {
        let staging = try device.makeTensor([layout.tokenCount, width], .float32, for: "a test")
        return try device.floats(of: rows(0..<layout.tokenCount, staging: staging))
    }
}
