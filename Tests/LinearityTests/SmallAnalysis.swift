import Checkpoints
import Compute
import Linearity
import Synchronization
import Tensors
import Transformers

/// The tied fixture on ragged sequences of pseudo-random tokens.
struct SmallAnalysis {
    static let lengths = [1, 40, 33, 64, 7, 64, 50, 64, 12, 64, 64, 30, 64, 2, 41]
    private(set) var model: DecoderModel
    let device: Device
    private let settings: Analysis.Settings
    let layout: SequenceLayout
    let tokens: [Int32]

    var width: Int { model.plan.width }

    init(
        settings: Analysis.Settings = .init(), laneCount: Int = 2, lengths: [Int] = SmallAnalysis.lengths,
        isParallel: Bool = false, device: Device? = nil
    ) throws {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(
            separator: "/")
        model = try DecoderModel(Checkpoint.open("\(folder)/TransformersTests/Fixtures/llama-tied"))
        if isParallel { model.plan.residual = .parallel }
        self.device = device ?? .host(laneCount: laneCount)
        self.settings = settings
        layout = SequenceLayout(lengths: lengths)
        var state: UInt64 = 1
        tokens = (0..<layout.tokenCount).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32(state >> 58)
        }
    }

    func run(store: (any AnalysisStore)? = nil) throws -> Analysis.Result {
        try Analysis(model: model, device: device, settings: settings)
            .run(tokens: tokens, layout: layout, store: store)
    }

    /// X and Y of every layer.
    func streams() throws -> [(x: [Float], y: [Float])] {
        let forward = try Forward(model: model, device: device, layout: layout)
        var stream = try forward.embed(tokens)
        var pairs: [(x: [Float], y: [Float])] = []
        for layer in 0..<model.plan.layerCount {
            let next = try forward.apply(layer, to: stream)
            let rows = 0..<layout.tokenCount
            pairs.append(
                (
                    try device.floats(of: stream.rows(rows, staging: nil)),
                    try device.floats(of: next.rows(rows, staging: nil))
                ))
            stream = next
        }
        return pairs
    }

    /// X and Y of attention's and of the MLP's step in every layer, as an observer sees them.
    func sublayerStreams() throws -> [(site: StepSite, x: [Float], y: [Float])] {
        let forward = try Forward(model: model, device: device, layout: layout)
        var stream = try forward.embed(tokens)
        var streams: [(site: StepSite, x: [Float], y: [Float])] = []
        for layer in 0..<model.plan.layerCount {
            let recorder = Recorder(device: device)
            stream = try forward.apply(layer, to: stream, observer: recorder)
            for site in [StepSite.attention, .feedForward] {
                let slabs = recorder.seen.withLock { $0 }.filter { $0.site == site }.sorted {
                    $0.firstRow < $1.firstRow
                }
                streams.append((site, slabs.flatMap(\.x), slabs.flatMap(\.y)))
            }
        }
        return streams
    }

    private final class Recorder: Observer {
        let device: Device
        let seen = Mutex<[(site: StepSite, firstRow: Int, x: [Float], y: [Float])]>([])

        init(device: Device) { self.device = device }

        func wants(_ site: Site, layer: Int) -> Bool { site != .layer }

        func observe(
            _ site: Site, layer: Int, rows: Range<Int>, x: Tensor, contribution: Tensor
        ) throws(TransformerError) {
            do throws(ComputeError) {
                let (x, b) = (try device.floats(of: x), try device.floats(of: contribution))
                seen.withLock {
                    $0.append((site == .attention ? .attention : .feedForward, rows.lowerBound, x, zip(x, b).map(+)))
                }
            } catch {
                throw .compute(error)
            }
        }
    }
}
