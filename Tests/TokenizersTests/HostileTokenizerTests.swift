import Checkpoints
import Testing

@testable import Tokenizers

/// Files that contradict themselves or ask for what is not done: each is refused, and the message names the thing.
@Suite struct HostileTokenizerTests {
    private func refusal(_ change: (JSON) -> JSON) throws -> String {
        let json = change(try Fixtures.json("digits.json"))
        let error = #expect(throws: TokenizerError.self) { try Fixtures.tokenizer(json) }
        return error?.description ?? ""
    }

    private func refusal(model key: String, _ value: JSON?) throws -> String {
        try refusal { json in json.setting("model", (json["model"] ?? .null).setting(key, value)) }
    }

    @Test(
        arguments: [
            ("normalizer", ["type": "Nmt"], "Nmt"), ("normalizer", ["type": "BertNormalizer"], "BertNormalizer"),
            ("normalizer", ["type": "NFC", "version": 15], "version"),
            ("normalizer", ["type": "Strip", "strip_left": true], "strip_right"),
            ("normalizer", ["type": "Replace", "pattern": ["String": ""], "content": ""], "normalizer"),
            ("normalizer", ["type": "Replace", "pattern": ["Regex": "(a"], "content": ""], "a group without an end"),
            ("pre_tokenizer", ["type": "BertPreTokenizer"], "BertPreTokenizer"),
            ("pre_tokenizer", ["type": "Metaspace", "replacement": "__"], "replacement"),
            ("pre_tokenizer", ["type": "Metaspace", "replacement": "_", "prepend_scheme": "last"], "last"),
            ("pre_tokenizer", ["type": "Metaspace", "replacement": "_", "add_prefix_space": false], "prepend_scheme"),
            (
                "pre_tokenizer", ["type": "Sequence", "pretokenizers": [["type": "Split"], ["type": "ByteLevel"]]],
                "pretokenizers[0]"
            ),
            (
                "pre_tokenizer", ["type": "Split", "pattern": ["Regex": "(?<=a+)b"], "behavior": "Isolated"],
                "lookbehind"
            ),
            ("pre_tokenizer", ["type": "Split", "pattern": ["Glob": "*"], "behavior": "Isolated"], "Glob"),
            ("pre_tokenizer", ["type": "Split", "pattern": ["Regex": "a"], "behavior": "Merged"], "Merged"),
            ("pre_tokenizer", ["type": "ByteLevel", "reverse": true], "reverse"),
            ("decoder", ["type": "WordPiece"], "WordPiece"), ("decoder", ["type": "CTC"], "CTC"),
            ("decoder", ["type": "Strip", "content": " ", "start": -1, "stop": 0], "start"),
            ("decoder", nil, "decoder"),
            ("post_processor", ["type": "BertProcessing", "cls": ["a", 0]], "sep"),
            ("post_processor", ["type": "BertProcessing", "cls": ["a", 0], "sep": ["b", 1_000_000]], "1000000"),
            (
                "post_processor",
                ["type": "TemplateProcessing", "single": [["Sequence": [:]], ["SpecialToken": [:]]]], "single[1]"
            ),
            ("post_processor", ["type": "TemplateProcessing", "single": []], "single"),
            ("added_tokens", [["id": 0]], "content"),
            ("added_tokens", [["id": 0, "content": ""]], "empty"),
            ("added_tokens", [["id": 5, "content": "<x>"]], "<x>"),
            ("added_tokens", [["id": -1, "content": "a"]], "added_tokens[0].id"),
            ("added_tokens", [["id": 0, "content": "<x>", "weight": 1]], "weight"),
            ("added_tokens", 3, "added_tokens"),
            ("extension", 1, "extension"),
        ] as [(String, JSON, String)])
    func memberIsRefusedByName(key: String, value: JSON, name: String) throws {
        let message = try refusal { $0.setting(key, value) }
        #expect(message.contains(name), "\(message)")
    }

    @Test(
        arguments: [
            ("type", "WordPiece", "WordPiece"), ("type", "WordLevel", "WordLevel"), ("dropout", 0.5, "dropout"),
            ("byte_fallback", 1, "byte_fallback"),
            ("continuing_subword_prefix", "é", "é"), ("end_of_word_suffix", 1, "end_of_word_suffix"),
            ("future", true, "future"),
            ("unk_token", "<nowhere>", "<nowhere>"), ("fuse_unk", 1, "fuse_unk"),
            ("ignore_merges", "yes", "ignore_merges"),
            ("vocab", ["a": 0, "b": 0], "\"b\""), ("vocab", ["a": 0, "b": 100_000], "\"b\""), ("vocab", [:], "empty"),
            ("vocab", ["a": -1], "\"a\""), ("vocab", ["a": 2_147_483_647], "\"a\""),
            ("vocab", ["ab": 0], "single byte"),
            ("vocab", 1, "vocab"), ("vocab", ["a": "0"], "\"a\""), ("merges", ["a"], "element 0"),
            ("merges", ["a b c"], "element 0"), ("merges", [["a"]], "element 0"),
            ("merges", ["q \u{0120}"], "not in the vocabulary"), ("merges", [["<nowhere>", "a"]], "<nowhere>"),
            ("merges", nil, "merges"),
        ] as [(String, JSON, String)])
    func modelIsRefusedByName(key: String, value: JSON, name: String) throws {
        // Merges that are not of the small vocabularies are not what is to be refused.
        let message = try refusal { json in
            var model = (json["model"] ?? .null).setting(key, value)
            if key == "vocab" { model = model.setting("merges", .array([])) }
            return json.setting("model", model).setting("added_tokens", .array([]))
        }
        #expect(message.contains(name), "\(message)")
    }

    @Test func aMergeIsNotThereTwice() throws {
        let merges = try Fixtures.json("digits.json")["model"]?["merges"]?.array ?? []
        let message = try refusal(model: "merges", .array(merges + merges.prefix(1)))
        #expect(message.contains("merge \(merges.count)"))
        #expect(message.contains("twice"))
    }

    @Test func aTokenIsNotAddedTwice() throws {
        let message = try refusal { json in
            let added = json["added_tokens"]?.array ?? []
            return json.setting("added_tokens", .array(added + added.prefix(1)))
        }
        #expect(message.contains("<|bos|>"))
    }

    /// Ids of added tokens are counted on, and the last one of all has no next.
    @Test func theLastIDOfAllHasNoNextOne() throws {
        let message = try refusal { json in
            let model = (json["model"] ?? .null).setting("vocab", ["a": 2_147_483_646]).setting("merges", .array([]))
            let added: JSON = [["id": 2_147_483_646, "content": "a"], ["id": 2_147_483_647, "content": "b"]]
            return json.setting("model", model).setting("added_tokens", added).setting("post_processor", nil)
        }
        #expect(message.contains("the id 2147483646 cannot be one"), "\(message)")
    }

    @Test func longAddedTokensAreRefused() throws {
        let message = try refusal { json in
            json.setting("added_tokens", [["id": 0, "content": .string(String(repeating: " ", count: 1025))]])
        }
        #expect(message.contains("added_tokens[0]: its content has 1025 bytes; expected at most 1024"), "\(message)")
        var builder = GGUFBuilder()
        builder.add("model", "gpt2")
        builder.add("pre", "gpt-2")
        builder.add("tokens", ["a", String(repeating: " ", count: 1025)])
        builder.add("token_type", [1, 4])
        builder.add("merges", [] as [String])
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(TokenizerDefinition(builder.open())) }
        #expect(error?.description.contains("element 1: it has 1025 bytes") == true)
    }

    @Test(arguments: [(8, "expected an object"), (9, "more than 8 sequences inside each other")])
    func sequencesAreReadToALimitedDepth(depth: Int, part: String) throws {
        var steps: JSON = [0]
        for _ in 0..<depth { steps = [["type": "Sequence", "processors": steps]] }
        let message = try refusal { $0.setting("post_processor", steps.array?.first) }
        #expect(message.contains(part) && message.utf8.count < 1_000, "\(message)")
    }

    /// The place of an element, for messages, is made for the elements that are looked at only.
    @Test func manyElementsTakeNoMoreThanTheFile() throws {
        let zeros = JSON.array([JSON](repeating: 0, count: 4_000_000))
        let memory = PeakMemory()
        let message = try refusal { $0.setting("added_tokens", zeros) }
        #expect(message.contains("added_tokens[0]: expected an object"), "\(message)")
        // With a place of its own, an element would be 100 bytes.
        #expect(memory.growth < 300_000_000)
    }

    /// Each token in a run of space takes the space beside it: the run is looked at once, not once for each token.
    @Test(.timeLimit(.minutes(1)), arguments: [("lstrip", 200_000), ("rstrip", 200_000)])
    func tokensThatTakeSpaceTakeLinearTime(flag: String, count: Int) throws {
        let json = try Fixtures.json("digits.json").setting("post_processor", nil)
        let size = json["model"]?["vocab"]?.object?.count ?? 0
        let added: JSON = [["id": .integer(size), "content": " ", "special": true]]
        let token = (added.array?.first ?? .null).setting(flag, true)
        let tokenizer = try Fixtures.tokenizer(json.setting("added_tokens", [token]))
        let ids = try tokenizer.encode(String(repeating: " ", count: count))
        #expect(ids == [Int32](repeating: Int32(size), count: count))
    }

    @Test func placesInMessagesCannotSteerATerminal() throws {
        let name = "\u{1B}[2J" + String(repeating: "x", count: 100_000)
        let message = try refusal { json in
            json.setting(
                "post_processor",
                [
                    "type": "TemplateProcessing",
                    "single": [["SpecialToken": ["id": .string(name)]], ["Sequence": [:]]],
                    "special_tokens": .object(JSONObject([(name, ["ids": 1] as JSON)])),
                ])
        }
        #expect(message.contains("\\u{1B}[2Jxxx") && message.utf8.count < 1_000, "\(message.prefix(1_000))")
    }

    /// "é" written in two ways is two tokens; Swift's strings would make them one.
    @Test func tokensThatLookAlikeStayApart() throws {
        let vocabulary: JSON = ["\u{C3}": 0, "\u{A9}": 1, "a": 2, "\u{E9}": 3, "e\u{301}": 4]
        let json = try Fixtures.json("holes.json")
        let model = (json["model"] ?? .null).setting("vocab", vocabulary).setting("merges", .array([]))
        let tokenizer = try Fixtures.tokenizer(json.setting("model", model))
        #expect(tokenizer.vocabularySize == 5)
        #expect(try tokenizer.encode("é") == [0, 1])
    }

    @Test func aFileThatIsNoTokenizerIsRefused() throws {
        for text in ["[]", "{}", "1", "{\"model\": null}"] {
            #expect(throws: TokenizerError.self) { try Fixtures.tokenizer(JSON.parse(text, source: "test")) }
        }
    }
}
