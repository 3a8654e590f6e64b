import Checkpoints
import Testing

@testable import Tokenizers

/// Tokenizers of all kinds of steps, made from `Fixtures/steps.json`.
@Suite struct TokenizerStepTests {
    private static let names = [
        "llama 3", "normalized", "composed", "merged with previous", "merged with next", "contiguous", "removed",
        "digits after bytes", "llama 2", "gemma", "metaspace always", "metaspace first",
    ]

    private struct Example {
        let tokenizer: Tokenizer
        let texts: [String]
        let ids: [[Int32]]
        let decoded: [String]

        init(_ name: String) throws {
            let file = try Fixtures.json("steps.json")
            let all = file["tokenizers"]?.array ?? []
            let value = try #require(all.first { $0["name"]?.string == name })
            let model = try #require(file["models"]?[value["model"]?.string ?? ""])
            tokenizer = try Fixtures.tokenizer((value["definition"] ?? .null).setting("model", model))
            texts = file["texts"]?.array?.compactMap(\.string) ?? []
            ids = value["ids"]?.array?.map(Fixtures.ids) ?? []
            decoded = value["decoded"]?.array?.compactMap(\.string) ?? []
        }
    }

    @Test(arguments: names) func idsAndTextsAreThoseOfTheReference(name: String) throws {
        let example = try Example(name)
        #expect(example.texts.count > 100 && example.ids.count == example.texts.count)
        #expect(example.decoded.count == example.texts.count)
        for (text, (ids, decoded)) in zip(example.texts, zip(example.ids, example.decoded)) {
            #expect(try example.tokenizer.encode(text) == ids, "\(text.debugDescription)")
            #expect(try Array(example.tokenizer.decode(ids).utf8) == Array(decoded.utf8), "\(text.debugDescription)")
        }
    }

    @Test(arguments: names) func theStartOfATextHasTheFirstIDs(name: String) throws {
        let example = try Example(name)
        let text = example.texts.joined()
        let ids = try example.tokenizer.encode(text)
        for count in [0, 1, 10, 100, ids.count, ids.count + 1] {
            let start = try example.tokenizer.encode(text, atLeast: count)
            #expect(start.ids.count >= min(count, ids.count))
            #expect(start.ids.elementsEqual(ids.prefix(start.ids.count)))
            #expect(start.encodedByteCount <= text.utf8.count)
        }
        #expect(try example.tokenizer.encode(text, atLeast: .max).encodedByteCount == text.utf8.count)
    }

    /// What a sequence has around it is known, and not part of what `encode` gives.
    @Test func whatIsPutAroundASequenceIsRead() throws {
        func around(_ processor: JSON) throws -> [[Int32]] {
            let json = try Fixtures.json("holes.json").setting("post_processor", processor)
            let tokenizer = try Fixtures.tokenizer(json)
            #expect(tokenizer.beginningOfSequence == tokenizer.sequencePrefix.first)
            return [tokenizer.sequencePrefix, tokenizer.sequenceSuffix]
        }
        #expect(try around(["type": "ByteLevel"]) == [[], []])
        #expect(try around(["type": "BertProcessing", "cls": ["a", 1], "sep": ["b", 2]]) == [[1], [2]])
        #expect(
            try around(["type": "RobertaProcessing", "cls": ["a", 1], "sep": ["b", 2], "trim_offsets": true]) == [
                [1], [2],
            ])
        let template: JSON = [
            "type": "TemplateProcessing",
            "single": [["SpecialToken": ["id": "x"]], ["Sequence": ["id": "A"]], ["SpecialToken": ["id": "y"]]],
            "special_tokens": ["x": ["ids": [3, 4]], "y": ["ids": [5]]],
        ]
        #expect(try around(["type": "Sequence", "processors": [["type": "ByteLevel"], template]]) == [[3, 4], [5]])
        #expect(throws: TokenizerError.self) { try around(["type": "Sequence", "processors": [template, template]]) }
    }

    @Test func singleBytesThatAreNoTextAreOneMarkEach() throws {
        let tokenizer = try Example("llama 2").tokenizer
        let ids = try [0xE2, 0x82].map { try #require(tokenizer.vocabulary.id(of: SymbolTable.name(of: $0))) }
        #expect(try tokenizer.decode(ids) == "\u{FFFD}\u{FFFD}")
        #expect(try tokenizer.decodeBytes(ids) == [0xE2, 0x82])
    }

    @Test func aPatternThatDoesNotEndIsReported() throws {
        let split: JSON = ["type": "Split", "pattern": ["Regex": "(?:a+)+[bc]"], "behavior": "Isolated"]
        let tokenizer = try Fixtures.tokenizer(try Fixtures.json("holes.json").setting("pre_tokenizer", split))
        let error = #expect(throws: TokenizerError.self) { try tokenizer.encode(String(repeating: "a", count: 5_000)) }
        #expect(error?.description.contains("encoding, at byte 0: match limit exceeded") == true)
    }

    @Test func stepsAreCounted() throws {
        let steps = JSON.array([JSON](repeating: ["type": "Whitespace"], count: 33))
        let json = try Fixtures.json("holes.json").setting(
            "pre_tokenizer", ["type": "Sequence", "pretokenizers": steps])
        let error = #expect(throws: TokenizerError.self) { try Fixtures.tokenizer(json) }
        #expect(error?.description.contains("more than 32 steps") == true)
    }
}
