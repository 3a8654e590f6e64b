import Testing

@testable import Tokenizers

@Suite struct RegularExpressionTests {
    private func matches(_ pattern: String, _ text: String) throws -> [String] {
        let expression = try TextMatcher(.regularExpression(pattern))
        let bytes = Array(text.utf8)
        var events = PieceEvents(expression, 0..<bytes.count)
        let room = RegularExpressionMatch()
        var matches: [String] = []
        while let event = try events.next(bytes.span, room) {
            if event.isMatch { matches.append(String(decoding: bytes[event.range], as: UTF8.self)) }
        }
        return matches
    }

    @Test(
        arguments: [
            // An interval with a plus is repeated, not possessive; braces that are no interval stand for themselves.
            (#"\p{N}{1,3}+"#, "12345", ["12345"]), ("a{,2}", "aaa", ["aa", "a"]), ("a{|{}", "a{{}", ["a{", "{}"]),
            ("a++b", "aab", ["aab"]), ("(?>a+)a", "aa", []), ("a+?", "aa", ["a", "a"]),
            // Ends of lines, not of the text.
            ("^.", "a\nb", ["a", "b"]), (".$", "a\nb\n", ["a", "b"]), (#"\A.|.\z"#, "a\nb", ["a", "b"]),
            (".+", "a\nb", ["a", "b"]), ("(?m:.+)", "a\nb", ["a\nb"]),
            // White_Space has no U+180E, and \h is a hexadecimal digit.
            (#"\s"#, "a\u{180E}\u{85}\u{2003}", ["\u{85}", "\u{2003}"]), (#"\h+"#, "fade it", ["fade"]),
            (#"\w+"#, "a\u{301}_1\u{200D}²Ⓐ-", ["a\u{301}_1", "²Ⓐ"]), (#"\b"#, "ab c", ["", "", "", ""]),
            (#"[^\S\n]+"#, "a \n\tb", [" ", "\t"]), (#"[\p{L}&&[^a-c]]+"#, "abcdé", ["dé"]),
            ("[a[0-9]-]+", "a-1b", ["a-1"]),
            (#"\P{L}+|\p{^N}"#, "a12", ["a", "12"]), ("[[:alpha:]]+", "aé1", ["aé"]), (#"\p{Han}+"#, "a直线ひ", ["直线"]),
            ("(?i:'s|'ll)", "'S'LL'ſ", ["'S", "'LL", "'ſ"]), ("(?i)[a-c]+", "aBCd", ["aBC"]),
            (#"(?<=a)b|c(?!d)"#, "abbcdc", ["b", "c"]), (#"\x41|\x{1F600}|\u00E9"#, "Aé😀", ["A", "é", "😀"]),
            // Letters of Unicode 15 and 16, and not of 17.
            (#"\p{L}+"#, "\u{31350}\u{10D4A}-\u{A7CE}", ["\u{31350}\u{10D4A}"]),
            (#"\p{Han}"#, "\u{31350}", ["\u{31350}"]),
        ] as [(String, String, [String])])
    func patternsMeanWhatTheyDoInTheReference(pattern: String, text: String, expected: [String]) throws {
        #expect(try matches(pattern, text).map { Array($0.utf8) } == expected.map { Array($0.utf8) })
    }

    @Test(
        arguments: [
            ("", "empty"), ("(a", "a group without an end"), ("a)", "closing parenthesis"),
            ("[a", "a class without an end"),
            ("a**", "a repetition of a repetition"), ("*a", "a repetition of nothing"), ("a{2}?", "optional"),
            ("a{3,1}", "from 3 to 1"), ("a{1001}", "more than 1000 times"), (#"(a)\1"#, "escape"), (#"\G"#, "escape"),
            (#"\K"#, "escape"), (#"\X"#, "escape"), (#"\k<a>"#, "escape"), ("(?<n>a)", "named group"),
            ("(?x: a)", "option"),
            ("a(?i)b", "options"), ("(?(1)a)", "option"), (#"\p{Cn}"#, "property \"Cn\""), (#"\p{Mystery}"#, "Mystery"),
            (#"\x80"#, "byte"), (#"\x{110000}"#, "no character"), (#"\u12"#, "no character"), ("(?i:ss)", "\"ss\""),
            ("(?i:ß)", "case"), (#"(?i:[\p{Lu}])"#, "case"), ("[]a]", "starts with ]"), ("[z-a]", "range"),
            (#"[\w-a]"#, "range"), ("[[:mystery:]]", "mystery"), ("(?<=a+)b", "lookbehind"),
            (String(repeating: "(", count: 100), "deep"), (String(repeating: "[", count: 100), "deep"),
            (String(repeating: "a", count: 40_000), "40000 bytes"), ("(?:(?:a{1000}){1000}){1000}", "large"),
        ])
    func whatIsOtherwiseIsRefused(pattern: String, part: String) {
        let refusal = #expect(throws: RegularExpression.Refusal.self) { try RegularExpression(pattern) }
        #expect(refusal?.problem.contains(part) == true, "\(refusal?.problem ?? "")")
    }

    /// A pattern sees first a part of a text only.
    @Test(arguments: [2_047, 2_048, 2_049, 8_192, 40_000, 1_000_000])
    func longMatchesAreWhole(count: Int) throws {
        let run = String(repeating: "é", count: count / 2)
        #expect(
            try matches(#"\p{L}+(?!\p{L})"#, "1\(run)2\(run)").map(\.utf8.count) == [run.utf8.count, run.utf8.count])
        let spaces = String(repeating: " ", count: count)
        #expect(try matches(#"\s+(?!\S)|\s+"#, spaces + "a").map(\.utf8.count) == [count - 1, 1])
        #expect(try matches("b$", spaces + "b") == ["b"])
        #expect(try matches(#"a\z"#, "a" + spaces).isEmpty)
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["(?:a+)+[bc]", "(a|a)*[bc]", "a*a*a*[bc]"])
    func hostilePatternsComeToAnEnd(pattern: String) throws {
        let text = String(repeating: "a", count: 50_000)
        #expect(throws: RegularExpressionMatch.Failure.self) { try matches(pattern, text) }
    }

    @Test func timeIsLimited() throws {
        let expression = try RegularExpression("(?=a*a*[bc])")
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000)
        let room = RegularExpressionMatch()
        room.start(byteCount: text.count, seconds: -1)
        let failure = #expect(throws: RegularExpressionMatch.Failure.self) {
            try expression.firstMatch(in: text.span, 0..<text.count, from: 0, room)
        }
        #expect(failure?.problem.contains("takes longer") == true)
    }
}
