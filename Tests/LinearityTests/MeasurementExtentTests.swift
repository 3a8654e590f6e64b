import Compute
import Linearity
import Testing
import Transformers

@Suite("Measuring only what layers are chosen by")
struct MeasurementExtentTests {
    @Test("the scores are those of a whole measurement, and what was not asked for is absent")
    func scores() throws {
        let small = try SmallAnalysis()
        let forward = try Forward(model: small.model, device: small.device, layout: small.layout)
        let x = try forward.embed(small.tokens)
        let y = try forward.apply(0, to: x)
        func measure(_ extent: LayerMeasurement.Extent) throws -> [LayerFigures] {
            try LayerMeasurement(
                device: small.device, layout: small.layout, folds: FoldLayout(layout: small.layout, foldCount: 5),
                skippedTokenCount: 1, width: small.width, stages: false, extent: extent
            ).measure(x: x, y: y).map(\.figures)
        }
        let (scores, everything) = (try measure(.scores), try measure(.everything))
        #expect(scores.count == 2)
        for (got, want) in zip(scores, everything) {
            #expect(got.linearity == want.linearity)
            #expect(got.linearityWithoutResidual == want.linearityWithoutResidual)
            #expect(got.contribution == want.contribution)
            #expect(got.cosine == want.cosine)
            #expect(got.orthogonalProcrustes.reason == "it was not asked for")
            #expect(want.orthogonalProcrustes.value != nil)
        }
        #expect(scores[0].linearityHeldOut.value == nil)
        #expect(everything[0].linearityHeldOut.value != nil)
        #expect(scores[1].linearityHeldOut.value != nil)
        #expect(scores[1].linearityHeldOut == everything[1].linearityHeldOut)
        #expect(scores[1].linearityWithoutResidualHeldOut == everything[1].linearityWithoutResidualHeldOut)
    }
}
