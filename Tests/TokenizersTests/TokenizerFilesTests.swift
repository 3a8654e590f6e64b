import Checkpoints
import Testing

@testable import Tokenizers

/// `Benchmarks/Peers/judge_gguf_exports.py` has the same compared with the `tokenizers` library.
@Suite("The tokenizer.json that is made of a GGUF file gives its ids")
struct TokenizerFilesTests {
    /// The fixture without bytes, with a control and a user-defined token at its end.
    private func byteLevel(_ name: String) throws -> GGUFBuilder {
        let model = try Fixtures.json("holes.json")["model"] ?? .null
        let vocabulary = (model["vocab"]?.object?.members ?? []).sorted {
            ($0.value.integer ?? 0) < ($1.value.integer ?? 0)
        }
        var builder = GGUFBuilder()
        builder.add("model", "gpt2")
        builder.add("pre", name)
        builder.add("tokens", vocabulary.map(\.key) + ["<|a b|>", "<user>"])
        builder.add("token_type", vocabulary.map { _ in Int32(1) } + [3, 4])
        builder.add(
            "merges",
            (model["merges"]?.array ?? []).map { ($0.array ?? []).compactMap(\.string).joined(separator: " ") })
        return builder
    }

    private func sentencePiece(
        _ pieces: [SentencePieceModel.Piece], model: String = "llama"
    ) -> GGUFBuilder {
        var builder = GGUFBuilder()
        builder.add("model", model)
        builder.add("tokens", pieces.map(\.text))
        builder.add("token_type", pieces.map { Int32($0.kind.rawValue) })
        builder.add("scores", scores: pieces.map(\.score))
        return builder
    }

    /// Compares the ids of texts.
    ///
    /// - Parameter isExact: Whether special tokens as text, and the texts of ids, are the same, too: the library has no
    ///   tokens that are not made of text, nor such that stand for U+2581.
    private func expectSame(_ builder: GGUFBuilder, _ texts: [String], isExact: Bool = true) throws {
        let file = try builder.open()
        let (want, got) = (
            try Tokenizer(TokenizerDefinition(file)),
            try Fixtures.tokenizer(TokenizerFiles(file, maximumLength: 64).tokenizer)
        )
        for text in texts {
            #expect(try got.encode(text) == want.encode(text), "\(text.debugDescription)")
            guard isExact else { continue }
            let plain = try got.encode(text, specialTokens: .asText)
            #expect(try plain == want.encode(text, specialTokens: .asText), "\(text.debugDescription)")
            #expect(try got.decode(got.encode(text)) == want.decode(want.encode(text)), "\(text.debugDescription)")
        }
        #expect(got.vocabularySize == want.vocabularySize)
        #expect(got.sequencePrefix == want.sequencePrefix && got.sequenceSuffix == want.sequenceSuffix)
        #expect(!texts.isEmpty)
    }

    @Test("byte-level BPE", arguments: GGUFPreTokenization.names.filter { $0 != "gemma4" })
    func byteLevelIDs(name: String) throws {
        var builder = try byteLevel(name)
        builder.add("bos_token_id", 7 as UInt32)
        builder.add("eos_token_id", 8 as UInt32)
        builder.add("add_eos_token", true)
        try expectSame(builder, Fixtures.texts() + ["<|a b|>x <user>", "1 22 333 4444", "a\n\n b"])
    }

    @Test("merges by score", arguments: ["bpe-llama", "bpe-plain", "bpe-user"])
    func mergesByScore(name: String) throws {
        let pieces = try SentencePieceFixtures.model(name).pieces
        let texts = try SentencePieceFixtures.cases(name).map(\.text)
        let isExact = name != "bpe-user"
        try expectSame(
            sentencePiece(pieces), texts + ["<s>a</s> b", "   ", "a     b", "\u{2581}"], isExact: isExact)
        var builder = sentencePiece(pieces)
        builder.add("add_space_prefix", false)
        builder.add("add_bos_token", false)
        try expectSame(builder, texts, isExact: isExact)
    }

    @Test("runs of a character whose pieces have one score grow from the left")
    func runs() throws {
        let runs = (1...16).map { String(repeating: "\u{2581}", count: $0) }
        var pieces = ["<unk>", "<s>", "</s>"].map { SentencePieceModel.Piece(text: $0, score: 0, kind: .control) }
        pieces += (0...255).map {
            SentencePieceModel.Piece(text: SymbolTable.name(of: UInt8($0)), score: 0, kind: .byte)
        }
        pieces += runs.map { SentencePieceModel.Piece(text: $0, score: -1e9, kind: .normal) }
        pieces += ["a", "b"].map { SentencePieceModel.Piece(text: $0, score: -5, kind: .normal) }
        pieces.append(SentencePieceModel.Piece(text: "\u{2581}a", score: -1, kind: .normal))
        try expectSame(
            sentencePiece(pieces),
            (0..<70).map { String(repeating: " ", count: $0) + "ab" + String(repeating: " ", count: $0 / 2) })
    }

    @Test func whatWouldGiveOtherIDsIsRefused() throws {
        func expect(_ part: String, _ builder: GGUFBuilder) throws {
            let file = try builder.open()
            let error = #expect(throws: TokenizerError.self) { try TokenizerFiles(file, maximumLength: 64) }
            #expect("\(try #require(error))".contains(part), "\(error.debugDescription)")
        }
        let pieces = try SentencePieceFixtures.model("bpe-llama").pieces
        func with(_ text: String, _ kind: SentencePieceModel.Piece.Kind) -> GGUFBuilder {
            sentencePiece(pieces + [SentencePieceModel.Piece(text: text, score: -1, kind: kind)])
        }
        try expect("with a character that is none", with("a\u{10FFFD}", .normal))
        try expect("the unused piece \"ae\"", with("ae", .unused))
        var unigram = sentencePiece(pieces, model: "t5")
        unigram.add("unknown_token_id", 0 as UInt32)
        try expect("SentencePiece model with rules of its own", unigram)
    }

    @Test func rolesAndTemplatesAreCarriedOver() throws {
        var builder = try byteLevel("qwen2")
        for (role, id) in [("bos", 7), ("eos", 8), ("padding", 9), ("eot", 10)] {
            builder.add("\(role)_token_id", UInt32(id))
        }
        builder.addChatTemplate("{{ messages }}")
        let files = try TokenizerFiles(builder.open(), maximumLength: 64)
        #expect(files.beginningOfSequence == 7 && files.endsOfSequence == [8, 10] && files.padding == 9)
        let vocabulary = try #require(files.tokenizer["model"]?["vocab"]?.object)
        let text = { (id: Int) in vocabulary.members.first { $0.value == .integer(id) }.map { JSON.string($0.key) } }
        for (role, id) in [("bos_token", 7), ("eos_token", 8), ("pad_token", 9)] {
            #expect(files.configuration[role] == text(id))
        }
        #expect(files.configuration["chat_template"] == "{{ messages }}")
        #expect(files.configuration["model_max_length"] == 64)
        let added = files.configuration["added_tokens_decoder"]?.object
        #expect(added?.members.map { $0.value["special"] } == [true, false])
        #expect(files.tokenizer["post_processor"]?.isNull == true)
    }
}
