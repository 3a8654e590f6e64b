/// The model of a tokenizer: makes tokens of single pre-tokens.
enum WordEncoder: Sendable {
    case bytePair(BytePairEncoder)

    /// Room for the work, to be used again.
    struct Scratch {
        var ids: [Int32] = []
        var bytePair = BytePairEncoder.Scratch()
    }

    init(_ definition: TokenizerDefinition, _ vocabulary: Vocabulary, usesBytes: Bool) throws(TokenizerError) {
        switch definition.model {
        case .bytePair(let model):
            self = .bytePair(
                try BytePairEncoder(
                    model, definition.tokens, vocabulary, usesBytes: usesBytes, path: definition.path))
        }
    }

    /// Puts the tokens of `word`, which is not empty, in `scratch.ids`; gives the number of bytes that have no token.
    func encode(_ text: Span<UInt8>, _ word: Range<Int>, _ scratch: inout Scratch) -> Int {
        scratch.ids.removeAll(keepingCapacity: true)
        switch self {
        case .bytePair(let encoder): return encoder.encode(text, word, &scratch.ids, &scratch.bytePair)
        }
    }

    /// Bytes that can be part of a text and have no token.
    var missingBytes: [UInt8] {
        switch self {
        case .bytePair(let encoder): encoder.missingBytes
        }
    }

    /// For people.
    var name: String {
        switch self {
        case .bytePair(let encoder): encoder.name
        }
    }
}
