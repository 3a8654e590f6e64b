import Reports
import Testing

@Suite("Numbers as people read them")
struct TextTests {
    @Test("fixed decimals round, keep their sign and never print minus zero")
    func fixed() {
        #expect(Text.fixed(0.98765, 4) == "0.9877")
        #expect(Text.fixed(-0.5, 2) == "-0.50")
        #expect(Text.fixed(-0.00001, 2) == "0.00")
        #expect(Text.fixed(12, 0) == "12")
        #expect(Text.fixed(.nan, 2) == "nan")
    }

    @Test("bytes, counts and durations")
    func units() {
        #expect(Text.bytes(512) == "512 B")
        #expect(Text.bytes(93 << 20) == "93.0 MiB")
        #expect(Text.count(1_234_567) == "1,234,567")
        #expect(Text.count(-1234) == "-1,234")
        #expect(Text.duration(12.34) == "12.3 s")
        #expect(Text.duration(125) == "2 min 5 s")
        #expect(Text.duration(7260) == "2 h 1 min")
    }
}
