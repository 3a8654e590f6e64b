import Checkpoints

@testable import Tokenizers

/// The models that `Fixtures/SentencePiece/make_fixtures.py` trained, with what the reference libraries make of texts.
enum SentencePieceFixtures {
    static let names = [
        "bpe-llama", "bpe-plain", "bpe-user", "bpe-suffix", "bpe-cross", "unigram-plain", "unigram-rules",
        "unigram-fallback", "unigram-suffix", "unigram-cross",
    ]

    static func path(_ name: String) -> String { Fixtures.path("SentencePiece/\(name)") }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        try Tokenizer(sentencePieceModel: path("\(name).model"))
    }

    static func model(_ name: String) throws -> SentencePieceModel {
        try SentencePieceModel(path: path("\(name).model"))
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        SourceText.copy(of: try MappedFile(path("\(name).model")))
    }

    struct Case {
        let text: String
        let ids: [Int32]
        /// The text of the ids.
        let decoded: String
    }

    static func cases(_ name: String) throws -> [Case] {
        let file = try JSON.read(path("cases.json"))
        let texts = file["texts"]?.array?.compactMap(\.string) ?? []
        let (ids, decoded) = (file[name]?["ids"]?.array ?? [], file[name]?["decoded"])
        return zip(texts.indices, zip(texts, ids)).map { index, pair in
            Case(text: pair.0, ids: Fixtures.ids(pair.1), decoded: decoded?["\(index)"]?.string ?? pair.0)
        }
    }
}

/// Writes messages of Protocol Buffers.
struct MessageBuilder {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ number: UInt64, integer value: UInt64) {
        bytes += Self.integer(number << 3) + Self.integer(value)
    }

    mutating func add(_ number: UInt64, float value: Float) {
        bytes += Self.integer(number << 3 | 5) + (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
    }

    mutating func add(_ number: UInt64, _ value: [UInt8]) {
        bytes += Self.integer(number << 3 | 2) + Self.integer(UInt64(value.count)) + value
    }

    mutating func add(_ number: UInt64, _ value: String) { add(number, Array(value.utf8)) }

    mutating func addPiece(_ text: String, _ score: Float = 0, type: UInt64 = 1) {
        var piece = MessageBuilder()
        piece.add(1, text)
        piece.add(2, float: score)
        piece.add(3, integer: type)
        add(1, piece.bytes)
    }

    private static func integer(_ value: UInt64) -> [UInt8] {
        var (bytes, rest): ([UInt8], UInt64) = ([], value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
