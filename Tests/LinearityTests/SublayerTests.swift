import Linearity
import Testing

@Suite("Steps of the sublayers")
struct SublayerTests {
    @Test("attention and MLP are measured beside the layer, whose figures do not change")
    func beside() throws {
        let alone = try SmallAnalysis().run()
        var settings = Analysis.Settings()
        settings.sites = [.layer, .attention, .feedForward]
        let both = try SmallAnalysis(settings: settings).run()
        for (a, b) in zip(alone.views, both.views) {
            #expect(a.layers == b.layers)
            #expect(a.finalNorm == b.finalNorm)
            #expect(
                b.steps.map(\.site) == [.layer, .attention, .feedForward, .layer, .attention, .feedForward, .finalNorm])
        }
    }

    @Test("scores are those of explicit least squares on the streams around each sublayer")
    func explicitLeastSquares() throws {
        var settings = Analysis.Settings()
        settings.sites = [.attention, .feedForward]
        for isParallel in [false, true] {
            let analysis = try SmallAnalysis(settings: settings, isParallel: isParallel)
            let steps = try analysis.run().views[0].steps
            let streams = try analysis.sublayerStreams()
            #expect(steps.count == streams.count)
            for (step, stream) in zip(steps, streams) {
                #expect(step.site == stream.site)
                let judged = NormalEquations(x: stream.x, y: stream.y, width: analysis.width)
                #expect(abs(try #require(step.figures.linearity.value) - judged.linearity) < 1e-6)
                #expect(
                    abs(try #require(step.figures.linearityWithoutResidual.value) - judged.withoutResidual) < 1e-6)
            }
        }
    }

    @Test("in parallel layers both sublayers read the layer's own stream")
    func parallel() throws {
        let streams = try SmallAnalysis(isParallel: true).sublayerStreams()
        #expect(streams[0].x == streams[1].x)
        let sequential = try SmallAnalysis().sublayerStreams()
        #expect(sequential[0].y == sequential[1].x)
    }
}
