import Checkpoints
import Compute
import LinearAlgebra
import Linearity
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Cut layers are made up for")
struct PrunerTests {
    @Test("a run of layers gets the map of the stream around it")
    func replace() throws {
        let fixture = try PruningFixture("smollm3/plain")
        let (model, layout) = (fixture.model, fixture.corpus.fit.layout)
        let result = try fixture.pruner(.replace).run(
            CutLayers([1..<3], layerCount: model.plan.layerCount), tokens: fixture.corpus.fit)
        #expect(result.edit.layers.map(\.source) == [0, 1] + Array(3..<model.plan.layerCount))
        let forward = try Forward(model: model, device: fixture.device, layout: layout)
        let x = try forward.apply(0, to: forward.embed(fixture.corpus.fit.ids))
        let y = try forward.apply(2, to: forward.apply(1, to: x))
        let fitter = try MapFitter(
            device: fixture.device, layout: layout, folds: FoldLayout(layout: layout, foldCount: 5),
            width: model.plan.width, stages: false)
        let want = try fitter.fit(x: x, y: y, kind: .leastSquares).map
        let got = try #require(result.edit.layers[1].maps[.layer])
        #expect(got.matrix == want.matrix && got.bias == want.bias)
    }

    @Test("later fits see what earlier cuts made of the stream, unless they are to see the whole model's")
    func order() throws {
        let fixture = try PruningFixture("smollm3/plain")
        let layers = try CutLayers([1..<2, 3..<4], layerCount: fixture.model.plan.layerCount)
        var original = FitSettings()
        original.usesOriginalStreams = true
        let one = try fixture.pruner(.replace).run(layers, tokens: fixture.corpus.fit).fits
        let other = try fixture.pruner(.replace, original).run(layers, tokens: fixture.corpus.fit).fits
        #expect(one[0].fit.matrix == other[0].fit.matrix)
        #expect(one[1].fit.matrix != other[1].fit.matrix)
        // On the stream that they work on, maps fitted on it are the better ones.
        func loss(_ fits: [Pruner.RunFit]) throws -> Double {
            let edit = ModelEdit(
                layers: (0..<4).map { layer in
                    let maps = fits.first { $0.layers.lowerBound == layer }.map { [Site.layer: $0.fit.map] }
                    return ModelEdit.Layer(source: layer, maps: maps ?? [:])
                })
            let streams = try fixture.streams(fixture.model.applying(edit))
            return PruningFixture.squaredDistance(streams[4], try fixture.streams(fixture.model)[4])
        }
        #expect(try loss(one) < loss(other))
    }

    @Test("merges on the whole model's streams do not see what earlier merges made of them")
    func orderOfMerges() throws {
        let fixture = try PruningFixture("smollm3/plain")
        let (first, second) = (try CutLayers([1..<2], layerCount: 4), try CutLayers([3..<4], layerCount: 4))
        let both = try CutLayers([1..<2, 3..<4], layerCount: 4)
        var original = FitSettings()
        original.usesOriginalStreams = true
        func maps(_ layers: CutLayers, _ settings: FitSettings) throws -> [[Double]] {
            try fixture.pruner(.merge, settings).run(layers, tokens: fixture.corpus.fit).fits.map(\.fit.matrix)
        }
        let (got, pruned) = (try maps(both, original), try maps(both, FitSettings()))
        #expect(try got == maps(first, FitSettings()) + maps(second, FitSettings()))
        #expect(got[0] == pruned[0] && got[1] != pruned[1])
    }

    @Test("merged projections are fitted with a penalty by default, maps without")
    func defaultKinds() throws {
        let fixture = try PruningFixture("smollm3/plain")
        let layers = try CutLayers([1..<2], layerCount: 4)
        let fit = try #require(try fixture.pruner(.merge).run(layers, tokens: fixture.corpus.fit).fits.first)
        guard case .ridge(let alpha?) = fit.fit.kind else {
            Issue.record("a merge of the kind \(fit.fit.kind)")
            return
        }
        #expect(alpha > 0)
        #expect(fit.separate?.kind == .leastSquares)
    }

    /// Models with and without biases, input-major projections, parallel sublayers, a factor of what is added.
    private static let mergeable = [
        "llama/linear", "llama/biases", "gpt2/tied", "gptj/partial", "opt/before", "granite/multipliers",
        "granite/biases",
        "cohere/plain", "smollm3/plain",
    ]

    @Test("a merged projection gives what the map makes of the old one's", arguments: mergeable, TestDevice.available)
    func merge(name: String, on testDevice: TestDevice) throws {
        let fixture = try PruningFixture(name, device: testDevice.open())
        let (model, plan) = (fixture.model, fixture.model.plan)
        let last = plan.layerCount - 1
        let layers = try CutLayers([last..<plan.layerCount], layerCount: plan.layerCount)
        let result = try fixture.pruner(.merge).run(layers, tokens: fixture.corpus.fit)
        let map = try #require(result.fits.first).fit.map
        let forward = try Forward(model: model, device: fixture.device, layout: fixture.corpus.fit.layout)
        var stream = try forward.embed(fixture.corpus.fit.ids)
        for layer in 0..<last - 1 { stream = try forward.apply(layer, to: stream) }
        let recorder = try ContributionRecorder(layer: last - 1, beside: stream)
        let kept = try forward.apply(last - 1, to: stream, observer: recorder)
        let want = try fixture.values(forward.apply(map, to: kept, of: recorder.contribution))
        let got = try fixture.streams(model.applying(result.edit))[last]
        let scale = PruningFixture.squaredDistance(want, [Float](repeating: 0, count: want.count))
        #expect(PruningFixture.squaredDistance(got, want) < 1e-9 * scale)
        // Nearer to what leaves the layer that was cut than without the merge.
        let whole = try fixture.streams(model)[last + 1]
        #expect(
            PruningFixture.squaredDistance(got, whole)
                < PruningFixture.squaredDistance(try fixture.values(kept), whole))
    }

    @Test("a bias is added where it is asked for, and brings the stream nearer")
    func addedBias() throws {
        let fixture = try PruningFixture("llama/linear")
        let layers = try CutLayers([1..<2], layerCount: 2)
        var settings = FitSettings()
        settings.addsBiases = true
        let with = try fixture.pruner(.merge, settings).run(layers, tokens: fixture.corpus.fit)
        let without = try fixture.pruner(.merge).run(layers, tokens: fixture.corpus.fit)
        #expect(with.edit.addsFeedForwardBiases && !without.edit.addsFeedForwardBiases)
        #expect(without.edit.layers[0].feedForwardOutput?.bias == nil)
        let whole = try fixture.streams(fixture.model)[2]
        func loss(_ result: Pruner.Result) throws -> Double {
            PruningFixture.squaredDistance(try fixture.streams(fixture.model.applying(result.edit))[1], whole)
        }
        #expect(try loss(with) < loss(without))
    }

    @Test(
        "a sublayer's map brings the stream nearer than nothing in its place",
        arguments: ["llama/linear", "gptj/partial", "gemma2/capped"], [Site.attention, .feedForward])
    func sublayers(name: String, site: Site) throws {
        let fixture = try PruningFixture(name)
        let (model, width) = (fixture.model, fixture.model.plan.width)
        let layers = try CutLayers([0..<1], layerCount: model.plan.layerCount)
        let result = try fixture.pruner(.replace, site: site).run(layers, tokens: fixture.corpus.fit)
        #expect(result.edit.layers.count == model.plan.layerCount)
        var nothing = result.edit
        nothing.layers[0].maps[site] = LinearMap(
            matrix: [Float](repeating: 0, count: width * width), bias: [Float](repeating: 0, count: width))
        let whole = try fixture.streams(model)[1]
        func loss(_ edit: ModelEdit) throws -> Double {
            PruningFixture.squaredDistance(try fixture.streams(model.applying(edit))[1], whole)
        }
        #expect(try loss(result.edit) < loss(nothing))
    }

    @Test("layers behind a linear map are not merged, in plans neither, and its sublayers are none")
    func behindMaps() throws {
        let fixture = try PruningFixture("smollm3/plain")
        let maps = try fixture.pruner(.replace).run(
            CutLayers([1..<2], layerCount: 4), tokens: fixture.corpus.fit)
        let model = try fixture.model.applying(maps.edit)
        func pruner(_ mode: PruningMode, _ site: Site = .layer) -> Pruner {
            Pruner(model: model, device: fixture.device, mode: mode, site: site)
        }
        let behind = try CutLayers([2..<3], layerCount: 4)
        #expect(throws: PruningError.self) { try pruner(.merge).check(behind) }
        try pruner(.merge).check(CutLayers([3..<4], layerCount: 4))
        #expect(throws: PruningError.self) {
            try pruner(.replace, .attention).check(CutLayers([1..<2], layerCount: 4))
        }
        var settings = Planner.Settings()
        settings.mode = .merge
        let plan = try Planner(model: model, device: fixture.device, settings: settings).run(fixture.corpus)
        #expect(plan.candidates.map(\.layers) == [1..<2, 3..<4])
    }

    @Test("what cannot be merged is refused")
    func refusals() throws {
        let llama = try PruningFixture("llama/linear")
        let first = try CutLayers([0..<1], layerCount: 2)
        let error = #expect(throws: PruningError.self) { try llama.pruner(.merge).check(first) }
        #expect("\(try #require(error))".contains("no layer before them"))
        for name in ["gemma2/capped", "gemma3_text/pattern", "olmo2/plain", "opt/after"] {
            let fixture = try PruningFixture(name)
            let layers = try CutLayers([1..<2], layerCount: fixture.model.plan.layerCount)
            let error = #expect(throws: PruningError.self) { try fixture.pruner(.merge).check(layers) }
            #expect("\(try #require(error))".contains("norm stands behind"))
        }
    }

    @Test("a calibration set shorter than the width asks for is refused")
    func tooFewTokens() throws {
        let fixture = try PruningFixture("llama/linear", sequences: 2)
        let layers = try CutLayers([1..<2], layerCount: 2)
        let error = #expect(throws: PruningError.self) {
            try fixture.pruner(.replace).run(layers, tokens: TokenBatch([[1, 2, 3]]))
        }
        #expect("\(try #require(error))".contains("tokens"))
    }

    @Test("too little memory for a fit is refused before anything is computed", arguments: PruningMode.allCases)
    func tooLittleMemory(mode: PruningMode) throws {
        let fixture = try PruningFixture("smollm3/plain")
        let layers = try CutLayers([1..<2], layerCount: fixture.model.plan.layerCount)
        let pruner = Pruner(
            model: fixture.model, device: fixture.device, mode: mode, memoryByteCount: 1000)
        // Layers that are left out only take none.
        if mode == .remove { return try pruner.check(layers, tokens: fixture.corpus.fit) }
        let job = PruningJob(model: fixture.model, device: fixture.device, pruner: pruner, corpus: fixture.corpus)
        var stages: [String] = []
        let error = #expect(throws: PruningError.self) {
            _ = try job.run(layers, curve: [], progress: { stage, _ in stages.append(stage) }, write: nil)
        }
        #expect("\(try #require(error))".contains("give a larger --memory"))
        #expect(stages.isEmpty)
    }
}
