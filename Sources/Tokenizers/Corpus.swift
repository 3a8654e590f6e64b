import Checkpoints

/// Token sequences to be measured, and where they come from.
public struct Corpus: Sendable {
    /// The ids of each sequence; none is empty.
    public let sequences: [[Int32]]
    /// The file.
    public let source: String
    /// How the sequences were made, for people.
    public let protocolDescription: String
    /// How many tokens were asked for; nil where the protocol names no number of tokens.
    public let askedTokenCount: Int?
    /// Of the random choice, where there was one.
    public let seed: Int?
    /// Whether each sequence starts with the beginning-of-sequence token; nil where the ids were given.
    public let hasBeginningOfSequence: Bool?
    /// Bytes of the text that the model has no token for, and that are lost.
    public let lostByteCount: Int
    /// Of each sequence how many of its first ids are there only as context: what is put in front of the text, and what the
    /// window before ends with; nil where nothing is said of it.
    public let contextTokenCounts: [Int]?
    /// SHA-256, in hexadecimal digits, over each sequence's number of tokens and ids, as little-endian 32-bit integers.
    public let fingerprint: String

    public var tokenCount: Int { sequences.reduce(0) { $0 + $1.count } }

    /// Whether the text had fewer tokens than were asked for.
    public var isTooShort: Bool { askedTokenCount.map { tokenCount < $0 } ?? false }

    init(
        sequences: [[Int32]], source: String, protocolDescription: String, askedTokenCount: Int? = nil,
        seed: Int? = nil, hasBeginningOfSequence: Bool? = nil, lostByteCount: Int = 0,
        contextTokenCounts: [Int]? = nil
    ) {
        self.sequences = sequences
        self.source = source
        self.protocolDescription = protocolDescription
        self.askedTokenCount = askedTokenCount
        self.seed = seed
        self.hasBeginningOfSequence = hasBeginningOfSequence
        self.lostByteCount = lostByteCount
        self.contextTokenCounts = contextTokenCounts
        fingerprint = Self.fingerprint(of: sequences)
    }

    private static func fingerprint(of sequences: [[Int32]]) -> String {
        var hash = SHA256()
        for sequence in sequences {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(4 * sequence.count + 4)
            for value in [Int32(clamping: sequence.count)] + sequence {
                for shift in stride(from: Int32(0), to: 32, by: 8) {
                    bytes.append(UInt8(truncatingIfNeeded: value >> shift))
                }
            }
            hash.update(bytes)
        }
        return SHA256.hexadecimal(hash.finalize())
    }

    static func require(_ value: Int, _ name: String, atLeast least: Int) throws(TokenizerError) {
        guard value >= least else { throw .argument(name: name, value: value, expected: "at least \(least)") }
    }

    /// What to put in front, if it is asked for: what the model's own tokenizer does, or the beginning of the sequence.
    package static func beginning(_ isOn: Bool, _ tokenizer: Tokenizer) throws(TokenizerError) -> [Int32] {
        guard isOn else { return [] }
        guard tokenizer.sequencePrefix.isEmpty else { return tokenizer.sequencePrefix }
        guard let id = tokenizer.beginningOfSequence else {
            throw .unsupported(
                path: tokenizer.path, feature: "the beginning-of-sequence token", found: "a tokenizer without one",
                known: ["sequences without it (--bos off)"])
        }
        return [id]
    }
}
