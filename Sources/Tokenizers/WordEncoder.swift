/// The model of a tokenizer: makes tokens of single pre-tokens.
enum WordEncoder: Sendable {
    case bytePair(BytePairEncoder)
    case unigram(UnigramEncoder)
    case sentencePiece(SentencePieceEncoder)

    /// Room for the work, to be used again.
    struct Scratch {
        var ids: [Int32] = []
        var bytePair = BytePairEncoder.Scratch()
        var unigram = UnigramEncoder.Scratch()
        var sentencePiece = SentencePieceEncoder.Scratch()
    }

    init(_ definition: TokenizerDefinition, _ vocabulary: Vocabulary, usesBytes: Bool) throws(TokenizerError) {
        switch definition.model {
        case .bytePair(let model):
            self = .bytePair(
                try BytePairEncoder(
                    model, definition.tokens, vocabulary, usesBytes: usesBytes, path: definition.path))
        case .unigram(let model): self = .unigram(UnigramEncoder(model, definition.tokens, vocabulary))
        case .sentencePiece(let model):
            self = .sentencePiece(try SentencePieceEncoder(model, path: definition.path))
        }
    }

    /// Puts the tokens of `word`, which is not empty, in `scratch.ids`; gives the number of bytes that have no token.
    func encode(_ text: Span<UInt8>, _ word: Range<Int>, _ scratch: inout Scratch) -> Int {
        scratch.ids.removeAll(keepingCapacity: true)
        switch self {
        case .bytePair(let encoder): return encoder.encode(text, word, &scratch.ids, &scratch.bytePair)
        case .unigram(let encoder):
            var context = UnigramEncoder.Context()
            return encoder.append(text, word, &context, to: &scratch.ids, &scratch.unigram)
        // It cuts words itself.
        case .sentencePiece: return 0
        }
    }

    /// Bytes that can be part of a text and have no token.
    var missingBytes: [UInt8] {
        switch self {
        case .bytePair(let encoder): encoder.missingBytes
        case .unigram, .sentencePiece: []
        }
    }

    /// For people.
    var name: String {
        switch self {
        case .bytePair(let encoder): encoder.name
        case .unigram: "unigram"
        case .sentencePiece(let encoder): encoder.name
        }
    }
}
