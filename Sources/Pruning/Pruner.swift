public import Compute
import LinearAlgebra
import Linearity
public import Tensors
public import Transformers

/// Cuts layers out of a model: fits what takes their place, and says what becomes of the layers.
///
/// Two streams go through the layers: that of the model, and that of the model as it is cut so far. Each fit takes the cut
/// one, as it enters the layers, to what leaves them in the whole model, so that a fit also makes up for what the cuts before
/// it have changed. Where maps are fitted on the whole model's streams, they are the only ones.
public struct Pruner: Sendable {
    public let model: DecoderModel
    public let device: Device
    public let mode: PruningMode
    public let fit: FitSettings
    public let site: Site
    public let computeType: ComputeType
    public let memoryByteCount: Int?

    /// What was done, and how well each run of layers is made up for.
    public struct Result: Sendable {
        public var edit: ModelEdit
        /// Of each run, in order; empty where layers are left out only.
        public var fits: [RunFit]
    }

    /// The fit that takes the place of a run of layers.
    public struct RunFit: Sendable {
        public let layers: Range<Int>
        public let fit: FittedMap
        /// In `merge` what a separate map would do on the same tokens, for comparison; nil where there are too few for it.
        public var separate: FittedMap?
    }

    /// - Parameters:
    ///   - site: With `replace`, the sublayers of each layer that maps stand for; `layer` for whole runs.
    ///   - memoryByteCount: nil for 80 % of what is free.
    public init(
        model: DecoderModel, device: Device, mode: PruningMode, fit: FitSettings = FitSettings(), site: Site = .layer,
        computeType: ComputeType = .f32, memoryByteCount: Int? = nil
    ) {
        self.model = model
        self.device = device
        self.mode = mode
        self.fit = fit
        self.site = site
        self.computeType = computeType
        self.memoryByteCount = memoryByteCount
    }

    /// Checks that the layers can be cut in this way.
    ///
    /// - Parameter tokens: What fits are made on, which have to be enough, and to leave enough memory; nil where they are
    ///   not known yet.
    /// - Throws: `PruningError`.
    public func check(_ layers: CutLayers, tokens: TokenBatch? = nil) throws(PruningError) {
        if mode == .merge {
            guard model.plan.normPlacement == .before else { throw .normBehind(family: model.plan.family) }
            for run in layers.runs where !model.plan.canMerge(behind: run.lowerBound - 1) { throw .nothingBefore(run) }
        }
        if site != .layer, let layer = layers.cut.first(where: { !model.plan.layers[$0].linearSites.isEmpty }) {
            throw .linearLayer(layer)
        }
        if let tokens, mode != .remove {
            try fit.check(mode, tokens, width: model.plan.width)
            _ = try memory(tokens.layout, layers)
        }
    }

    /// Cuts the layers.
    ///
    /// - Parameters:
    ///   - layers: Which.
    ///   - tokens: What fits are made on; unused where layers are left out only.
    ///   - progress: Called after each layer, with how many are done, and how many there are.
    /// - Throws: `PruningError`: too few tokens, maps that are not finite, and what the forward pass throws.
    public func run(
        _ layers: CutLayers, tokens: TokenBatch, progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
    ) throws(PruningError) -> Result {
        try check(layers, tokens: tokens)
        if mode == .remove { return Result(edit: ModelEdit(keeping: layers.kept), fits: []) }
        let memory = try memory(tokens.layout, layers)
        let forward = try transforming { () throws(TransformerError) in
            try Forward(
                model: model, device: device, layout: tokens.layout, slabTokenCount: memory.slabTokenCount,
                placement: memory.placement, computeType: computeType,
                layersReadAhead: memory.readsAhead ? 0..<(layers.cut.last ?? 0) + 1 : 0..<0)
        }
        var run = try PruningRun(self, layers, forward, tokens, stages: memory.placement != .memory)
        return try run.result(progress)
    }

    private func memory(_ layout: SequenceLayout, _ layers: CutLayers) throws(PruningError) -> MemoryPlan {
        let streamCount = mode == .merge ? 6 : 4
        let (width, inner) = (model.plan.width, model.plan.feedForward.width)
        let foldCount = FoldLayout(layout: layout, foldCount: fit.foldCount).foldCount
        // Kept to the end: maps as they were fitted, in merges two of each run, and what is put into the model. While a
        // projection changes, it is there in float64 before and after.
        let mapByteCount = mode == .merge ? 20 * width * width + 4 * width * inner : 12 * width * width
        let workByteCount = mode == .merge ? 8 * (width * width + 3 * width * inner) : 0
        let runCount = site == .layer ? layers.runs.count : layers.cut.count
        return try measuring { () throws(LinearityError) in
            try MemoryPlan(
                plan: model.plan, layout: layout, streamCount: streamCount,
                otherByteCount: MapFitter.byteCount(width: width, foldCount: foldCount, laneCount: device.laneCount)
                    + 8 * layout.tokenCount + runCount * mapByteCount + workByteCount, device: device,
                computeType: computeType, budgetByteCount: memoryByteCount)
        }
    }
}

/// One run of a pruner, from the first layer to the last that is cut.
private struct PruningRun {
    private let pruner: Pruner
    private let layers: CutLayers
    private let forward: Forward
    private let fitter: RunFitter
    private let mergeFitter: RunFitter
    /// The stream of the whole model, and that of the cut one; the same while nothing is cut.
    private var original: Stream
    private var cut: Stream
    private var edit = ModelEdit(layers: [])
    private var fits: [Pruner.RunFit] = []

    init(
        _ pruner: Pruner, _ layers: CutLayers, _ forward: Forward, _ tokens: TokenBatch, stages: Bool
    ) throws(PruningError) {
        self.pruner = pruner
        self.layers = layers
        self.forward = forward
        let plan = pruner.model.plan
        fitter = try RunFitter(
            pruner.fit, kind: pruner.fit.kind, device: pruner.device, layout: tokens.layout, width: plan.width,
            stages: stages)
        mergeFitter = try RunFitter(
            pruner.fit, kind: pruner.fit.mergedKind, device: pruner.device, layout: tokens.layout, width: plan.width,
            stages: stages,
            hasIntercept: pruner.fit.addsBiases || plan.biases.contains(.feedForwardOutput))
        original = try transforming { () throws(TransformerError) in try forward.embed(tokens.ids) }
        cut = original
        edit.addsFeedForwardBiases = pruner.addsFeedForwardBiases
    }

    mutating func result(_ progress: (Int, Int) -> Void) throws(PruningError) -> Pruner.Result {
        let last = (layers.cut.last ?? -1) + 1
        var layer = 0
        while layer < last {
            if let run = layers.run(at: layer) {
                try replace(run)
                layer = run.upperBound
            } else {
                try keep(layer)
                layer += 1
            }
            progress(layer, last)
        }
        edit.layers += (last..<layers.layerCount).map { ModelEdit.Layer(source: $0) }
        return Pruner.Result(edit: edit, fits: fits)
    }

    // MARK: Kept layers

    private mutating func keep(_ layer: Int) throws(PruningError) {
        if pruner.mode == .merge, let run = layers.run(at: layer + 1) { return try merge(run, into: layer) }
        let streams = cut === original ? [cut] : [cut, original]
        let leaving = try transforming { () throws(TransformerError) in try forward.apply(layer, to: streams) }
        (cut, original) = (leaving[0], leaving[leaving.count - 1])
        edit.layers.append(ModelEdit.Layer(source: layer))
    }

    // MARK: Cut layers

    private mutating func replace(_ run: Range<Int>) throws(PruningError) {
        // Merged layers were met with the layer before them.
        if pruner.mode == .merge { return }
        if pruner.site != .layer { return try replaceSublayers(run) }
        let entering = cut
        try skip(run)
        let fit = try fitter.fit(x: entering, y: original, of: run)
        try advance { forward throws(TransformerError) in try forward.apply(fit.map, to: entering) }
        edit.layers.append(ModelEdit.Layer(source: run.lowerBound, maps: [.layer: fit.map]))
        fits.append(Pruner.RunFit(layers: run, fit: fit))
    }

    /// Takes the cut model's stream on. Where maps are fitted on the whole model's streams, that is the only one.
    private mutating func advance(_ next: (Forward) throws(TransformerError) -> Stream) throws(PruningError) {
        guard !pruner.fit.usesOriginalStreams else { return cut = original }
        cut = try transforming { () throws(TransformerError) in try next(forward) }
    }

    /// Takes the whole model's stream through cut layers.
    private mutating func skip(_ run: Range<Int>) throws(PruningError) {
        for layer in run {
            let stream = original
            original = try transforming { () throws(TransformerError) in try forward.apply(layer, to: stream) }
        }
    }

    /// The last projection of a kept layer takes the place of the layers after it.
    private mutating func merge(_ run: Range<Int>, into layer: Int) throws(PruningError) {
        let (stream, whole) = (cut, original)
        let (recorder, leaving) = try transforming { () throws(TransformerError) in
            let recorder = try ContributionRecorder(layer: layer, beside: stream)
            let streams = stream === whole ? [stream] : [stream, whole]
            return (recorder, try forward.apply(layer, to: streams, observer: recorder))
        }
        let kept = leaving[0]
        original = leaving[leaving.count - 1]
        try skip(run)
        let (contribution, goal) = (recorder.contribution, original)
        let target = try transforming { () throws(TransformerError) in
            try forward.sum(contribution, goal, minus: kept)
        }
        let fit = try mergeFitter.fit(x: contribution, y: target, of: run)
        try advance { forward throws(TransformerError) in try forward.apply(fit.map, to: kept, of: contribution) }
        var edited = ModelEdit.Layer(source: layer)
        edited.feedForwardOutput = try mergedProjection(of: layer, fit.map)
        edit.layers.append(edited)
        fits.append(Pruner.RunFit(layers: run, fit: fit, separate: try separateFit(x: kept, y: goal, of: run)))
    }

    /// The map that `replace` would put in the place of merged layers; nil of too few tokens for one.
    private func separateFit(x: Stream, y: Stream, of run: Range<Int>) throws(PruningError) -> FittedMap? {
        do throws(PruningError) {
            return try fitter.fit(x: x, y: y, of: run)
        } catch .map {
            return nil
        }
    }

    /// W ← TᵀW with T = I + matrix, and b ← b·T + bias.
    private func mergedProjection(of layer: Int, _ map: LinearMap) throws(PruningError) -> EditedProjection {
        let (device, plan) = (pruner.device, pruner.model.plan)
        let stored = try transforming { () throws(TransformerError) in
            try pruner.model.feedForwardOutput(of: layer, on: device)
        }
        let (width, inner) = (plan.width, plan.feedForward.width)
        let weight: [Float]
        do {
            var transform = map.matrix.map(Double.init)
            for i in 0..<width { transform[i * width + i] += 1 }
            let t = try device.makeTensor(transform, [width, width], for: "a merged map")
            let w = try device.makeTensor(stored.weight.map(Double.init), [width, inner], for: "a projection")
            let product = try device.makeTensor([width, inner], .float64, for: "a merged projection")
            try device.product(t, w, transposesA: true, into: product)
            weight = try device.doubles(of: product).map { Float($0) }
        } catch { throw .transformer(.compute(error)) }
        guard stored.bias != nil || edit.addsFeedForwardBiases else {
            return EditedProjection(weight: weight, bias: nil)
        }
        var bias = map.bias.map { Double($0) / Double(plan.residualScale) }
        for (row, value) in (stored.bias ?? []).enumerated() where value != 0 {
            bias[row] += Double(value)
            for column in 0..<width { bias[column] += Double(value) * Double(map.matrix[row * width + column]) }
        }
        return EditedProjection(weight: weight, bias: bias.map { Float($0) })
    }
}

// MARK: - Sublayers

extension DecoderPlan {
    /// Whether a layer has an MLP's projection that can take up what the layers behind it did.
    func canMerge(behind layer: Int) -> Bool {
        layers.indices.contains(layer) && layers[layer].linearSites.isDisjoint(with: [.layer, .feedForward])
    }
}

extension PruningRun {
    /// A map in the place of one sublayer of each layer, fitted on the stream before its norm.
    private mutating func replaceSublayers(_ run: Range<Int>) throws(PruningError) {
        for layer in run {
            let (whole, stream) = (original, cut)
            let (x, y) = try sublayerStreams(layer, whole: whole, stream)
            let fit = try fitter.fit(x: x, y: y, of: layer..<layer + 1)
            let edited = ModelEdit.Layer(source: layer, maps: [pruner.site: fit.map])
            try advance { [pruner] forward throws(TransformerError) in
                let model = try pruner.model.applying(ModelEdit(layers: [edited]))
                return try forward.replacingModel(model).apply(0, to: stream)
            }
            edit.layers.append(edited)
            fits.append(Pruner.RunFit(layers: layer..<layer + 1, fit: fit))
        }
    }

    /// What a sublayer's map is fitted on; the whole model's stream goes through the layer.
    ///
    /// Where sublayers stand side by side, the goal is what leaves the whole model's layer, less what the other sublayer adds.
    private mutating func sublayerStreams(
        _ layer: Int, whole: Stream, _ stream: Stream
    ) throws(PruningError) -> (x: Stream, y: Stream) {
        let plan = pruner.model.plan
        let isParallel = plan.residual == .parallel
        let site: StepSite = pruner.site == .attention ? .attention : .feedForward
        let other: StepSite = pruner.site == .attention ? .feedForward : .attention
        return try transforming { () throws(TransformerError) in
            func record(_ site: StepSite, of stream: Stream) throws(TransformerError) -> (x: Stream, y: Stream) {
                let recorder = try SublayerRecorder(
                    sites: [site], plan: plan, layout: stream.layout, device: stream.device,
                    placement: stream.placementKind)
                let leaving = try forward.apply(layer, to: stream, observer: recorder)
                if stream === whole { original = leaving }
                return recorder?.streams(of: site, x: stream, y: leaving) ?? (stream, leaving)
            }
            let goal = try record(isParallel ? .layer : site, of: whole).y
            if isParallel {
                let withOther = try record(other, of: stream).y
                return (stream, try forward.sum(original, stream, minus: withOther))
            }
            return (site == .attention ? stream : try record(site, of: stream).x, goal)
        }
    }
}

// MARK: - Export

extension Pruner {
    /// Looks whether the model without these layers can be written as a Hugging Face folder.
    ///
    /// - Throws: `ExportError`.
    public func checkExport(_ layers: CutLayers, elementType: ElementType? = nil) throws(ExportError) {
        var kept = layers.kept.map { (source: $0, sites: Set<Site>()) }
        if mode == .replace {
            let replaced = site == .layer ? layers.runs.map(\.lowerBound) : layers.cut
            kept += replaced.map { (source: $0, sites: [site]) }
        }
        try HuggingFaceExport.check(
            model, layers: kept.sorted { $0.source < $1.source }, addsFeedForwardBiases: addsFeedForwardBiases,
            elementType: elementType)
    }

    /// Looks whether the model without these layers can be written as a GGUF file; nothing is left.
    ///
    /// - Parameter path: A file beside which something can be written.
    /// - Throws: `ExportError`.
    public func checkGGUFExport(
        _ layers: CutLayers, projectionType: ElementType?, beside path: String
    ) throws(ExportError) {
        guard mode != .replace else {
            throw .inexpressible(
                path: model.checkpoint.path,
                problem: "llama.cpp has no layer that is a linear map; use --mode merge or remove, or "
                    + GGUFExport.otherFormat(model.plan.family))
        }
        var edit = ModelEdit(keeping: layers.kept)
        edit.addsFeedForwardBiases = addsFeedForwardBiases
        try GGUFExport(model, edit: edit, projectionType: projectionType).rehearse(beside: path)
    }

    /// Whether projections get biases where the model has none.
    var addsFeedForwardBiases: Bool {
        mode == .merge && fit.addsBiases && !model.plan.biases.contains(.feedForwardOutput)
    }
}
