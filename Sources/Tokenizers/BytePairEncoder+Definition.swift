import Checkpoints

extension BytePairEncoder {
    /// - Throws: `malformed` naming the merge or token: merges have to be of tokens and make tokens, each once.
    init(_ definition: BytePairDefinition, _ vocabulary: Vocabulary, path: String) throws(TokenizerError) {
        byteIDs = ByteLevelAlphabet.scalars.map { vocabulary.id(of: String($0)) ?? Self.absent }
        guard byteIDs.contains(where: { $0 != Self.absent }) else {
            throw .malformed(
                path: path, place: "the vocabulary",
                problem: "it has no token of a single byte, such as \"a\"; expected a byte-level vocabulary")
        }
        unknown = try Self.unknown(definition, vocabulary, path)
        var table = MergeTable(capacity: definition.merges.count)
        for (rank, merge) in definition.merges.enumerated() {
            let (left, right) = merge
            let text = left + right
            guard let leftID = vocabulary.id(of: left) else { throw Self.missing(left, rank, merge, path) }
            guard let rightID = vocabulary.id(of: right) else { throw Self.missing(right, rank, merge, path) }
            guard let result = vocabulary.id(of: text) else { throw Self.missing(text, rank, merge, path) }
            guard let rank32 = UInt32(exactly: rank), rank32 < .max,
                table.insert(leftID, rightID, MergeTable.Merge(rank: rank32, result: result))
            else { throw Self.wrong(rank, merge, path, "this merge is there twice") }
        }
        merges = table
    }

    /// Bytes that occur in UTF-8 and have no token.
    var missingBytes: [UInt8] {
        (UInt8.min...UInt8.max).filter { byte in
            let neverOccurs = byte == 0xC0 || byte == 0xC1 || byte > 0xF4
            return byteIDs[Int(byte)] == Self.absent && !neverOccurs
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
