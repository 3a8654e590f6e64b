import Testing

@testable import Tokenizers

@Suite struct TextNormalizerTests {
    private func normalized(_ text: String, _ steps: Normalizer...) throws -> String {
        var bytes = Array(text.utf8)
        _ = try TextNormalizer(steps).normalize(&bytes, RegularExpressionMatch())
        return String(decoding: bytes, as: UTF8.self)
    }

    private func expect(_ text: String, _ form: NormalizationForm, _ expected: String) throws {
        let result = try normalized(text, .form(form))
        #expect(Array(result.unicodeScalars) == Array(expected.unicodeScalars), "\(text.debugDescription) \(form)")
    }

    @Test func formsAreThoseOfUnicode() throws {
        try expect("e\u{301}\u{327}", .nfc, "\u{229}\u{301}")
        try expect("\u{E9}\u{327}", .nfc, "\u{229}\u{301}")
        try expect("\u{1E0A}\u{323}", .nfd, "D\u{323}\u{307}")
        try expect("\u{AC01}각", .nfd, "\u{1100}\u{1161}\u{11A8}\u{1100}\u{1161}\u{11A8}")
        try expect("\u{1100}\u{1161}\u{11A8}\u{11A8}", .nfc, "\u{AC01}\u{11A8}")
        try expect("ﬁ²ａ\u{FDFA}\u{1E9B}\u{323}", .nfkc, "fi2aصلى الله عليه وسلم\u{1E69}")
        try expect("\u{1E9B}\u{323}½", .nfkd, "s\u{323}\u{307}1\u{2044}2")
        // Characters that are not composed again, and one that is newer than the reference's tables.
        try expect("\u{958}\u{2126}\u{2F800}\u{1D15E}", .nfc, "\u{915}\u{93C}\u{3A9}\u{4E3D}\u{1D157}\u{1D165}")
        try expect("\u{32FF}", .nfkc, "\u{32FF}")
        // Two marks of one class stay in order, and the second does not compose past the first.
        try expect("a\u{302}\u{301}\u{308}", .nfc, "\u{1EA5}\u{308}")
        try expect("a\u{5AE}\u{1D16D}", .nfc, "a\u{1D16D}\u{5AE}")
    }

    @Test func otherStepsAreThoseOfTheReference() throws {
        #expect(try normalized("ΑΣ İK", .lowercase) == "ασ i\u{307}k")
        #expect(try normalized("ABC xyz", .lowercase) == "abc xyz")
        #expect(try normalized("e\u{301}a\u{93E}\u{1CF2}", .stripAccents) == "ea")
        #expect(try normalized(" \u{3000}a b\n", .strip(left: true, right: false)) == "a b\n")
        #expect(try normalized(" \u{3000}a b\u{2003}", .strip(left: true, right: true)) == "a b")
        #expect(try normalized("   ", .strip(left: true, right: true)) == "")
        #expect(try normalized("a  b", .replace(.literal(" "), with: "▁"), .prepend("▁")) == "▁a▁▁b")
        #expect(try normalized("", .prepend("▁")) == "")
        #expect(try normalized("a12b3", .replace(.regularExpression(#"\d+"#), with: "")) == "ab")
        #expect(try normalized("a é", .byteLevel) == "aĠÃ©")
    }

    @Test func thatTheStartWasTakenOutIsSaid() throws {
        func losesStart(_ text: String, _ step: Normalizer) throws -> Bool {
            var bytes = Array(text.utf8)
            return try TextNormalizer([step]).normalize(&bytes, RegularExpressionMatch())
        }
        #expect(try losesStart(" a", .strip(left: true, right: true)))
        #expect(try !losesStart("a ", .strip(left: true, right: true)))
        #expect(try losesStart("\u{301}a", .stripAccents))
        #expect(try !losesStart("a\u{301}", .stripAccents))
        #expect(try losesStart("xa", .replace(.literal("x"), with: "")))
        #expect(try !losesStart("xa", .replace(.literal("x"), with: "y")))
    }

    /// Each step of these would make a text a thousand times as long.
    @Test func textsDoNotGrowWithoutEnd() throws {
        let step = Normalizer.replace(.literal("a"), with: String(repeating: "a", count: 1024))
        var bytes = Array("aaaa".utf8)
        let failure = #expect(throws: RegularExpressionMatch.Failure.self) {
            try TextNormalizer([step, step, step, step]).normalize(&bytes, RegularExpressionMatch())
        }
        #expect(failure?.problem.contains("larger") == true)
    }
}
