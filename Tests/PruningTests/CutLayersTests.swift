import Testing

@testable import Pruning

@Suite("Layers that are cut are named once, and something is kept")
struct CutLayersTests {
    @Test("runs that touch are one")
    func runs() throws {
        let layers = try CutLayers([7..<8, 2..<4, 4..<5, 9..<10], layerCount: 12)
        #expect(layers.runs == [2..<5, 7..<8, 9..<10])
        #expect(layers.cut == [2, 3, 4, 7, 9])
        #expect(layers.kept == [0, 1, 5, 6, 8, 10, 11])
        #expect(CutLayers.list(layers.cut) == "2:5, 7, 9")
    }

    @Test(
        "what is not there, twice there, or all there is is refused",
        arguments: [
            ([3..<5], "3:5"), ([0..<2, 1..<3], "0:2 and 1:3"), ([0..<4], "keep at least one"), ([], "--layers"),
            ([0..<2, 2..<4], "keep at least one"),
        ])
    func refusals(ranges: [Range<Int>], part: String) throws {
        let error = #expect(throws: PruningError.self) { try CutLayers(ranges, layerCount: 4) }
        #expect("\(try #require(error))".contains(part))
    }
}
