import Checkpoints
import Compute
import Linearity
import Pruning
import Testing
import Transformers

/// A small model, and tokens that maps can be fitted on.
struct PruningFixture {
    let model: DecoderModel
    let device: Device
    let corpus: CalibrationCorpus

    /// - Parameter name: One of the catalogue of all families.
    init(_ name: String, device: Device = .host(laneCount: 2), sequences: Int = 24) throws {
        let model = try ExportFixture.named(name).model()
        self.model = model
        self.device = device
        let length = min(12, model.plan.maximumPositions)
        var state: UInt64 = 3
        let ids = (0..<sequences).map { _ in
            (0..<length).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int32(state >> 40) % Int32(model.plan.vocabularySize)
            }
        }
        corpus = try CalibrationCorpus(ids, heldOutTokenCount: sequences * length / 4)
    }

    func pruner(_ mode: PruningMode, _ fit: FitSettings = FitSettings(), site: Site = .layer) -> Pruner {
        Pruner(model: model, device: device, mode: mode, fit: fit, site: site)
    }

    /// The stream after each layer of a model, on the tokens of the fits; the first enters layer 0.
    func streams(_ model: DecoderModel) throws -> [[Float]] {
        let forward = try Forward(model: model, device: device, layout: corpus.fit.layout)
        var stream = try forward.embed(corpus.fit.ids)
        var all = [try values(stream)]
        for layer in 0..<model.plan.layerCount {
            stream = try forward.apply(layer, to: stream)
            all.append(try values(stream))
        }
        return all
    }

    func values(_ stream: Transformers.Stream) throws -> [Float] {
        let staging = try device.makeTensor([stream.layout.tokenCount, stream.width], .float32, for: "a test")
        return try device.floats(of: stream.rows(0..<stream.layout.tokenCount, staging: staging))
    }

    static func squaredDistance(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    }
}
