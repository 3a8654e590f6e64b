import Checkpoints

extension TokenizerDefinition {
    /// Reads a `tokenizer.model` by itself: nothing is put around a sequence.
    init(sentencePieceModel path: String) throws(TokenizerError) {
        try self.init(SentencePieceModel(path: path), path: path)
    }

    /// Control pieces, and those for the unknown, are found in a text only where special tokens are, and user-defined
    /// pieces always: by the model itself, or where it does not look for them as added tokens.
    init(_ model: SentencePieceModel, path: String) throws(TokenizerError) {
        self.init(path: path)
        self.model = .sentencePiece(model)
        preTokenizationName = "SentencePiece"
        let rules = model.normalization
        decoders = [
            .sentencePiece(
                rules.removesExtraWhitespace ? .removesSpaces : rules.addsDummyPrefix ? .removesSpace : .keepsSpaces)
        ]
        for (index, piece) in model.pieces.enumerated() {
            guard let id = Int32(exactly: index) else { break }
            let isAdded = piece.kind == .control || piece.kind == .unknown
            let isLiteral = isAdded || (piece.kind == .userDefined && !model.findsUserDefined)
            tokens.append(Token(text: piece.text, id: id, isLiteral: isLiteral))
            guard isLiteral else { continue }
            guard !piece.text.isEmpty, piece.text.utf8.count <= AddedToken.byteCountLimit else {
                throw .malformed(
                    path: path, place: "piece \(index)",
                    problem: "it has \(piece.text.utf8.count) bytes; expected 1 to \(AddedToken.byteCountLimit)")
            }
            addedTokens.append(AddedToken(content: piece.text, id: id, isSpecial: isAdded))
        }
        // In a text that is put together again it is what the file says, whatever the piece is called.
        if let unknownID = model.unknownID, let surface = model.unknownSurface {
            tokens[Int(unknownID)].text = surface
            tokens[Int(unknownID)].isOfModel = false
        }
    }

    /// The piece of this text.
    func id(of text: String) -> Int32? { addedTokens.first { ExactString($0.content) == ExactString(text) }?.id }
}
