import Checkpoints
import TestSupport
import Testing

@testable import Tokenizers

/// SentencePiece's models in GGUF files.
@Suite struct SentencePieceGGUFTests {
    private func builder(_ name: String, _ kind: String) throws -> GGUFBuilder {
        let model = try SentencePieceFixtures.model(name)
        var builder = GGUFBuilder()
        builder.add("model", kind)
        builder.add("tokens", model.pieces.map(\.text))
        builder.add("scores", scores: model.pieces.map(\.score))
        builder.add("token_type", model.pieces.map { Int32($0.kind.rawValue) })
        return builder
    }

    private func tokenizer(_ builder: GGUFBuilder) throws -> Tokenizer {
        try Tokenizer(TokenizerDefinition(builder.open()))
    }

    @Test func idsOfMergesAreThoseOfTheModel() throws {
        let tokenizer = try tokenizer(builder("bpe-llama", "llama"))
        for example in try SentencePieceFixtures.cases("bpe-llama") {
            let ids = try tokenizer.encode(example.text, specialTokens: .asText)
            #expect(ids == example.ids, "\(example.text.debugDescription)")
            #expect(try tokenizer.decode(ids) == example.decoded)
        }
        #expect(tokenizer.beginningOfSequence == 1)
        #expect(tokenizer.sequencePrefix == [1])
        #expect(tokenizer.sequenceSuffix.isEmpty)
    }

    @Test func idsOfUnigramsAreThoseOfTheModel() throws {
        var builder = try builder("unigram-rules", "t5")
        builder.add(
            "precompiled_charsmap", bytes: try SentencePieceFixtures.model("unigram-rules").normalization.characterMap)
        builder.add("add_space_prefix", true)
        builder.add("remove_extra_whitespaces", true)
        builder.add("unknown_token_id", 0 as UInt32)
        let tokenizer = try tokenizer(builder)
        // User-defined pieces are tokens of their own here.
        let user = try SentencePieceFixtures.model("unigram-rules").pieces.filter { $0.kind == .userDefined }.map(
            \.text)
        var count = 0
        for example in try SentencePieceFixtures.cases("unigram-rules") {
            guard !user.contains(where: { example.text.unicodeScalars.map(\.value).firstRange(of: $0) }) else {
                continue
            }
            #expect(
                try tokenizer.encode(example.text, specialTokens: .asText) == example.ids,
                "\(example.text.debugDescription)")
            count += 1
        }
        #expect(count > 40)
        #expect(tokenizer.sequencePrefix.isEmpty)
        #expect(tokenizer.sequenceSuffix == [1])
    }

    @Test func whatTheFileSaysOverridesTheDefaults() throws {
        var builder = try builder("bpe-llama", "llama")
        builder.add("bos_token_id", 2 as UInt32)
        builder.add("add_bos_token", false)
        builder.add("add_eos_token", true)
        builder.add("add_space_prefix", false)
        let tokenizer = try tokenizer(builder)
        #expect(tokenizer.beginningOfSequence == 2)
        #expect(tokenizer.sequencePrefix.isEmpty)
        #expect(tokenizer.sequenceSuffix == [2])
        let plain = try self.tokenizer(self.builder("bpe-llama", "llama"))
        #expect(try tokenizer.encode(" the") == plain.encode("the"))
        #expect(try tokenizer.encode("the") != plain.encode("the"))
    }

    @Test func contradictionsAreRefusedByName() throws {
        for (key, values) in [("scores", [1] as [Float]), ("scores", [])] {
            var builder = GGUFBuilder()
            builder.add("model", "llama")
            builder.add("tokens", ["<unk>", "a"])
            builder.add("token_type", [2, 1] as [Int32])
            builder.add(key, scores: values)
            let error = #expect(throws: TokenizerError.self) { try tokenizer(builder) }
            #expect(error?.description.contains("tokenizer.ggml.scores") == true)
        }
        var other = GGUFBuilder()
        other.add("model", "bert")
        let error = #expect(throws: TokenizerError.self) { try tokenizer(other) }
        #expect(error?.description.contains("\"bert\"") == true)
    }
}

/// Folders without a tokenizer.json.
@Suite struct TokenizerFolderTests {
    private func folder(_ config: JSON, _ files: [String: [UInt8]]) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(config.serialized(indented: false), to: "config.json")
        let header = #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        try folder.write(length + Array(header.utf8) + [0, 0, 0, 0], to: "model.safetensors")
        for (name, bytes) in files { try folder.write(bytes, to: name) }
        return folder
    }

    private func tokenizer(_ folder: TemporaryFolder) throws -> Tokenizer {
        try Tokenizer(Checkpoint.open(folder.path))
    }

    private func bytes(_ json: JSON) -> [UInt8] { Array(json.serialized(indented: false).utf8) }

    private static let llama: JSON = ["model_type": "llama"]

    @Test func aTokenizerModelHasABeginningOfTheSequence() throws {
        let model = try SentencePieceFixtures.bytes("bpe-llama")
        let plain = try tokenizer(folder(Self.llama, ["tokenizer.model": model]))
        #expect(plain.sequencePrefix == [1])
        #expect(plain.sequenceSuffix.isEmpty)
        for example in try SentencePieceFixtures.cases("bpe-llama") {
            #expect(try plain.encode(example.text, specialTokens: .asText) == example.ids)
        }
        let settings: JSON = [
            "tokenizer_class": "LlamaTokenizerFast", "add_bos_token": false, "add_eos_token": true,
            "eos_token": ["content": "</s>"],
        ]
        let other = try tokenizer(
            folder(Self.llama, ["tokenizer.model": model, "tokenizer_config.json": bytes(settings)]))
        #expect(other.sequencePrefix.isEmpty)
        #expect(other.sequenceSuffix == [2])
        #expect(other.beginningOfSequence == 1)
    }

    @Test func addedTokensAndTheLegacyFlagAreAsInTransformers() throws {
        let model = try SentencePieceFixtures.bytes("bpe-llama")
        var settings: JSON = [
            "tokenizer_class": "LlamaTokenizer",
            "added_tokens_decoder": [
                "1": ["content": "<s>", "special": true, "lstrip": false, "rstrip": false, "normalized": false],
                "460": ["content": "<turn>", "special": true, "rstrip": true],
            ],
        ]
        func ids(_ text: String) throws -> [Int32] {
            try tokenizer(folder(Self.llama, ["tokenizer.model": model, "tokenizer_config.json": bytes(settings)]))
                .encode(text)
        }
        let the = try SentencePieceFixtures.tokenizer("bpe-llama").encode("the")
        #expect(try ids("<turn> \n the<s>the") == [460] + the + [1] + the)
        settings = settings.setting("legacy", false)
        let bare = try ids("<s>the").dropFirst()
        #expect(try ids("<turn> \n the<s>the") == [460] + bare + [1] + bare)
        #expect(try ids("the<s>the") == the + [1] + bare)
        #expect(Array(bare) != the)
    }

    @Test func addedTokensOfAFileOfTheirOwnAreRead() throws {
        let model = try SentencePieceFixtures.bytes("bpe-llama")
        let files = [
            "tokenizer.model": model, "added_tokens.json": bytes(["<pad>": 460, "plain": 461]),
            "special_tokens_map.json": bytes(["pad_token": "<pad>"]),
        ]
        let tokenizer = try tokenizer(folder(Self.llama, files))
        #expect(tokenizer.vocabularySize == 462)
        #expect(try tokenizer.encode("<pad>plain") == [460, 461])
        #expect(try tokenizer.encode("<pad>plain", specialTokens: .asText).last == 461)
        #expect(try tokenizer.encode("<pad>", specialTokens: .asText).contains(460) == false)
        var wrong = files
        wrong["added_tokens.json"] = bytes(["<s>": 460])
        let error = #expect(throws: TokenizerError.self) { try self.tokenizer(folder(Self.llama, wrong)) }
        #expect(error?.description.contains("has the id 1 in the vocabulary") == true)
    }

    @Test func theTokenizerJSONIsPreferredAndThenTheModel() throws {
        let model = try SentencePieceFixtures.bytes("bpe-llama")
        let json = SourceText.copy(of: try MappedFile(SentencePieceFixtures.path("unigram.json")))
        let all = try tokenizer(
            folder(Self.llama, ["tokenizer.json": json, "tokenizer.model": model, "vocab.json": [], "merges.txt": []]))
        #expect(all.summary.hasPrefix("unigram"))
        let two = try tokenizer(folder(Self.llama, ["tokenizer.model": model, "vocab.json": [], "merges.txt": []]))
        #expect(two.summary.hasPrefix("SentencePiece BPE"))
    }

    @Test func aVocabularyAndMergesAreThoseOfTheTokenizerJSON() throws {
        let json = try Fixtures.json("pattern.json")
        let model = try #require(json["model"])
        let merges = (model["merges"]?.array ?? []).compactMap { merge in
            merge.string ?? merge.array?.compactMap(\.string).joined(separator: " ")
        }
        var added = JSONObject()
        for token in json["added_tokens"]?.array ?? [] {
            added["\(token["id"]?.integer ?? -1)"] = token.setting("id", nil)
        }
        let settings: JSON = [
            "tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder": .object(added), "bos_token": "<|bos|>",
        ]
        var files = [
            "vocab.json": bytes(model["vocab"] ?? .null),
            "merges.txt": Array(("#version: 0.2\n" + merges.joined(separator: "\n") + "\n").utf8),
            "tokenizer_config.json": bytes(settings),
        ]
        let tokenizer = try tokenizer(folder(["model_type": "gpt2"], files))
        for example in try Fixtures.cases("pattern") {
            #expect(try tokenizer.encode(example.text) == example.ids, "\(example.text.debugDescription)")
        }
        #expect(tokenizer.beginningOfSequence == 400)
        #expect(tokenizer.sequencePrefix.isEmpty)
        // OPT puts its beginning in front.
        #expect(try self.tokenizer(folder(["model_type": "opt"], files)).sequencePrefix == [400])
        files["tokenizer_config.json"] = bytes(settings.setting("add_prefix_space", true))
        let spaced = try self.tokenizer(folder(["model_type": "gpt2"], files))
        #expect(try spaced.encode("layer") == tokenizer.encode(" layer"))
        files["merges.txt"] = Array("#version: 0.2\na b c\n".utf8)
        let error = #expect(throws: TokenizerError.self) {
            try self.tokenizer(folder(["model_type": "gpt2"], files))
        }
        #expect(error?.description.contains("merges.txt: line 2") == true)
    }

    @Test func othersAreRefusedByName() throws {
        func message(_ config: JSON, _ files: [String: [UInt8]]) throws -> String {
            let error = #expect(throws: TokenizerError.self) { try tokenizer(folder(config, files)) }
            return error?.description ?? ""
        }
        let model = try SentencePieceFixtures.bytes("bpe-llama")
        #expect(try message(Self.llama, [:]).contains("no tokenizer.json, tokenizer.model, or vocab.json"))
        #expect(try message(Self.llama, ["tekken.json": [0x7B, 0x7D]]).contains("Tekken"))
        #expect(try message(["model_type": "t5"], ["tokenizer.model": model]).contains("\"t5\""))
        let other = bytes(["tokenizer_class": "XLMRobertaTokenizer"])
        #expect(
            try message(Self.llama, ["tokenizer.model": model, "tokenizer_config.json": other]).contains("XLMRoberta"))
        let merges: [String: [UInt8]] = ["vocab.json": bytes(["a": 0]), "merges.txt": Array("#version\n".utf8)]
        #expect(try message(["model_type": "clip"], merges).contains("\"clip\""))
    }
}

extension Array<UInt32> {
    /// Whether the characters of `text` stand one after the other in it.
    fileprivate func firstRange(of text: String) -> Bool {
        let wanted = text.unicodeScalars.map(\.value)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}
