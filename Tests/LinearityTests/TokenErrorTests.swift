import Linearity
import Testing

@Suite("Errors of single tokens")
struct TokenErrorTests {
    @Test("errors are those of explicit least squares, in-sample and from the other folds' fit")
    func explicitLeastSquares() throws {
        let analysis = try SmallAnalysis()
        let result = try analysis.run()
        let width = analysis.width
        let fold = result.folds.rows(ofFold: 0)
        for (layer, streams) in try analysis.streams().enumerated() {
            let errors = try #require(result.views[0].tokenErrors[layer])
            let all = NormalEquations(x: streams.x, y: streams.y, width: width)
            expectClose(errors.inSample, all.errors)
            // The map of the other folds, applied to rows that its fit has not seen.
            let training = fold.upperBound * width
            let others = NormalEquations(
                x: Array(streams.x[training...]), y: Array(streams.y[training...]), width: width)
            let unseen = others.errors(x: Array(streams.x[..<training]), y: Array(streams.y[..<training]))
            expectClose(Array(errors.heldOut[fold]), unseen)
        }
    }

    @Test("tokens outside the view have no error and are in no figure")
    func masked() throws {
        let result = try SmallAnalysis().run()
        let view = result.views[1]
        for (step, errors) in zip(view.steps, view.tokenErrors) {
            let errors = try #require(errors)
            let figures = try #require(step.tokenErrors)
            var first = 0
            for length in SmallAnalysis.lengths {
                #expect(errors.inSample[first].isNaN && errors.heldOut[first].isNaN)
                first += length
            }
            #expect(errors.inSample.count { !$0.isNaN } == view.tokenCount)
            #expect(figures.histogram.inSample.reduce(0, +) == view.tokenCount)
            #expect(figures.histogram.heldOut.reduce(0, +) == view.tokenCount)
        }
    }

    @Test("lanes and a scratch file change no bit")
    func placement() throws {
        let reference = try SmallAnalysis().run()
        var settings = Analysis.Settings()
        settings.memoryByteCount = reference.memory.workingByteCount + reference.memory.streamByteCount / 2
        for other in [try SmallAnalysis(laneCount: 3).run(), try SmallAnalysis(settings: settings).run()] {
            for (a, b) in zip(reference.views, other.views) {
                for (left, right) in zip(a.tokenErrors, b.tokenErrors) {
                    #expect(left?.inSample.map(\.bitPattern) == right?.inSample.map(\.bitPattern))
                    #expect(left?.heldOut.map(\.bitPattern) == right?.heldOut.map(\.bitPattern))
                }
            }
        }
    }

    @Test("without folds there are none held out, with the reason; without the wish there are none")
    func absent() throws {
        var settings = Analysis.Settings()
        settings.foldCount = 1
        let figures = try #require(try SmallAnalysis(settings: settings).run().views[0].steps[0].tokenErrors)
        #expect(figures.heldOut == nil && figures.heldOutReason.contains("2 folds"))
        #expect(figures.histogram.heldOut.isEmpty)
        settings.measuresTokenErrors = false
        let result = try SmallAnalysis(settings: settings).run()
        #expect(result.views[0].steps.allSatisfy { $0.tokenErrors == nil })
    }

    @Test("quantiles, the share that makes half of the squared error, and the worst tokens")
    func spread() throws {
        // Squares: 100, 25, 25, 25, 25: the first alone is half.
        let errors = TokenErrors(inSample: [5, 5, .nan, 10, 5, 5], heldOut: [], heldOutReason: "none")
        let figures = try #require(TokenErrorFigures(errors))
        #expect(figures.inSample.mean == 6)
        #expect(figures.inSample.quantiles == [5, 10, 10, 10, 10])
        #expect(figures.inSample.shareOfTokensWithHalf == 0.2)
        #expect(figures.inSample.worst.map(\.row) == [3, 0, 1, 4, 5])
        #expect(figures.histogram.edges.first == 5 && figures.histogram.edges.last == 10)
        #expect(figures.histogram.inSample.first == 4 && figures.histogram.inSample.last == 1)
    }

    @Test("errors that are all zero have a spread and no histogram")
    func zeros() throws {
        let figures = try #require(
            TokenErrorFigures(TokenErrors(inSample: [0, 0], heldOut: [], heldOutReason: "")))
        #expect(figures.inSample.shareOfTokensWithHalf == 0)
        #expect(figures.histogram.edges.isEmpty)
        #expect(TokenErrorFigures(TokenErrors(inSample: [.nan], heldOut: [], heldOutReason: "")) == nil)
    }

    private func expectClose(_ got: [Float], _ want: [Double]) {
        #expect(got.count == want.count)
        for (a, b) in zip(got, want) { #expect(abs(Double(a) - b) <= 1e-5 * b) }
    }
}
