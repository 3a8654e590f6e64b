import Checkpoints

/// A model of pieces with scores, as a tokenizer.json has it: the cut of a pre-token with the greatest sum of scores.
struct UnigramDefinition {
    /// By the ids of the first tokens.
    var scores: [Double] = []
    /// What stands for a run of characters that have no token.
    var unknownID: Int32?
    /// Whether such characters become the tokens `<0x00>` to `<0xFF>` of their bytes, where they all are there.
    var fallsBackToBytes = false
}

extension UnigramDefinition {
    /// The `model` of a tokenizer.json, whose type is Unigram: itself, and its tokens.
    init(_ model: JSONPlace) throws(TokenizerError) {
        try model.refuseMembers(except: ["type", "unk_id", "vocab", "byte_fallback"])
        let elements = try model.required("vocab").elements
        scores.reserveCapacity(elements.count)
        for element in elements {
            guard let pair = element.value.array, pair.count == 2, pair[0].string != nil, let score = pair[1].number,
                score.isFinite
            else { throw element.malformed("expected a token and its score, as [\"a\", -1.5]") }
            scores.append(score)
        }
        if let unknown = model.member("unk_id") {
            let id = try unknown.id
            guard id < scores.count else {
                throw unknown.malformed("\(id) is outside the vocabulary of \(scores.count) tokens")
            }
            unknownID = id
        }
        fallsBackToBytes = try model.bool("byte_fallback")
    }

    /// The tokens of `model`, which was read before.
    func tokens(_ model: JSONPlace) throws(TokenizerError) -> [TokenizerDefinition.Token] {
        let elements = try model.required("vocab").elements
        return elements.enumerated().map { index, element in
            TokenizerDefinition.Token(text: element.value.array?[0].string ?? "", id: Int32(truncatingIfNeeded: index))
        }
    }
}

extension UnigramEncoder {
    init(_ definition: UnigramDefinition, _ tokens: [TokenizerDefinition.Token], _ vocabulary: Vocabulary) {
        let pieces = zip(tokens, definition.scores).map { token, score in (token.text, token.id, score) }
        let byteIDs = (UInt8.min...UInt8.max).map { byte in
            vocabulary.id(of: SymbolTable.name(of: byte)) ?? PieceTrie.absent
        }
        self.init(
            pieces,
            unknown: Unknown(
                id: definition.unknownID, score: (definition.scores.min() ?? 0) - 10,
                byteIDs: definition.fallsBackToBytes ? byteIDs : nil, looksUpRuns: true), roundsSums: false)
    }
}
