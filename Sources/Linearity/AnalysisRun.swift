import Transformers

/// One run of an analysis, from the first layer to the last.
struct AnalysisRun {
    private let analysis: Analysis
    private let tokens: [Int32]
    private let layout: SequenceLayout
    private let layers: Range<Int>
    private let memory: MemoryPlan
    private let folds: FoldLayout
    private let store: (any AnalysisStore)?
    private let forward: Forward
    private let measurement: LayerMeasurement
    private let recorder: SublayerRecorder?

    init(
        analysis: Analysis, tokens: [Int32], layout: SequenceLayout, layers: Range<Int>, folds: FoldLayout,
        memory: MemoryPlan, store: (any AnalysisStore)?
    ) throws(LinearityError) {
        self.analysis = analysis
        self.tokens = tokens
        self.layout = layout
        self.layers = layers
        self.folds = folds
        self.memory = memory
        self.store = store
        let (model, device, settings) = (analysis.model, analysis.device, analysis.settings)
        (forward, measurement, recorder) = try transforming { () throws(TransformerError) in
            (
                try Forward(
                    model: model, device: device, layout: layout, slabTokenCount: memory.slabTokenCount,
                    placement: memory.placement, computeType: settings.computeType,
                    layersReadAhead: memory.readsAhead ? 0..<layers.upperBound : 0..<0),
                try LayerMeasurement(
                    device: device, layout: layout, folds: folds, skippedTokenCount: settings.skippedTokenCount,
                    width: model.plan.width, stages: memory.placement != .memory,
                    measuresTokenErrors: settings.measuresTokenErrors),
                try SublayerRecorder(
                    sites: settings.sites, plan: model.plan, layout: layout, device: device,
                    placement: memory.placement)
            )
        }
    }

    func run(_ progress: (Analysis.Progress) -> Void) throws(LinearityError) -> Analysis.Result {
        var (total, forwardSeconds) = (Stopwatch(), 0.0)
        var elapsed = 0.0
        let finished = store?.finishedLayers ?? [:]
        var results = finished
        var (first, stream) = try start(finished)
        forwardSeconds += total.lap()
        while first < layers.upperBound {
            let layer = first
            var stopwatch = Stopwatch()
            let isMeasured = layers.contains(layer) && finished[layer] == nil
            let entering = stream
            stream = try transforming { () throws(TransformerError) in
                try forward.apply(layer, to: entering, observer: isMeasured ? recorder : nil)
            }
            forwardSeconds += stopwatch.lap()
            if isMeasured {
                let result = try measure(layer, x: entering, y: stream, &forwardSeconds)
                results[layer] = result
                try store?.keep(result, seconds: seconds(forward: forwardSeconds))
            }
            first += 1
            elapsed += total.lap()
            if first < layers.upperBound { try store?.keep(stream, entering: first, secondsSoFar: elapsed) }
            progress(
                Analysis.Progress(
                    completedLayerCount: first, layerCount: layers.upperBound, resumedLayerCount: finished.count,
                    tokenCount: layout.tokenCount, seconds: elapsed))
        }
        return result(layers.compactMap { results[$0] }, seconds(forward: forwardSeconds))
    }

    /// Where to begin: at a stream that was kept and whose earlier layers are all finished, or at the embeddings.
    private func start(_ finished: [Int: LayerResult]) throws(LinearityError) -> (layer: Int, stream: Stream) {
        let firstUnfinished = layers.first { finished[$0] == nil } ?? layers.upperBound
        // All layers are finished: nothing has to be computed but the table.
        if let store {
            let stream = try transforming { () throws(TransformerError) in
                try Stream(
                    layout: layout, width: analysis.model.plan.width, device: analysis.device,
                    placement: memory.placement)
            }
            if firstUnfinished == layers.upperBound { return (firstUnfinished, stream) }
            if let layer = try store.restore(into: stream, enteringAtMost: firstUnfinished) { return (layer, stream) }
        }
        return (0, try transforming { () throws(TransformerError) in try forward.embed(tokens) })
    }

    private func measure(
        _ layer: Int, x: Stream, y: Stream, _ forwardSeconds: inout Double
    ) throws(LinearityError) -> LayerResult {
        var result = LayerResult(layer: layer, steps: [])
        for site in StepSite.allCases where analysis.settings.sites.contains(site) {
            let pair = recorder?.streams(of: site, x: x, y: y) ?? (x, y)
            result.steps.append(try step(site, x: pair.0, y: pair.1))
        }
        if layer == analysis.model.plan.layerCount - 1, analysis.settings.sites.contains(.layer) {
            var stopwatch = Stopwatch()
            let normed = try transforming { () throws(TransformerError) in try forward.finalNorm(y, into: y) }
            forwardSeconds += stopwatch.lap()
            result.steps.append(try step(.finalNorm, x: x, y: normed))
        }
        return result
    }

    private func step(_ site: StepSite, x: Stream, y: Stream) throws(LinearityError) -> LayerResult.MeasuredStep {
        try transforming { () throws(TransformerError) in
            LayerResult.MeasuredStep(site: site, views: try measurement.measure(x: x, y: y))
        }
    }

    /// Seconds by stage, with those that earlier runs spent on the layers that they finished.
    private func seconds(forward: Double) -> Analysis.Seconds {
        var seconds = store?.earlierSeconds ?? Analysis.Seconds()
        seconds.forward += forward
        seconds.moments += measurement.momentSeconds
        seconds.solve += measurement.solveSeconds
        seconds.tokenErrors += measurement.tokenErrorSeconds
        return seconds
    }

    private func result(_ layers: [LayerResult], _ seconds: Analysis.Seconds) -> Analysis.Result {
        var views = emptyViews()
        for layer in layers {
            for step in layer.steps {
                for (view, measured) in step.views.enumerated() {
                    views[view].steps.append(
                        StepResult(
                            layer: layer.layer, site: step.site, figures: measured.figures,
                            tokenErrors: measured.tokenErrors.flatMap { TokenErrorFigures($0) }))
                    views[view].tokenErrors.append(measured.tokenErrors)
                }
            }
        }
        return Analysis.Result(views: views, folds: folds, memory: memory, seconds: seconds)
    }

    private func emptyViews() -> [Analysis.ViewResult] {
        let all = Analysis.ViewResult(view: .allTokens, tokenCount: layout.tokenCount)
        let skipped = analysis.settings.skippedTokenCount
        guard skipped > 0 else { return [all] }
        let count = layout.lengths.reduce(0) { $0 + max(0, $1 - skipped) }
        return [all, Analysis.ViewResult(view: .withoutFirstTokens(skipping: skipped), tokenCount: count)]
    }
}

/// Runs `body`, and rethrows the engine's error as the instrument's.
func transforming<Result>(_ body: () throws(TransformerError) -> Result) throws(LinearityError) -> Result {
    do { return try body() } catch { throw .transformer(error) }
}
