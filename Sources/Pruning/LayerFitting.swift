public import Compute
public import LinearAlgebra
public import Linearity
public import Transformers

/// Fits maps that can stand in the place of layers, of blocks of layers, or of sublayers, to the streams of the model
/// itself.
public struct LayerFitting: Sendable {
    public let model: DecoderModel
    public let device: Device
    public let settings: Settings

    /// What to fit, and how.
    public struct Settings: Sendable {
        public var kind = MapKind.leastSquares
        /// Layers that a map stands for together; ascending, and each layer in one of them at most.
        public var blocks: [Range<Int>]
        /// What a map stands for: the layers of a block, or a sublayer, where all blocks are of one layer.
        public var sites: [Site] = [.layer]
        /// Folds of the held-out scores; 1 for none.
        public var foldCount = 5
        /// First tokens of each sequence that are left out.
        public var skippedTokenCount = 0
        /// Of the operands of the forward pass's matrix products.
        public var computeType = ComputeType.f32
        /// Bytes of memory to take at most; nil for 80 % of what is available.
        public var memoryByteCount: Int?

        public init(blocks: [Range<Int>]) { self.blocks = blocks }
    }

    /// A map, and what it stands for.
    public struct PlacedMap: Sendable {
        public let layers: Range<Int>
        public let site: Site
        public let fitted: FittedMap

        /// What it stands for in words: layers 8:12, or layer 3, mlp.
        public var place: String { LayerFitting.place(layers, site) }
    }

    fileprivate static func place(_ layers: Range<Int>, _ site: Site) -> String {
        let place =
            layers.count == 1 ? "layer \(layers.lowerBound)" : "layers \(layers.lowerBound):\(layers.upperBound)"
        return site == .layer ? place : "\(place), \(site.rawValue)"
    }

    public init(model: DecoderModel, device: Device, settings: Settings) {
        self.model = model
        self.device = device
        self.settings = settings
    }

    /// Begins with the embeddings of these tokens; `Run.next()` gives map after map.
    ///
    /// - Parameters:
    ///   - tokens: Ids of all sequences, packed.
    ///   - layout: Their lengths.
    /// - Throws: `PruningError` where blocks are not the model's, or there are too few tokens or too little memory.
    public func run(tokens: [Int32], layout: SequenceLayout) throws(PruningError) -> Run {
        try check()
        return try Run(self, tokens: tokens, layout: layout)
    }

    private func check() throws(PruningError) {
        let (blocks, layerCount) = (settings.blocks, model.plan.layerCount)
        guard !blocks.isEmpty, blocks.allSatisfy({ !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= layerCount }),
            zip(blocks, blocks.dropFirst()).allSatisfy({ $0.upperBound <= $1.lowerBound })
        else { throw .blocks(blocks, layerCount: layerCount) }
        if let block = blocks.first(where: { $0.count > 1 }), settings.sites.contains(where: { $0 != .layer }) {
            throw .sublayersOfBlocks(block: block)
        }
    }
}

// MARK: - Layer by layer

extension LayerFitting {
    /// A pass through the model that stops where there are maps to fit.
    public final class Run {
        /// How the memory is used.
        public let memory: MemoryPlan
        /// The next layer to apply.
        public private(set) var layer = 0
        private let fitting: LayerFitting
        private let forward: Forward
        private let fitter: MapFitter
        private let recorder: SublayerRecorder?
        private var stream: Stream
        /// The block that is being passed, and what entered it.
        private var block: (layers: Range<Int>, x: Stream)?
        private var finished: [PlacedMap] = []

        fileprivate init(
            _ fitting: LayerFitting, tokens: [Int32], layout: SequenceLayout
        ) throws(PruningError) {
            let (model, device, settings) = (fitting.model, fitting.device, fitting.settings)
            let width = model.plan.width
            self.fitting = fitting
            let folds = FoldLayout(layout: layout, foldCount: settings.foldCount)
            let memory = try LayerFitting.plan(fitting, layout: layout, foldCount: folds.foldCount)
            self.memory = memory
            let fitter = try MapFitter(
                device: device, layout: layout, folds: folds, skippedTokenCount: settings.skippedTokenCount,
                width: width, stages: memory.placement != .memory)
            self.fitter = fitter
            // Before hours are spent on the layers in front of the first block.
            do throws(MapError) { try settings.kind.check(count: fitter.tokenCount, width: width) } catch {
                throw .map(error, place: "")
            }
            let last = settings.blocks.last?.upperBound ?? 0
            (forward, recorder, stream) = try transforming { () throws(TransformerError) in
                let forward = try Forward(
                    model: model, device: device, layout: layout, slabTokenCount: memory.slabTokenCount,
                    placement: memory.placement, computeType: settings.computeType,
                    layersReadAhead: memory.readsAhead ? 0..<last : 0..<0)
                let recorder = try SublayerRecorder(
                    sites: settings.sites.compactMap { StepSite(rawValue: $0.rawValue) }, plan: model.plan,
                    layout: layout, device: device, placement: memory.placement)
                return (forward, recorder, try forward.embed(tokens))
            }
        }

        /// The next map, in the order of the layers; nil after the last.
        ///
        /// - Throws: `PruningError`.
        public func next() throws(PruningError) -> PlacedMap? {
            let last = fitting.settings.blocks.last?.upperBound ?? 0
            while finished.isEmpty, layer < last { try applyLayer() }
            return finished.isEmpty ? nil : finished.removeFirst()
        }

        private func applyLayer() throws(PruningError) {
            if let begun = fitting.settings.blocks.first(where: { $0.lowerBound == layer }) { block = (begun, stream) }
            let isFitted = block.map { $0.layers.upperBound == layer + 1 } ?? false
            stream = try transforming { () throws(TransformerError) in
                try forward.apply(layer, to: stream, observer: isFitted ? recorder : nil)
            }
            layer += 1
            guard isFitted, let block else { return }
            self.block = nil
            for site in fitting.settings.sites { finished.append(try map(block.layers, site, x: block.x)) }
        }

        private func map(_ layers: Range<Int>, _ site: Site, x: Stream) throws(PruningError) -> PlacedMap {
            let step = StepSite(rawValue: site.rawValue) ?? .layer
            let (x, y) = recorder?.streams(of: step, x: x, y: stream) ?? (x, stream)
            return PlacedMap(
                layers: layers, site: site,
                fitted: try fitter.fit(
                    x: x, y: y, kind: fitting.settings.kind,
                    place: LayerFitting.place(layers, site)))
        }
    }

    fileprivate static func plan(
        _ fitting: LayerFitting, layout: SequenceLayout, foldCount: Int
    ) throws(PruningError) -> MemoryPlan {
        let (plan, settings) = (fitting.model.plan, fitting.settings)
        let sublayerStreams = settings.sites.contains { $0 != .layer } ? (plan.residual == .parallel ? 2 : 1) : 0
        let blockStreams = settings.blocks.contains { $0.count > 1 } ? 1 : 0
        let device = fitting.device
        let maps =
            MapFitter.byteCount(width: plan.width, foldCount: foldCount, laneCount: device.laneCount)
            + settings.sites.count * plan.width * plan.width * 8
        do throws(LinearityError) {
            return try MemoryPlan(
                plan: plan, layout: layout, streamCount: 2 + sublayerStreams + blockStreams,
                otherByteCount: maps + layout.tokenCount * 4, device: device,
                computeType: settings.computeType, budgetByteCount: settings.memoryByteCount)
        } catch {
            throw .linearity(error)
        }
    }
}
