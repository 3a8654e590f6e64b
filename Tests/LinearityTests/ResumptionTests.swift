import Linearity
import Testing
import Transformers

@Suite("An analysis that was interrupted goes on")
struct ResumptionTests {
    @Test(
        "after any layer, with the stream kept or not, every result is the same to the bit", arguments: [true, false])
    func anyLayer(keepsStream: Bool) throws {
        let whole = try SmallAnalysis().run()
        let layerCount = whole.views[0].layers.count
        for interruption in 0...layerCount {
            let store = MemoryStore(keepsStream: keepsStream, failsAfter: interruption)
            if interruption < layerCount {
                #expect(throws: LinearityError.self) { try SmallAnalysis().run(store: store) }
            } else {
                _ = try SmallAnalysis().run(store: store)
            }
            #expect(store.finishedLayers.count == interruption)
            store.failsAfter = nil
            let resumed = try SmallAnalysis().run(store: store)
            for (a, b) in zip(whole.views, resumed.views) {
                #expect(a.steps == b.steps)
                for (left, right) in zip(a.tokenErrors, b.tokenErrors) {
                    #expect(left?.inSample.map(\.bitPattern) == right?.inSample.map(\.bitPattern))
                    #expect(left?.heldOut.map(\.bitPattern) == right?.heldOut.map(\.bitPattern))
                }
            }
        }
    }
}

/// Keeps layers in memory, and fails like a full disk when it is told to.
private final class MemoryStore: AnalysisStore {
    var finishedLayers: [Int: LayerResult] = [:]
    var earlierSeconds = Analysis.Seconds()
    var slabTokenCount: Int?
    var failsAfter: Int?
    private let keepsStream: Bool
    private var stream: (layer: Int, values: [Float])?

    init(keepsStream: Bool, failsAfter: Int?) {
        self.keepsStream = keepsStream
        self.failsAfter = failsAfter
    }

    func begin(slabTokenCount: Int) { self.slabTokenCount = slabTokenCount }

    func keep(_ result: LayerResult, seconds: Analysis.Seconds) throws(LinearityError) {
        if finishedLayers.count == failsAfter { throw .store(description: "the disk is full") }
        finishedLayers[result.layer] = result
    }

    func keep(_ stream: Stream, entering layer: Int, secondsSoFar: Double) throws(LinearityError) {
        guard keepsStream else { return }
        do {
            let rows = 0..<stream.layout.tokenCount
            self.stream = (layer, try stream.device.floats(of: stream.rows(rows, staging: nil)))
        } catch {
            throw .store(description: "\(error)")
        }
    }

    func restore(into stream: Stream, enteringAtMost layer: Int) throws(LinearityError) -> Int? {
        guard let saved = self.stream, saved.layer <= layer else { return nil }
        do {
            let place = try stream.destination(0..<stream.layout.tokenCount, staging: nil)
            try unsafe stream.device.write(saved.values.span.bytes, to: place)
        } catch {
            throw .store(description: "\(error)")
        }
        return saved.layer
    }
}
