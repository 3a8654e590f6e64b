import Checkpoints
import Testing

@testable import Tokenizers

@Suite struct CorpusTests {
    private func text(_ text: String) throws -> SourceText { try SourceText(Array(text.utf8), name: "text") }

    /// About 2,000 tokens.
    private func longText() throws -> String { try Fixtures.texts().joined(separator: "\n") }

    // MARK: Windows

    @Test(arguments: [false, true]) func windowsAreTheTextInOrder(bos: Bool) throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        let ids = try tokenizer.encode(longText())
        let corpus = try Corpus.windows(
            of: text(longText()), tokenizer: tokenizer, length: 100, enoughFor: 1_000_000, bos: bos)
        #expect(corpus.sequences.dropLast().allSatisfy { $0.count == 100 })
        #expect(corpus.sequences.flatMap { $0.dropFirst(bos ? 1 : 0) } == ids)
        #expect(corpus.sequences.allSatisfy { ($0.first == tokenizer.beginningOfSequence) || !bos })
        #expect(corpus.isTooShort)
        #expect(corpus.askedTokenCount == 1_000_000)
        #expect(corpus.hasBeginningOfSequence == bos)
    }

    @Test func windowsAreJustAsManyAsAskedFor() throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        for (count, least, expected) in [(nil, 1, 1), (nil, 100, 1), (nil, 101, 2), (3, 1, 3), (3, 1000, 3)] {
            let corpus = try Corpus.windows(
                of: text(longText()), tokenizer: tokenizer, length: 100, count: count, enoughFor: least, bos: true)
            #expect(corpus.sequences.map(\.count) == [Int](repeating: 100, count: expected))
            #expect(corpus.askedTokenCount == (count == nil ? least : 300))
            #expect(!corpus.isTooShort)
        }
    }

    @Test func hugeAsksAreNoTrouble() throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        let corpus = try Corpus.windows(
            of: text("a b"), tokenizer: tokenizer, length: .max, count: .max, enoughFor: .max, bos: true)
        #expect(try corpus.sequences == [[tokenizer.beginningOfSequence ?? -1] + tokenizer.encode("a b")])
        #expect(corpus.isTooShort)
    }

    // MARK: Chunks

    @Test func chunksAreThoseOfPython() throws {
        let tokenizer = try Fixtures.tokenizer("digits")
        let scalars = Array(try longText().unicodeScalars)
        let corpus = try Corpus.chunks(
            of: text(longText()), tokenizer: tokenizer, characterCount: 16, count: 30, seed: 1, bos: false)
        var random = PythonRandom(seed: 1)
        let expected = try random.sample(30, outOf: scalars.count / 16).map { index in
            var chunk = String.UnicodeScalarView()
            chunk.append(contentsOf: scalars[index * 16..<index * 16 + 16])
            return try tokenizer.encode(String(chunk))
        }
        #expect(corpus.sequences == expected)
        #expect(corpus.seed == 1)
        #expect(corpus.askedTokenCount == nil)
    }

    /// The first of each chunk, and no part of what follows the last whole one.
    @Test func chunksAreCountedInScalars() throws {
        #expect(try text("aé直😀").chunkStarts(characterCount: 1) == [0, 1, 3, 6, 10])
        #expect(try text("aé直😀b").chunkStarts(characterCount: 2) == [0, 3, 10])
        #expect(try text("e\u{301}\r\n").chunkStarts(characterCount: 2) == [0, 3, 5])
        #expect(try text("a").chunkStarts(characterCount: 2) == [0])
    }

    @Test func tooFewChunksAreAnErrorWithBothNumbers() throws {
        let tokenizer = try Fixtures.tokenizer("digits")
        let error = TokenizerError.tooFewChunks(source: "text", asked: 4, available: 3, characterCount: 2)
        #expect(throws: error) {
            try Corpus.chunks(
                of: text("abcdefg"), tokenizer: tokenizer, characterCount: 2, count: 4, seed: 0, bos: false)
        }
        #expect(error.description.contains("3 chunks"))
        #expect(throws: TokenizerError.argument(name: "the seed", value: -1, expected: "at least 0")) {
            try Corpus.chunks(
                of: text("abcdefg"), tokenizer: tokenizer, characterCount: 2, count: 1, seed: -1, bos: false)
        }
    }

    // MARK: Ids

    @Test func idsAreTakenAsTheyAre() throws {
        let corpus = try Corpus.tokens(
            Array("[1,2, 3]\n[ 0 ]\r\n[9]\n\n \n".utf8), source: "ids", vocabularySize: 10)
        #expect(corpus.sequences == [[1, 2, 3], [0], [9]])
        #expect(corpus.hasBeginningOfSequence == nil)
        #expect(
            try Corpus.tokens(Array("[1]\n[2]\nx".utf8), source: "ids", vocabularySize: 10, count: 2).tokenCount == 2)
    }

    @Test(
        arguments: [
            ("[1]\n[2", "line 2"), ("[1]\n\n[2]", "line 2"), ("{}", "an object"), ("[]", "empty"),
            ("[1.5]", "position 0"),
            ("[1,true]", "position 1"), ("[1] [2]", "line 1"), ("\u{FEFF}[1]", "line 1"), ("[1,\"2\"]", "a string"),
        ])
    func badLinesAreNamed(lines: String, name: String) throws {
        let error = #expect(throws: TokenizerError.self) {
            try Corpus.tokens(Array(lines.utf8), source: "ids", vocabularySize: 10)
        }
        #expect(error?.description.contains(name) == true, "\(lines): \(error?.description ?? "")")
    }

    @Test func idsOutsideTheVocabularyAreNamed() throws {
        for id in [10, -1, 1 << 40] {
            #expect(
                throws: TokenizerError.idOutsideVocabulary(
                    source: "ids", line: 2, position: 1, id: id, vocabularySize: 10)
            ) { try Corpus.tokens(Array("[1]\n[2,\(id)]".utf8), source: "ids", vocabularySize: 10) }
        }
        #expect(throws: TokenizerError.noSequences(source: "ids")) {
            try Corpus.tokens(Array("\n \n".utf8), source: "ids", vocabularySize: 10)
        }
    }

    // MARK: Texts and fingerprints

    @Test func textsThatAreNotUTF8AreRefusedWithTheirPlace() throws {
        for (bytes, offset) in [([0x61, 0xFF], 1), ([0xC3, 0xA9, 0xC3], 2), ([0xED, 0xA0, 0x80], 0), ([0x80], 0)] {
            #expect(throws: TokenizerError.notUTF8(source: "text", byteOffset: offset)) {
                try SourceText(bytes.map { UInt8($0) }, name: "text")
            }
        }
        #expect(throws: TokenizerError.emptyText(source: "text")) { try text("") }
    }

    @Test func bytesAreKeptAsTheyAre() throws {
        let tokenizer = try Fixtures.tokenizer("digits")
        let source = "\u{FEFF}a\r\nb\r\n"
        let corpus = try TemporaryFile.with(Array(source.utf8)) { path in
            try Corpus.windows(of: MappedFile(path), tokenizer: tokenizer, enoughFor: 100, bos: false)
        }
        #expect(try tokenizer.decodeBytes(corpus.sequences[0]) == Array(source.utf8))
    }

    @Test func aTokenThatTheModelLacksIsNotPutInFront() throws {
        let tokenizer = try Fixtures.tokenizer("digits")
        #expect(throws: TokenizerError.self) {
            try Corpus.windows(of: text("a"), tokenizer: tokenizer, enoughFor: 1, bos: true)
        }
    }

    /// The digest of 01000000 05000000 02000000 06000000 ff010000, made with Python's hashlib.
    @Test func fingerprintIsOverLengthsAndIDs() throws {
        let corpus = Corpus(sequences: [[5], [6, 511]], source: "", protocolDescription: "")
        #expect(corpus.fingerprint == "d915c4093b41951e1d31ab06f01fa92011741006aa8fd0d951ab2ff776754a11")
    }
}
