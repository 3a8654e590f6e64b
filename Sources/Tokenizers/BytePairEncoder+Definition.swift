import Checkpoints

extension BytePairEncoder {
    /// - Parameter usesBytes: whether pre-tokens come as bytes, which stand for characters of the byte-level alphabet.
    /// - Throws: `malformed` naming the merge or token: merges have to be of tokens and make tokens, each once.
    init(
        _ definition: BytePairDefinition, _ tokens: [TokenizerDefinition.Token], _ vocabulary: Vocabulary,
        usesBytes: Bool, path: String
    ) throws(TokenizerError) {
        symbols = try Self.symbols(definition, tokens, vocabulary, usesBytes, path)
        wholeTokens = definition.ignoresMerges || definition.takesLineFeedsWhole ? vocabulary : nil
        takesLineFeedsOnly = !definition.ignoresMerges
        unknown = try Self.unknown(definition, vocabulary, path)
        let prefixLength = definition.continuingPrefix.utf8.count
        var table = MergeTable(capacity: definition.merges.count)
        for (rank, merge) in definition.merges.enumerated() {
            let (left, right) = merge
            let text =
                left + (prefixLength == 0 ? right : String(decoding: right.utf8.dropFirst(prefixLength), as: UTF8.self))
            guard let leftID = vocabulary.id(of: left) else { throw Self.missing(left, rank, merge, path) }
            guard let rightID = vocabulary.id(of: right) else { throw Self.missing(right, rank, merge, path) }
            guard let result = vocabulary.id(of: text) else { throw Self.missing(text, rank, merge, path) }
            guard let rank32 = UInt32(exactly: rank), rank32 < .max,
                table.insert(leftID, rightID, MergeTable.Merge(rank: rank32, result: result))
            else { throw Self.wrong(rank, merge, path, "this merge is there twice") }
        }
        merges = table
    }

    private static func symbols(
        _ definition: BytePairDefinition, _ tokens: [TokenizerDefinition.Token], _ vocabulary: Vocabulary,
        _ usesBytes: Bool, _ path: String
    ) throws(TokenizerError) -> Symbols {
        guard usesBytes else { return .characters(SymbolTable(definition, tokens, vocabulary)) }
        let ids = ByteLevelAlphabet.scalars.map { vocabulary.id(of: String($0)) ?? absent }
        guard ids.contains(where: { $0 != absent }) else {
            throw .malformed(
                path: path, place: "the vocabulary",
                problem: "it has no token of a single byte, such as \"a\"; expected a byte-level vocabulary")
        }
        return .bytes(ids)
    }

    /// Bytes that occur in UTF-8 and have no token, where the pre-tokens come as bytes.
    var missingBytes: [UInt8] {
        guard case .bytes(let ids) = symbols else { return [] }
        return (UInt8.min...UInt8.max).filter { byte in
            let neverOccurs = byte == 0xC0 || byte == 0xC1 || byte > 0xF4
            return ids[Int(byte)] == Self.absent && !neverOccurs
        }
    }

    /// For people.
    var name: String {
        switch symbols {
        case .bytes: "byte-level BPE"
        case .characters(let table): table.byteIDs.isEmpty ? "BPE" : "BPE with byte fallback"
        }
    }

    private static func unknown(
        _ definition: BytePairDefinition, _ vocabulary: Vocabulary, _ path: String
    ) throws(TokenizerError) -> Unknown? {
        guard let text = definition.unknownToken else { return nil }
        guard let id = vocabulary.id(of: text) else {
            throw .malformed(
                path: path, place: "unk_token", problem: "\(text.quoted) is not in the vocabulary")
        }
        return Unknown(id: id, fuses: definition.fusesUnknown)
    }

    private static func missing(
        _ text: String, _ rank: Int, _ merge: (left: String, right: String), _ path: String
    ) -> TokenizerError {
        wrong(rank, merge, path, "\(text.quoted) is not in the vocabulary")
    }

    private static func wrong(
        _ rank: Int, _ merge: (left: String, right: String), _ path: String, _ problem: String
    ) -> TokenizerError {
        .malformed(
            path: path, place: "merge \(rank), \(merge.left.quoted) and \(merge.right.quoted)",
            problem: problem)
    }
}
