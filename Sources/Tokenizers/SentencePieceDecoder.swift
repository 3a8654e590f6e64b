/// What becomes of the spaces at the start of a text that is put together of SentencePiece's pieces.
enum LeadingSpaces: Equatable, Sendable {
    case keepsSpaces
    /// The one that was put there is taken off.
    case removesSpace
    /// That of every piece before the first character is.
    case removesSpaces
}

/// Puts a text together of SentencePiece's pieces: U+2581 is a space, and runs of the pieces of bytes are characters.
struct SentencePieceDecoder {
    private static let space: [UInt8] = [0xE2, 0x96, 0x81]

    private let leadingSpaces: LeadingSpaces
    private let repairs: Bool
    private var text: [UInt8] = []
    private var bytes: [UInt8] = []
    private var canRemove = true

    /// - Parameter repairs: whether U+FFFD stands for a byte that is not part of a character.
    init(_ leadingSpaces: LeadingSpaces, repairs: Bool) {
        self.leadingSpaces = leadingSpaces
        self.repairs = repairs
    }

    mutating func append(_ piece: ArraySlice<UInt8>, isLiteral: Bool) {
        if !isLiteral, let byte = TokenTextDecoder.byte(piece) {
            bytes.append(byte)
            return
        }
        endBytes()
        if !text.isEmpty { canRemove = false }
        guard !isLiteral else {
            text.append(contentsOf: piece)
            return
        }
        var rest = piece
        if canRemove, leadingSpaces != .keepsSpaces, rest.starts(with: Self.space) {
            rest = rest.dropFirst(Self.space.count)
            if leadingSpaces == .removesSpace { canRemove = false }
        }
        while let first = rest.first {
            if first == Self.space[0], rest.starts(with: Self.space) {
                text.append(UInt8(ascii: " "))
                rest = rest.dropFirst(Self.space.count)
            } else {
                text.append(first)
                rest = rest.dropFirst()
            }
        }
    }

    mutating func finish() -> [UInt8] {
        endBytes()
        return text
    }

    /// Where bytes are no character, each is replaced alone, as the SentencePiece library has it.
    private mutating func endBytes() {
        while repairs, !bytes.isEmpty {
            do throws(Unicode.UTF8.ValidationError) {
                _ = try UTF8Span(validating: bytes.span)
                break
            } catch {
                let start = error.byteOffsets.lowerBound
                text.append(contentsOf: bytes[..<start])
                text.append(contentsOf: "\u{FFFD}".utf8)
                bytes.removeFirst(start + 1)
            }
        }
        text.append(contentsOf: bytes)
        bytes.removeAll()
    }
}
