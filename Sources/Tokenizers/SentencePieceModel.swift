/// What a SentencePiece model says, whatever file it was read from, before it is checked.
struct SentencePieceModel {
    struct Piece {
        enum Kind: Int {
            case normal = 1
            /// Stands for what no other piece stands for.
            case unknown
            /// Such as the beginning of a sequence: never made of text.
            case control
            /// Found in the text as it is, before anything else.
            case userDefined
            /// Takes part in merges, and is taken apart again.
            case unused
            /// `<0x00>` to `<0xFF>`: one byte of a character that is not in the vocabulary.
            case byte
        }

        var text: String
        var score: Float
        var kind: Kind

        /// Whether text can become this piece by merges or by the most probable cut.
        var isOfText: Bool { kind == .normal || kind == .userDefined || kind == .unused }

        /// The byte that `<0x00>` to `<0xFF>` stand for; nil for any other text.
        var byte: UInt8? {
            let bytes = Array(text.utf8)
            guard bytes.count == 6, text.hasPrefix("<0x"), text.hasSuffix(">") else { return nil }
            guard let byte = UInt8(text.dropFirst(3).dropLast(), radix: 16) else { return nil }
            return SymbolTable.name(of: byte) == text ? byte : nil
        }
    }

    enum Kind {
        /// Merges of the best score, the leftmost first.
        case bytePair
        /// The cut of the best sum of scores.
        case unigram
    }

    /// How sums of scores are formed, and what a user-defined piece is worth in them.
    enum Arithmetic {
        /// SentencePiece: float32; 0.1 for each byte after the first.
        case sentencePiece
        /// llama.cpp: float64; nothing.
        case llama
    }

    var kind = Kind.unigram
    var pieces: [Piece] = []
    /// Stands for characters that no piece stands for.
    var unknownID: Int32?
    var normalization = SentencePieceNormalization()
    /// Whether a character that is not in the vocabulary becomes the pieces of its bytes.
    var fallsBackToBytes = false
    /// What the unknown piece is in a text that is put together again; its own text where there is none.
    var unknownSurface: String? = " \u{2047} "
    var arithmetic = Arithmetic.sentencePiece
    /// Whether user-defined pieces are found in the text that is to be cut; else they are added tokens.
    var findsUserDefined = true
}

/// How a SentencePiece model changes a text before it is cut.
struct SentencePieceNormalization {
    /// As in the file; empty for none.
    var characterMap: [UInt8] = []
    /// A space in front of the text, or at its end.
    var addsDummyPrefix = true
    /// Whether that is put in front of a whole text only, and not of what follows an added token.
    var prefixesFirstOnly = false
    /// Spaces at the ends are taken off, and runs of them become one.
    var removesExtraWhitespace = true
    /// Spaces become U+2581.
    var escapesWhitespace = true
    /// Whether words have their space at the end.
    var treatsWhitespaceAsSuffix = false
}
