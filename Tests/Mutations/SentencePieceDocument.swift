/// A `tokenizer.model` before it is written: every number, type and length of a field can be made to lie.
struct SentencePieceDocument {
    struct Piece {
        var text: [UInt8]
        var score: Float
        var type: UInt64
    }

    struct Field {
        var number: UInt64
        var wireType: UInt64 = 2
        /// As it stands in the file, without its length.
        var value: [UInt8]
        /// What the file says the length is; nil for the truth.
        var length: UInt64?

        var bytes: [UInt8] {
            let key = SentencePieceDocument.integer(number << 3 | wireType)
            guard wireType == 2 else { return key + value }
            return key + SentencePieceDocument.integer(length ?? UInt64(value.count)) + value
        }
    }

    var pieces: [Piece] = []
    /// 1 for unigram, 2 for merges.
    var kind: UInt64 = 1
    var fallsBackToBytes = false
    var treatsWhitespaceAsSuffix = false
    /// add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces.
    var flags: [Bool] = [true, true, true]
    var characterMap: [UInt8] = []
    /// Fields at the end of the file.
    var more: [Field] = []

    var bytes: [UInt8] {
        var file: [UInt8] = []
        for piece in pieces {
            let score = Self.integer(2 << 3 | 5) + GGUFDocument.number(piece.score.bitPattern)
            let type = Self.integer(3 << 3) + Self.integer(piece.type)
            file += Field(number: 1, value: Field(number: 1, value: piece.text).bytes + score + type).bytes
        }
        file += Field(number: 2, value: trainer).bytes
        file += Field(number: 3, value: normalizer).bytes
        return file + more.flatMap(\.bytes)
    }

    private var trainer: [UInt8] {
        let settings: [(UInt64, UInt64)] = [
            (3, kind), (35, fallsBackToBytes ? 1 : 0), (24, treatsWhitespaceAsSuffix ? 1 : 0),
        ]
        return settings.flatMap { Field(number: $0, wireType: 0, value: Self.integer($1)).bytes }
    }

    private var normalizer: [UInt8] {
        let map = characterMap.isEmpty ? [] : Field(number: 2, value: characterMap).bytes
        return map
            + flags.enumerated().flatMap { Field(number: UInt64($0 + 3), wireType: 0, value: [$1 ? 1 : 0]).bytes }
    }

    static func integer(_ value: UInt64) -> [UInt8] {
        var (bytes, rest): ([UInt8], UInt64) = ([], value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

// MARK: - The base

extension SentencePieceDocument {
    /// A small vocabulary, whose settings are drawn.
    static func base(_ random: inout RandomSource) -> SentencePieceDocument {
        var document = SentencePieceDocument()
        document.kind = UInt64(1 + random.index(2))
        document.fallsBackToBytes = random.once(in: 2)
        document.treatsWhitespaceAsSuffix = random.once(in: 4)
        document.flags = [!random.once(in: 4), random.once(in: 2), !random.once(in: 8)]
        if random.once(in: 2) { document.characterMap = characterMap }
        document.pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3)].map {
            Piece(text: Array($0.utf8), score: 0, type: $1)
        }
        if document.fallsBackToBytes {
            for byte in UInt8.min...UInt8.max {
                let digits = String(byte, radix: 16, uppercase: true)
                let text = "<0x\(digits.utf8.count == 1 ? "0" : "")\(digits)>"
                document.pieces.append(Piece(text: Array(text.utf8), score: 0, type: 6))
            }
        }
        let texts = ["\u{2581}", "a", "b", "ab", "\u{2581}a", "aa", "aaaa", "\u{2581}\u{2581}", "é", "a\u{2581}"]
        for (index, text) in texts.enumerated() {
            document.pieces.append(Piece(text: Array(text.utf8), score: -1.5 * Float(index + 1), type: 1))
        }
        document.pieces.append(Piece(text: Array(TinyModel.tokens[TinyModel.userID].utf8), score: 0, type: 4))
        return document
    }

    /// "A" becomes "a", and a tab a space: a double array with two keys.
    static let characterMap: [UInt8] = {
        var units = [UInt32](repeating: 0, count: 256)
        units[0] = 1 << 10
        for (label, leaf, value) in [(0x41, 2, 0), (0x09, 3, 2)] as [(UInt32, UInt32, UInt32)] {
            let place = 1 ^ label
            units[Int(place)] = (place ^ leaf) << 10 | 1 << 8 | label
            units[Int(leaf)] = 1 << 31 | value
        }
        return GGUFDocument.number(UInt32(4 * units.count)) + units.flatMap(GGUFDocument.number) + Array("a\0 \0".utf8)
    }()

    /// The same vocabulary in the metadata of a GGUF file.
    var gguf: GGUFDocument {
        typealias ValueType = GGUFDocument.ValueType
        var document = GGUFDocument()
        document.add("tokenizer.ggml.model", kind == 2 ? "llama" : "t5")
        let texts = pieces.map { GGUFDocument.string($0.text) }
        document.add("tokenizer.ggml.tokens", ValueType.array, GGUFDocument.array(ValueType.string, texts))
        let scores = pieces.map { GGUFDocument.number($0.score.bitPattern) }
        document.add("tokenizer.ggml.scores", ValueType.array, GGUFDocument.array(ValueType.float32, scores))
        let types = pieces.map { GGUFDocument.number(UInt32(truncatingIfNeeded: $0.type)) }
        document.add("tokenizer.ggml.token_type", ValueType.array, GGUFDocument.array(ValueType.int32, types))
        document.add("tokenizer.ggml.unknown_token_id", 0)
        document.add("tokenizer.ggml.add_space_prefix", ValueType.bool, [flags[0] ? 1 : 0])
        document.add("tokenizer.ggml.remove_extra_whitespaces", ValueType.bool, [flags[1] ? 1 : 0])
        if kind == 1, !characterMap.isEmpty {
            document.add(
                "tokenizer.ggml.precompiled_charsmap", ValueType.array,
                GGUFDocument.array(0, characterMap.map { [$0] }))
        }
        return document
    }
}

// MARK: - Mutation

extension SentencePieceDocument {
    /// One change that knows the format.
    mutating func mutate(_ random: inout RandomSource) {
        switch random.index(9) {
        case 0, 1: mutatePiece(&random)
        case 2: pieces.insert(random.pick(pieces), at: random.index(pieces.count + 1))
        case 3: pieces.remove(at: random.index(pieces.count))
        case 4: mutateSettings(&random)
        case 5: mutateMap(&random)
        case 6: more.append(Self.field(&random))
        default: swell(&random)
        }
        if pieces.isEmpty { pieces.append(Piece(text: [0x61], score: 0, type: 1)) }
    }

    private static let scores: [Float] = [
        0, -0.0, -1, 1, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
        -.greatestFiniteMagnitude, 1e5, -1e5,
    ]

    private static let texts = ["a", "aaa", "ba", "\u{2581}b", "b\u{2581}b", "e\u{301}", "\0", " ", "<0x41>", "☃"]

    private mutating func mutatePiece(_ random: inout RandomSource) {
        let place = random.index(pieces.count)
        switch random.index(4) {
        case 0: pieces[place].text = GGUFDocument.hostileText(&random)
        case 1: pieces[place].text = Array(random.pick(Self.texts).utf8)
        case 2: pieces[place].score = random.pick(Self.scores)
        default: pieces[place].type = UInt64(random.index(8))
        }
    }

    private mutating func mutateSettings(_ random: inout RandomSource) {
        switch random.index(4) {
        case 0: kind = UInt64(random.index(6))
        case 1: fallsBackToBytes.toggle()
        case 2: treatsWhitespaceAsSuffix.toggle()
        default: flags[random.index(flags.count)].toggle()
        }
    }

    /// Units of the map's trie get other children, values and labels.
    private mutating func mutateMap(_ random: inout RandomSource) {
        characterMap = Self.characterMap
        for _ in 0..<1 + random.index(6) {
            if random.once(in: 3) {
                ByteMutation.mutate(&characterMap, &random)
                continue
            }
            let unit = 4 + 4 * random.pick([0, 2, 3, 8, 0x40, random.index(256)])
            guard unit + 4 <= characterMap.count else { continue }
            let value =
                random.once(in: 2) ? UInt32(truncatingIfNeeded: random.interesting()) : UInt32(random.index(256)) << 10
            characterMap.replaceSubrange(unit..<unit + 4, with: GGUFDocument.number(value))
        }
    }

    private static func field(_ random: inout RandomSource) -> Field {
        let number = UInt64(random.once(in: 4) ? random.index(60) : 1 + random.index(5))
        var value: [UInt8] = []
        switch random.index(4) {
        case 0: value = integer(random.interesting())
        case 1: value = (0..<random.index(12)).map { _ in random.byte() }
        case 2: value = GGUFDocument.hostileText(&random)
        default:
            // A message in a message in a message.
            for _ in 0..<1 << random.index(10) { value = Field(number: number, value: value).bytes }
        }
        return Field(
            number: number, wireType: UInt64(random.once(in: 2) ? 2 : random.index(8)), value: value,
            length: random.once(in: 3) ? random.interesting() : nil)
    }

    /// Many pieces, or long ones of one character: what takes more than linear time or memory shows.
    private mutating func swell(_ random: inout RandomSource) {
        let count = 1 << (4 + random.index(9))
        let type = random.pick([1, 1, 1, 3, 4, 5] as [UInt64])
        switch random.index(4) {
        case 0:
            for index in 0..<count {
                pieces.append(Piece(text: Array("t\(index)".utf8), score: -Float(index), type: type))
            }
        case 1:
            let character = random.pick(["a", "\u{2581}", "é", "ab"])
            for length in 3..<3 + min(count, 400) {
                let text = String(repeating: character, count: length)
                pieces.append(Piece(text: Array(text.utf8), score: -Float(length), type: type))
            }
        case 2:
            for index in 0..<min(count, 1024) {
                let scalar = Unicode.Scalar(UInt32(0x4E00 + 257 * index)) ?? "a"
                pieces.append(Piece(text: Array(String(scalar).utf8), score: -1, type: type))
            }
        default:
            pieces.append(
                Piece(text: [UInt8](repeating: random.pick([0x61, 0x20]), count: 8 * count), score: -1, type: type))
        }
    }
}
