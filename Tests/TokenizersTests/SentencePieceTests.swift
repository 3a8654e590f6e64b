import Checkpoints
import Testing

@testable import Tokenizers

@Suite struct SentencePieceTests {
    @Test(arguments: SentencePieceFixtures.names)
    func idsAreThoseOfTheLibrary(name: String) throws {
        let tokenizer = try SentencePieceFixtures.tokenizer(name)
        let cases = try SentencePieceFixtures.cases(name)
        #expect(cases.count > 150)
        for example in cases {
            let ids = try tokenizer.encode(example.text, specialTokens: .asText)
            #expect(ids == example.ids, "\(example.text.debugDescription)")
        }
    }

    @Test(arguments: SentencePieceFixtures.names)
    func textsOfIdsAreThoseOfTheLibrary(name: String) throws {
        let tokenizer = try SentencePieceFixtures.tokenizer(name)
        for example in try SentencePieceFixtures.cases(name) {
            #expect(try tokenizer.decode(example.ids) == example.decoded, "\(example.text.debugDescription)")
        }
    }

    @Test(arguments: SentencePieceFixtures.names)
    func theStartOfATextHasTheSameIds(name: String) throws {
        let tokenizer = try SentencePieceFixtures.tokenizer(name)
        for example in try SentencePieceFixtures.cases(name).suffix(40) {
            for count in [1, 3, example.ids.count] {
                let start = try tokenizer.encode(example.text, atLeast: count, specialTokens: .asText)
                #expect(example.ids.starts(with: start.ids))
                #expect(start.ids.count >= min(count, example.ids.count))
                // What was encoded, by itself, begins as the whole did.
                let text = String(decoding: example.text.utf8.prefix(start.encodedByteCount), as: UTF8.self)
                let again = try tokenizer.encode(text, specialTokens: .asText)
                if !name.hasSuffix("suffix") { #expect(again == start.ids, "\(text.debugDescription)") }
            }
        }
    }

    @Test func aUnigramTokenizerJSONIsRead() throws {
        let tokenizer = try Tokenizer(tokenizerJSON: SentencePieceFixtures.path("unigram.json"))
        for example in try SentencePieceFixtures.cases("unigram") {
            #expect(try tokenizer.encode(example.text) == example.ids, "\(example.text.debugDescription)")
            #expect(try tokenizer.decode(example.ids) == example.decoded, "\(example.text.debugDescription)")
        }
        #expect(tokenizer.summary.hasPrefix("unigram; "))
    }

    @Test func specialPiecesAreFoundWhereTheyAreAskedFor() throws {
        let tokenizer = try SentencePieceFixtures.tokenizer("bpe-llama")
        #expect(try tokenizer.encode("<s>a</s>").first == 1)
        #expect(try tokenizer.encode("<s>a</s>").last == 2)
        #expect(try !tokenizer.encode("<s>a</s>", specialTokens: .asText).contains(1))
        #expect(try tokenizer.decode([1, 2]) == "<s></s>")
        #expect(tokenizer.sequencePrefix.isEmpty)
        #expect(tokenizer.summary.hasPrefix("SentencePiece BPE; 460 ids"))
    }

    @Test func charactersWithoutAPieceAreCounted() throws {
        let text = "a\u{10348} b\u{2603}\u{2603}"
        let plain = try SentencePieceFixtures.tokenizer("unigram-plain")
        #expect(try plain.encode(text, atLeast: .max).lostByteCount == 10)
        let fallback = try SentencePieceFixtures.tokenizer("bpe-llama")
        #expect(try fallback.encode(text, atLeast: .max).lostByteCount == 0)
        #expect(try fallback.decode(fallback.encode(text)) == text)
    }

    @Test func bytesThatAreNoCharacterAreReplacedOneByOne() throws {
        let tokenizer = try SentencePieceFixtures.tokenizer("bpe-llama")
        let bytes = try #require(try SentencePieceFixtures.model("bpe-llama").pieces.firstIndex { $0.kind == .byte })
        let ids = [0xE2, 0x98, 0xC3, 0xA9, 0x41].map { Int32(bytes + $0) }
        #expect(try tokenizer.decode(ids) == "\u{FFFD}\u{FFFD}éA")
        #expect(try tokenizer.decodeBytes(ids) == [0xE2, 0x98, 0xC3, 0xA9, 0x41])
        #expect(try tokenizer.token(ids[0]) == [0xE2])
    }
}

// MARK: - Models made by hand

@Suite struct SentencePieceModelTests {
    /// A model of merges with these pieces after the one for the unknown.
    private func tokenizer(
        _ pieces: [(String, Float, UInt64)], kind: UInt64 = 2, prefix: Bool = false
    ) throws -> Tokenizer {
        try TemporaryFile.with(Self.bytes(pieces, kind: kind, prefix: prefix)) { try Tokenizer(sentencePieceModel: $0) }
    }

    private static func bytes(_ pieces: [(String, Float, UInt64)], kind: UInt64, prefix: Bool = false) -> [UInt8] {
        var model = MessageBuilder()
        model.addPiece("<unk>", 0, type: 2)
        for piece in pieces { model.addPiece(piece.0, piece.1, type: piece.2) }
        var trainer = MessageBuilder()
        trainer.add(3, integer: kind)
        var normalizer = MessageBuilder()
        normalizer.add(3, integer: prefix ? 1 : 0)
        model.add(2, trainer.bytes)
        model.add(3, normalizer.bytes)
        return model.bytes
    }

    @Test func theBestScoreMergesFirstAndOfEqualOnesTheLeftmost() throws {
        let tokenizer = try tokenizer([
            ("a", -9, 1), ("b", -9, 1), ("aa", -2, 1), ("ab", -2, 1), ("aab", -1, 1), ("bb", -1, 1),
        ])
        #expect(try tokenizer.encode("aab") == [5])
        #expect(try tokenizer.encode("aaa") == [3, 1])
        #expect(try tokenizer.encode("abb") == [1, 6])
        #expect(try tokenizer.encode("aabb") == [3, 6])
    }

    @Test func charactersThatAreNoPieceMergeIntoOne() throws {
        let tokenizer = try tokenizer([("xy", -1, 1), ("xyz", -2, 1)])
        #expect(try tokenizer.encode("xyzx") == [2, 0])
    }

    @Test func unusedPiecesAreTakenApartAgain() throws {
        let tokenizer = try tokenizer([("a", -9, 1), ("b", -9, 1), ("ab", -1, 5), ("abb", -2, 5), ("bb", -3, 1)])
        #expect(try tokenizer.encode("ab") == [1, 2])
        #expect(try tokenizer.encode("abb") == [1, 2, 2])
        let single = try self.tokenizer([("a", -9, 5), ("b", -9, 1)])
        #expect(try single.encode("ab") == [0, 2])
    }

    @Test func theBestSumOfScoresIsTakenAndUnusedPiecesAreNot() throws {
        let tokenizer = try tokenizer(
            [("a", -3, 1), ("b", -3, 1), ("ab", -5, 1), ("abb", -1, 5), ("bb", -1.5, 1)], kind: 1)
        #expect(try tokenizer.encode("ab") == [3])
        #expect(try tokenizer.encode("abb") == [1, 5])
        #expect(try tokenizer.encode("xxa") == [0, 1])
    }

    /// Sums of float32 beyond 1e5 are set back, so that a long text is cut as a short one.
    @Test func aLongTextIsCutAsAShortOne() throws {
        let pieces: [(String, Float, UInt64)] = [
            ("a", -3.3, 1), ("aa", -6.6, 1), ("aaa", -9.7, 1), (" ", -1, 1), ("\u{2581}", -1, 1),
        ]
        let tokenizer = try tokenizer(pieces, kind: 1)
        let word = String(repeating: "a", count: 300_001)
        let ids = try tokenizer.encode(word)
        #expect(ids.count == 100_001)
        #expect(ids.count { $0 == 3 } == 100_000)
    }

    @Test func runsOfSpacesAndLongWordsTakeLinearTime() throws {
        let tokenizer = try tokenizer([("a", -9, 1), ("aa", -1, 1), ("aaaa", -2, 1), ("\u{2581}", -3, 1)])
        #expect(try tokenizer.encode(String(repeating: "a", count: 1 << 20)).count == 1 << 18)
        #expect(try tokenizer.encode(String(repeating: " ", count: 1 << 20)).isEmpty)
    }

    @Test(
        arguments: [
            ([0x0A], "byte 1"), ([0x0A, 0x05, 0x0A], "5 bytes, where 1"), ([0x80], "ends within a number"),
            ([UInt8](repeating: 0xFF, count: 11), "more than ten bytes"), ([0x0B], "wire type 3"), ([0x00], "no field"),
            ([0x08, 0x01], "field 1 is not bytes"), ([0x0A, 0x03, 0x0A, 0x01, 0xFF], "valid UTF-8"),
            ([0x0A, 0x04, 0x0A, 0x00, 0x18, 0x07], "7 is no type"), ([0x0A, 0x02, 0x15, 0x00], "number of 4 bytes"),
            ([0x12, 0x02, 0x18, 0x03], "WORD"), ([0x12, 0x02, 0x18, 0x04], "CHAR"),
            ([0x2A, 0x03, 0x12, 0x01, 0x00], "denormalizer_spec"), ([0x12, 0x02, 0x18, 0x02], "it is empty"),
            ([0x0A, 0x02, 0x18, 0x02], "it has 0 bytes"),
        ] as [([UInt8], String)])
    func damagedFilesAreRefused(bytes: [UInt8], problem: String) throws {
        let error = #expect(throws: TokenizerError.self) {
            try TemporaryFile.with(bytes) { try Tokenizer(sentencePieceModel: $0) }
        }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test(
        arguments: [
            ([("", 0, 1)], "it is empty"), ([("a", .nan, 1)], "nan"), ([("a", .infinity, 1)], "inf"),
            ([("a", 0, 1), ("a", 0, 1)], "same text"), ([("<unk2>", 0, 2)], "both are for the unknown"),
            ([("<0x41>", 0, 6)], "byte_fallback is false"), ([("x", 0, 6)], "it is no byte"),
            ([(String(repeating: "a", count: 8000), 0, 1)], "8000 bytes"),
        ] as [([(String, Float, UInt64)], String)])
    func piecesThatCannotBeAreRefused(pieces: [(String, Float, UInt64)], problem: String) throws {
        for kind in [1, 2] as [UInt64] {
            let error = #expect(throws: TokenizerError.self) { try tokenizer(pieces, kind: kind) }
            #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        }
    }

    @Test func aByteThatIsMissingIsNamed() throws {
        var model = try SentencePieceFixtures.model("bpe-llama")
        let place = try #require(model.pieces.firstIndex { $0.text == "<0x41>" })
        model.pieces[place].kind = .normal
        let error = #expect(throws: TokenizerError.self) { try SentencePieceEncoder(model, path: "test.model") }
        #expect(error?.description.contains("there is no <0x41>") == true, "\(error?.description ?? "")")
    }
}

// MARK: - The map of characters

@Suite struct CharacterMapTests {
    /// The map of the fixture with rules.
    private func bytes() throws -> [UInt8] {
        try SentencePieceFixtures.model("unigram-rules").normalization.characterMap
    }

    private func refusal(_ bytes: [UInt8]) -> String {
        let error = #expect(throws: CharacterMap.Failure.self) { try CharacterMap(bytes) }
        return error?.problem ?? ""
    }

    @Test func theLongestOrTheShortestMatchIsFound() throws {
        let map = try CharacterMap(bytes())
        let text = Array("e\u{301}\u{302}".utf8)
        let long = map.match(in: text.span, 0..<text.count)
        #expect(long?.byteCount == 5)
        #expect(long.map { Array(map.replacements[map.replacement($0.value)]) } == Array("ê".utf8))
        let short = map.match(in: text.span, 0..<text.count, shortest: true)
        #expect(short?.byteCount == 3)
        let inside = map.match(in: text.span, 1..<text.count)
        #expect(inside == nil)
    }

    @Test func graphemesAreChangedAsAWhole() throws {
        let map = try CharacterMap(bytes())
        #expect(map.normalizeGraphemes(Array("Axe\u{301}\u{302}\r\nA".utf8)) == Array("axé\r\na".utf8))
        #expect(map.normalizeGraphemes([]) == [])
    }

    @Test func damagedMapsAreRefused() throws {
        let bytes = try bytes()
        #expect(refusal([]).contains("0 bytes"))
        #expect(refusal(Array(bytes.prefix(100))).contains("multiple of 1024"))
        #expect(refusal([0xFF, 0xFF, 0xFF, 0xFF] + bytes.dropFirst(4)).contains("multiple of 1024"))
        #expect(refusal(bytes + [0x41]).contains("no end"))
        #expect(refusal(bytes + [0xFF, 0]).contains("UTF-8"))
        #expect(refusal(bytes + [UInt8](repeating: 0x61, count: 257) + [0]).contains("257 bytes"))
        #expect(refusal(Array(bytes.prefix(4)) + [0, 0xFF, 0xFF, 0x7F] + bytes.dropFirst(8)).contains("unit 0"))
        #expect(
            refusal(Array(bytes.prefix(4)) + [0, 0, 0, 0x80] + bytes.dropFirst(8)).contains(
                "unit 0 of its trie is a value"))
        #expect(refusal(Array(bytes.prefix(8)) + [0xFF, 0xFF, 0xFF, 0xFF] + bytes.dropFirst(12)).contains("unit 1"))
    }

    @Test func base64IsReadStrictly() {
        #expect(Base64.decode("") == [])
        #expect(Base64.decode("AA==") == [0])
        #expect(Base64.decode("AAE=") == [0, 1])
        #expect(Base64.decode("/+8B") == [0xFF, 0xEF, 0x01])
        for text in ["A", "AA", "AA=", "AB==", "AA==AA==", "A A=", "====", "AAA\u{301}"] {
            #expect(Base64.decode(text) == nil)
        }
    }
}
