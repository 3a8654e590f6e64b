import Checkpoints
import Compute
import Linearity
import TestSupport
import Testing
import Transformers

@Suite("An analysis of a small model")
struct AnalysisTests {
    @Test("memory, scratch file, slabs and lanes change no score")
    func placement() throws {
        let reference = try SmallAnalysis().run()
        var settings = Analysis.Settings()
        // Just enough for the work, not for the streams.
        let needed = reference.memory.workingByteCount
        settings.memoryByteCount = needed + reference.memory.streamByteCount / 2
        let staged = try SmallAnalysis(settings: settings).run()
        #expect(reference.memory.placement == .memory && staged.memory.placement == .scratchFile)
        let oneLane = try SmallAnalysis(laneCount: 1).run()
        let threeLanes = try SmallAnalysis(laneCount: 3).run()
        for other in [staged, oneLane, threeLanes] {
            for (a, b) in zip(scores(reference), scores(other)) { #expect(abs(a - b) < 1e-9) }
        }
    }

    @Test("the kernels of a GPU give the scores of the CPU", .needsEmulation)
    func emulated() throws {
        var settings = Analysis.Settings()
        settings.sites = [.layer, .attention, .feedForward]
        let reference = try SmallAnalysis(settings: settings).run()
        let other = try SmallAnalysis(settings: settings, device: .emulated()).run()
        let (wanted, got) = (scores(reference), scores(other))
        #expect(wanted.count > 50 && wanted.count == got.count)
        for (a, b) in zip(wanted, got) { #expect(abs(a - b) < 1e-6) }
    }

    @Test("a GPU's memory that is too small for streams, or for two layers, changes no bit", .needsEmulation)
    func placementBesideDevice() throws {
        let reference = try SmallAnalysis(device: .emulated()).run()
        #expect(reference.memory.placement == .memory && reference.memory.readsAhead)
        let (working, streams) = (reference.memory.workingByteCount, reference.memory.streamByteCount)
        var settings = Analysis.Settings()
        for (budget, placement, readsAhead) in [
            (working + streams - 1, Stream.PlacementKind.memory, false), (working, .hostMemory, true),
            (working - 1, .hostMemory, false),
        ] {
            settings.memoryByteCount = budget
            let other = try SmallAnalysis(settings: settings, device: .emulated()).run()
            #expect(other.memory.placement == placement && other.memory.readsAhead == readsAhead)
            #expect(other.memory.byteCount <= budget)
            #expect(scores(other) == scores(reference))
        }
    }

    @Test("scores are those of explicit least squares in float64 on the same streams")
    func explicitLeastSquares() throws {
        let analysis = try SmallAnalysis()
        let result = try analysis.run()
        for (layer, streams) in try analysis.streams().enumerated() {
            let judged = NormalEquations(x: streams.x, y: streams.y, width: analysis.width)
            let figures = try #require(result.views.first?.layers[layer].figures)
            #expect(abs(try #require(figures.linearity.value) - judged.linearity) < 1e-6)
            #expect(abs(try #require(figures.linearityWithoutResidual.value) - judged.withoutResidual) < 1e-6)
            #expect(figures.rank.value == Double(analysis.width))
        }
    }

    @Test("the second view leaves out the first tokens, and none where none are skipped")
    func views() throws {
        let both = try SmallAnalysis().run()
        #expect(both.views.map(\.view) == [.allTokens, .withoutFirstTokens(skipping: 1)])
        #expect(both.views[1].tokenCount == both.views[0].tokenCount - SmallAnalysis.lengths.count)
        var settings = Analysis.Settings()
        settings.skippedTokenCount = 0
        #expect(try SmallAnalysis(settings: settings).run().views.map(\.view) == [.allTokens])
    }

    @Test("layers that were not asked for are not measured, and the final norm only after the last")
    func layers() throws {
        var settings = Analysis.Settings()
        settings.layers = 0..<1
        let result = try SmallAnalysis(settings: settings).run()
        #expect(result.views[0].layers.map(\.layer) == [0])
        #expect(result.views[0].finalNorm == nil)
        settings.layers = 1..<5
        #expect(throws: LinearityError.self) { try SmallAnalysis(settings: settings).run() }
    }

    @Test("no more tokens than columns are refused")
    func tooFewTokens() throws {
        let error = #expect(throws: LinearityError.self) { try SmallAnalysis(lengths: [20, 12]).run() }
        #expect("\(try #require(error))".contains("32 tokens for a stream of width 32"))
    }

    @Test("held-out scores are absent, with a reason, where folds leave too few tokens to train on")
    func tooFewToTrainOn() throws {
        let result = try SmallAnalysis(lengths: [20, 15]).run()
        let figures = try #require(result.views.first?.layers.first?.figures)
        #expect(figures.linearity.value != nil)
        #expect(figures.linearityHeldOut.value == nil)
        #expect(try #require(figures.linearityHeldOut.reason).contains("too few"))
    }

    @Test("a memory that holds not even one sequence is refused with what was needed")
    func memoryRefused() throws {
        var settings = Analysis.Settings()
        settings.memoryByteCount = 1000
        let error = #expect(throws: LinearityError.self) { try SmallAnalysis(settings: settings).run() }
        #expect("\(try #require(error))".contains("--memory"))
    }

    private func scores(_ result: Analysis.Result) -> [Double] {
        result.views.flatMap { view in
            view.steps.flatMap { row in
                [
                    row.figures.linearity, row.figures.linearityWithoutResidual, row.figures.linearityHeldOut,
                    row.figures.linearityWithoutResidualHeldOut, row.figures.orthogonalProcrustes,
                    row.figures.anisotropy, row.figures.contribution.mean, row.figures.cosine.mean,
                ].compactMap(\.value)
            }
        }
    }
}
