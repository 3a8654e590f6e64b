import Checkpoints
import Glibc
import Linearity
import TestSupport
import Testing

@testable import Reports

@Suite("Finished layers are kept in files")
struct UnfinishedAnalysisTests {
    private static let settings: JSONObject = ["model": "a", "folds": 5]

    @Test("a layer is read back to the bit, with the seconds and the slabs that it took")
    func roundTrip() throws {
        let place = try TemporaryFolder()
        defer { place.removeUnfinished() }
        let layer = UnfinishedAnalysisTests.layer
        var seconds = Analysis.Seconds()
        seconds.solve = 2.5
        do {
            let unfinished = try open(place)
            #expect(unfinished.finishedLayers.isEmpty && unfinished.resumptionCount == 0)
            try unfinished.begin(slabTokenCount: 512)
            try unfinished.keep(layer, seconds: seconds)
        }
        let unfinished = try open(place)
        #expect(unfinished.resumptionCount == 1 && unfinished.slabTokenCount == 512)
        #expect(unfinished.earlierSeconds == seconds)
        let read = try #require(unfinished.finishedLayers[3])
        #expect(read.steps.map(\.site) == layer.steps.map(\.site))
        for (a, b) in zip(layer.steps.flatMap(\.views), read.steps.flatMap(\.views)) {
            #expect(a.figures == b.figures)
            #expect(a.tokenErrors?.inSample.map(\.bitPattern) == b.tokenErrors?.inSample.map(\.bitPattern))
            #expect(a.tokenErrors?.heldOut.map(\.bitPattern) == b.tokenErrors?.heldOut.map(\.bitPattern))
            #expect(a.tokenErrors?.heldOutReason == b.tokenErrors?.heldOutReason)
        }
        unfinished.remove()
        #expect(!UnfinishedAnalysis.exists(for: "\(place.path)/out"))
    }

    @Test("other settings are refused by name, and replaced where that is asked for")
    func otherSettings() throws {
        let place = try TemporaryFolder()
        defer { place.removeUnfinished() }
        do {
            let unfinished = try open(place)
            try unfinished.begin(slabTokenCount: 512)
            try unfinished.keep(UnfinishedAnalysisTests.layer, seconds: .init())
        }
        let error = #expect(throws: ResultFolderError.self) { try open(place, ["model": "a", "folds": 4]) }
        #expect("\(try #require(error))".contains("another folds"))
        #expect(try open(place, ["model": "b"], replaces: true).finishedLayers.isEmpty)
    }

    @Test("errors that are not those of the figures are refused")
    func damaged() throws {
        let place = try TemporaryFolder()
        defer { place.removeUnfinished() }
        do {
            let unfinished = try open(place)
            try unfinished.begin(slabTokenCount: 512)
            try unfinished.keep(UnfinishedAnalysisTests.layer, seconds: .init())
        }
        try place.write("something else", to: "out.unfinished/layer-0003.errors")
        #expect(throws: ResultFolderError.self) { try open(place) }
    }

    @Test("two analyses cannot keep their layers in one folder at a time")
    func locked() throws {
        let place = try TemporaryFolder()
        defer { place.removeUnfinished() }
        let first = try open(place)
        let error = #expect(throws: ResultFolderError.self) { try open(place) }
        #expect("\(try #require(error))".contains("another analysis"))
        first.remove()
    }

    private func open(
        _ place: TemporaryFolder, _ settings: JSONObject = UnfinishedAnalysisTests.settings, replaces: Bool = false
    ) throws(ResultFolderError) -> UnfinishedAnalysis {
        try UnfinishedAnalysis(
            results: "\(place.path)/out", settings: settings, tokenCount: 3, interval: 60, replaces: replaces)
    }

    /// Layer 3: a step with errors of tokens, and one without.
    private static var layer: LayerResult {
        var figures = LayerFigures(n: 3, momentPrecision: "float32", absentReason: "none")
        figures.linearity = .value(0.1 + 0.2)
        figures.rank = .value(2)
        figures.cosine.mean = .value(1e-300)
        figures.cosine.quantiles = [0.1, 1 / 3.0, 0.5, .pi, 1].map { .value($0) }
        let errors = TokenErrors(inSample: [.nan, 1.1, 0x1p-130], heldOut: [1, 2, 3], heldOutReason: "")
        let absent = TokenErrors(inSample: [1, 2, 3], heldOut: [], heldOutReason: "too few folds")
        return LayerResult(
            layer: 3,
            steps: [
                .init(
                    site: .layer,
                    views: [.init(figures: figures, tokenErrors: errors), .init(figures: figures, tokenErrors: absent)]),
                .init(site: .feedForward, views: [.init(figures: figures, tokenErrors: nil)]),
            ])
    }
}

extension TemporaryFolder {
    fileprivate func removeUnfinished() {
        let folder = "\(path)/out.unfinished"
        for name in names(in: "out.unfinished") { unsafe unlink("\(folder)/\(name)") }
        unsafe rmdir(folder)
    }
}
