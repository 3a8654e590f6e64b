import Checkpoints
import Testing

@testable import Tokenizers

@Suite struct TokenizerTests {
    @Test(arguments: Fixtures.names) func idsAreThoseOfTheReference(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let cases = try Fixtures.cases(name)
        #expect(cases.count > 300)
        for example in cases {
            let ids = try tokenizer.encode(example.text)
            #expect(ids == example.ids, "\(name): \(example.text.debugDescription)")
        }
    }

    /// Where a token that is not special overlaps one that is, the reference looks past it; here special tokens are
    /// not looked for at all. No case has such an overlap.
    @Test(arguments: Fixtures.names) func specialTokensCanBeText(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        for example in try Fixtures.cases(name) {
            let ids = try tokenizer.encode(example.text, specialTokens: .asText)
            #expect(ids == example.plainIDs, "\(name): \(example.text.debugDescription)")
        }
    }

    /// Added tokens that take the space beside them are the only ones that lose something.
    @Test func decodingGivesTheTextBack() throws {
        var json = try Fixtures.json("digits.json")
        json = json.setting("added_tokens", .array([]))
        let tokenizer = try Fixtures.tokenizer(json)
        for text in try Fixtures.texts() {
            let ids = try tokenizer.encode(text)
            #expect(try tokenizer.decodeBytes(ids) == Array(text.utf8))
            #expect(try tokenizer.decode(ids).utf8.elementsEqual(text.utf8))
        }
    }

    @Test func theStartOfATextHasTheFirstIDs() throws {
        for name in Fixtures.names {
            let tokenizer = try Fixtures.tokenizer(name)
            let text = try Fixtures.texts().joined()
            let ids = try tokenizer.encode(text)
            for count in [0, 1, 2, 10, 100, 1000, ids.count, ids.count + 1] {
                let start = try tokenizer.encode(text, atLeast: count)
                #expect(start.ids.count >= min(count, ids.count))
                #expect(start.ids.elementsEqual(ids.prefix(start.ids.count)))
                #expect(start.encodedByteCount <= text.utf8.count)
            }
            #expect(try tokenizer.encode(text, atLeast: .max).encodedByteCount == text.utf8.count)
        }
    }

    @Test func oneTokenizerServesManyThreads() async throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        let cases = try Fixtures.cases("pattern")
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { cases.allSatisfy { (try? tokenizer.encode($0.text)) == $0.ids } }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    /// A quadratic merge of these would take hours.
    @Test(.timeLimit(.minutes(1))) func longRunsWithoutASpaceAreNoTrouble() throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        for unit in ["a", "er", "layer", "直", " "] {
            let text = String(repeating: unit, count: 200_000 / unit.utf8.count)
            #expect(try tokenizer.decode(tokenizer.encode(text, specialTokens: .asText)) == text)
        }
    }

    /// The heap for long words against the scan for short ones: both in turn on the same words.
    @Test func longWordsAreMergedAsShortOnesAre() throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        guard case .bytePair(let encoder) = tokenizer.encoder, case .bytes(let byteIDs) = encoder.symbols else {
            Issue.record("not byte-level BPE")
            return
        }
        var list = MergeList()
        for text in ["transformers", "layer", "aaaa", "measured", "it", "überrasch", "interlayering"] {
            var ids = text.utf8.map { byteIDs[Int($0)] }
            list.merge(&ids, encoder.merges)
            #expect(try ids == tokenizer.encode(text))
        }
    }

    @Test func bytesWithoutATokenAreCounted() throws {
        let holes = try Fixtures.tokenizer("holes")
        #expect(holes.missingBytes == [0x06, 0x1D, 0xF0])
        #expect(try holes.encode("!\u{06}!\u{1D}", atLeast: .max).lostByteCount == 2)
        #expect(try holes.encode("!!", atLeast: .max).lostByteCount == 0)
        #expect(try Fixtures.tokenizer("pattern").missingBytes.isEmpty)
    }

    @Test func unknownIDsAreNamed() throws {
        let tokenizer = try Fixtures.tokenizer("pattern")
        let size = tokenizer.vocabularySize
        for id in [Int32(size), -1, .max, .min] {
            #expect(throws: TokenizerError.unknownID(id: id, index: 1, vocabularySize: size)) {
                try tokenizer.decode([0, id])
            }
            #expect(try tokenizer.token(id) == nil)
        }
        #expect(try tokenizer.decode([]) == "")
    }

    @Test func whatItIsCanBeSaid() throws {
        let pattern = try Fixtures.tokenizer("pattern")
        #expect(try pattern.beginningOfSequence.flatMap(pattern.token) == Array("<|bos|>".utf8))
        #expect(pattern.addsBeginningOfSequence)
        #expect(pattern.summary.contains("pre-tokenization gpt-2; 9 added tokens, 3 of them special; BOS"))
        let digits = try Fixtures.tokenizer("digits")
        #expect(digits.preTokenizationName == "smollm")
        #expect(digits.beginningOfSequence == nil)
        #expect(try Fixtures.tokenizer("holes").summary.contains("no token for 3 bytes"))
    }
}

extension JSON {
    /// This object with another member.
    func setting(_ key: String, _ value: JSON?) -> JSON {
        var object = object ?? JSONObject()
        object[key] = value
        return .object(object)
    }
}
