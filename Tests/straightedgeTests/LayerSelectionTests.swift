import Testing

@testable import straightedge

@Suite("Lists of layers")
struct LayerSelectionTests {
    @Test(
        "ranges are half-open, in any order, and one layer is a range",
        arguments: [
            ("5", [5..<6]), ("8:12,20", [8..<12, 20..<21]), ("20,8:12", [8..<12, 20..<21]),
            ("0:1,1:2", [0..<1, 1..<2]),
            ("007", [7..<8]),
        ])
    func read(text: String, ranges: [Range<Int>]) throws {
        #expect(try LayerSelection(text).ranges == ranges)
    }

    @Test(
        "what is no list is refused by name",
        arguments: [
            ("", LayerSelectionError.unreadable("")), ("8:12,", .unreadable("")), ("a", .unreadable("a")),
            ("1:2:3", .unreadable("1:2:3")), ("-1", .unreadable("-1")), ("-3:2", .unreadable("-3:2")),
            (":4", .unreadable(":4")), ("4:", .unreadable("4:")), ("+4", .unreadable("+4")), (" 4", .unreadable(" 4")),
            ("٣", .unreadable("٣")), ("9223372036854775807", .unreadable("9223372036854775807")),
            ("99999999999999999999", .unreadable("99999999999999999999")), ("3:3", .empty("3:3")),
            ("5:3", .reversed("5:3")), ("1:4,3", .overlap("1:4", "3", layer: 3)),
            ("2,2", .overlap("2", "2", layer: 2)), ("5:9,0:6", .overlap("0:6", "5:9", layer: 5)),
        ])
    func refused(text: String, error: LayerSelectionError) {
        #expect(throws: error) { _ = try LayerSelection(text) }
        #expect(!error.description.isEmpty)
    }

    @Test("layers outside the model are refused by name")
    func outside() throws {
        try LayerSelection("0:30").check(layerCount: 30)
        #expect(throws: LayerSelectionError.outside("28:31", layerCount: 30)) {
            try LayerSelection("2,28:31").check(layerCount: 30)
        }
        let text = LayerSelectionError.outside("30", layerCount: 30).description
        #expect(text == "layers 30 are not all in the model, whose layers are 0:30")
    }

    @Test("blocks are runs of each range, and none is left over")
    func blocks() throws {
        let selection = try LayerSelection("4:8,20:22")
        #expect(try selection.blocks(of: 2) == [4..<6, 6..<8, 20..<22])
        #expect(try selection.blocks(of: 1).map(\.lowerBound) == selection.layers)
        #expect(throws: LayerSelectionError.remainder("20:22", count: 2, size: 4)) { _ = try selection.blocks(of: 4) }
    }
}
