import Checkpoints

/// The tokens: their ids, and the bytes that each stands for.
struct Vocabulary: Sendable {
    /// One more than the largest id.
    let count: Int
    /// The ids of the model's tokens by the texts of the file.
    private let ids: [ExactString: Int32]
    /// The bytes of all tokens, one after the other.
    private var bytes: [UInt8] = []
    /// Where the bytes of each id start; one more at the end.
    private var starts: [Int] = []
    /// Ids that no token has.
    private let isAbsent: [Bool]

    /// What the texts of tokens that are not literal stand for.
    enum Spelling {
        /// Bytes, in the byte-level alphabet.
        case byteLevel
        /// Themselves.
        case text
    }

    /// - Throws: `malformed` naming the token, for ids or texts that two tokens have, and ids that cannot be.
    init(_ tokens: [TokenizerDefinition.Token], _ spelling: Spelling, path: String) throws(TokenizerError) {
        let indices = try Self.indices(tokens, path)
        var ids: [ExactString: Int32] = [:]
        ids.reserveCapacity(tokens.count)
        for token in tokens where token.isOfModel {
            if let other = ids.updateValue(token.id, forKey: ExactString(token.text)) {
                throw Self.wrong(token, path, "ids \(other) and \(token.id) have this same text")
            }
        }
        count = indices.count
        self.ids = ids
        isAbsent = indices.map { $0 == nil }
        starts.reserveCapacity(count + 1)
        for index in indices {
            starts.append(bytes.count)
            if let index { bytes.append(contentsOf: Self.bytes(of: tokens[index], spelling)) }
        }
        starts.append(bytes.count)
    }

    /// The token of each id.
    private static func indices(
        _ tokens: [TokenizerDefinition.Token], _ path: String
    ) throws(TokenizerError) -> [Int?] {
        // An id is not to decide how much is allocated: beyond this, holes are taken for an error.
        let limit = 4 * tokens.count + 4096
        guard let last = tokens.map(\.id).max() else {
            throw .malformed(path: path, place: "the vocabulary", problem: "it is empty")
        }
        var indices = [Int?](repeating: nil, count: min(Int(last) + 1, limit))
        for (index, token) in tokens.enumerated() {
            guard indices.indices.contains(Int(token.id)) else {
                throw wrong(token, path, "the id \(token.id) cannot be one of a vocabulary of \(tokens.count) tokens")
            }
            if let other = indices[Int(token.id)] {
                throw wrong(token, path, "token \(tokens[other].text.quoted) has the same id \(token.id)")
            }
            indices[Int(token.id)] = index
        }
        return indices
    }

    private static func wrong(
        _ token: TokenizerDefinition.Token, _ path: String, _ problem: String
    ) -> TokenizerError {
        .malformed(path: path, place: "token \(token.text.quoted)", problem: problem)
    }

    /// A text that is not of the byte-level alphabet can only stand for itself.
    private static func bytes(of token: TokenizerDefinition.Token, _ spelling: Spelling) -> [UInt8] {
        let isSpelled = spelling == .byteLevel && !token.isLiteral
        return (isSpelled ? ByteLevelAlphabet.decode(token.text) : nil) ?? Array(token.text.utf8)
    }

    /// The id of a token of the model by its text in the file.
    func id(of text: String) -> Int32? { ids[ExactString(text)] }

    /// The bytes that `id` stands for, or nil where there is no such id.
    func bytes(of id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, id < count, !isAbsent[Int(id)] else { return nil }
        return bytes[starts[Int(id)]..<starts[Int(id) + 1]]
    }
}
