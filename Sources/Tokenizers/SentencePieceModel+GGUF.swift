import Checkpoints

extension SentencePieceModel {
    /// The model in the metadata of a GGUF file, `llama` (merges) or `t5` (unigram): nil for any other kind. What the file
    /// does not say is as llama.cpp has it.
    ///
    /// Where llama.cpp does not do as the models' own library, this does: control tokens are never made of text, unigrams
    /// fall back to bytes where they have them, and the spaces of a text that has nothing else are treated as any others.
    init?(_ reader: GGUFTokenizerReader) throws(TokenizerError) {
        let name = try reader.model()
        guard name == "llama" || name == "t5" else { return nil }
        let isUnigram = name == "t5"
        kind = isUnigram ? .unigram : .bytePair
        pieces = try Self.pieces(reader)
        arithmetic = .llama
        findsUserDefined = false
        unknownSurface = nil
        fallsBackToBytes = pieces.contains { $0.kind == .byte }
        unknownID =
            try reader.tokenID("unknown_token_id", vocabularySize: pieces.count)
            ?? reader.defaultID(isUnigram ? 2 : 0, vocabularySize: pieces.count)
        if let unknownID { pieces[Int(unknownID)].kind = .unknown }
        normalization.addsDummyPrefix = try reader.flag("add_space_prefix") ?? !isUnigram
        normalization.removesExtraWhitespace = false
        guard isUnigram else { return }
        normalization.removesExtraWhitespace = try reader.flag("remove_extra_whitespaces") ?? false
        normalization.characterMap = try reader.bytes("precompiled_charsmap")
    }

    private static func pieces(_ reader: GGUFTokenizerReader) throws(TokenizerError) -> [Piece] {
        let types = try reader.tokenTypes()
        let tokens = try reader.tokens(types)
        let scores = try reader.numbers("scores")
        guard scores.count == tokens.count else {
            throw reader.malformed(
                "tokenizer.ggml.scores", "it has \(scores.count) elements for \(tokens.count) tokens")
        }
        var pieces: [Piece] = []
        pieces.reserveCapacity(tokens.count)
        for (index, token) in tokens.enumerated() {
            guard let kind = Piece.Kind(rawValue: types[index]) else { continue }
            // An empty text is one that no text has.
            let text = token.text.isEmpty ? "[EMPTY_\(index)]" : token.text
            pieces.append(Piece(text: text, score: Float(scores[index]), kind: kind))
        }
        return pieces
    }
}

extension TokenizerDefinition {
    /// The tokenizer of a GGUF file, where it is SentencePiece's.
    init?(sentencePieceIn reader: GGUFTokenizerReader) throws(TokenizerError) {
        guard let model = try SentencePieceModel(reader) else { return nil }
        try self.init(model, path: reader.metadata.path)
        let isUnigram = model.kind == .unigram
        let count = model.pieces.count
        beginningOfSequence =
            try reader.tokenID("bos_token_id", vocabularySize: count)
            ?? (isUnigram ? nil : reader.defaultID(1, vocabularySize: count))
        let end =
            try reader.tokenID("eos_token_id", vocabularySize: count)
            ?? reader.defaultID(isUnigram ? 1 : 2, vocabularySize: count)
        sequencePrefix = try reader.added(
            beginningOfSequence, reader.flag("add_bos_token") ?? !isUnigram, "bos_token_id", "add_bos_token")
        sequenceSuffix = try reader.added(
            end, reader.flag("add_eos_token") ?? isUnigram, "eos_token_id", "add_eos_token")
        if try reader.isOfPhi3 { stripSpaceAfterTokens() }
    }

    /// Phi-3 takes the white space after its tokens, which llama.cpp knows by the model's name.
    private mutating func stripSpaceAfterTokens() {
        for index in addedTokens.indices where !["<unk>", "<s>", "<|endoftext|>"].contains(addedTokens[index].content) {
            addedTokens[index].stripsRight = true
        }
    }
}
