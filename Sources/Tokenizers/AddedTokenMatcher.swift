import Checkpoints

/// Finds added tokens in a text: from the left, the longest first. Those that are not normalized are looked for in the
/// text as it is, those that are in what these leave, after it is normalized, as the `tokenizers` library does.
struct AddedTokenMatcher: Sendable {
    /// A range of the text, which is an added token if it has an id.
    struct Piece: Equatable {
        var range: Range<Int>
        var id: Int32?
    }

    private let plain: AddedTokenTable?
    private let normalized: AddedTokenTable?

    /// - Parameter tokens: whose contents are normalized where they are to be found in normalized text; none is empty.
    init(_ tokens: [AddedToken]) {
        plain = Self.table(tokens.filter { !$0.isNormalized })
        normalized = Self.table(tokens.filter { $0.isNormalized })
    }

    /// Of tokens that are alike after normalization, the first one is found.
    private static func table(_ tokens: [AddedToken]) -> AddedTokenTable? {
        var contents: Set<ExactString> = []
        let tokens = tokens.filter { contents.insert(ExactString($0.content)).inserted }
        return tokens.isEmpty ? nil : AddedTokenTable(tokens)
    }

    /// Cuts `text`, valid UTF-8, into added tokens and what lies between. Pieces that are not tokens are not empty.
    func pieces(of text: Span<UInt8>) -> [Piece] { pieces(of: text, in: 0..<text.count, plain) }

    /// Cuts a piece, after it is normalized.
    func normalizedPieces(of text: Span<UInt8>, in range: Range<Int>) -> [Piece] {
        pieces(of: text, in: range, normalized)
    }

    private func pieces(of text: Span<UInt8>, in range: Range<Int>, _ table: AddedTokenTable?) -> [Piece] {
        guard let table else { return range.isEmpty ? [] : [Piece(range: range, id: nil)] }
        return Self.pieces(of: text, in: range, table)
    }

    private static func pieces(of text: Span<UInt8>, in range: Range<Int>, _ table: AddedTokenTable) -> [Piece] {
        var pieces: [Piece] = []
        var (searched, taken) = (range.lowerBound, range.lowerBound)
        // The last run of space that was looked at to its end: no character is looked at again by each token in it.
        var space = range.lowerBound..<range.lowerBound
        while let (match, token) = table.firstMatch(in: text, searched..<range.upperBound) {
            searched = match.upperBound
            let piece = AddedTokenContext(text: range, match: match)
            if token.isSingleWord, piece.touchesWord(text) { continue }
            let start = token.stripsLeft ? max(piece.startOfSpaceBefore(text, from: taken), taken) : match.lowerBound
            if token.stripsRight, !space.contains(match.upperBound) {
                space = match.upperBound..<piece.endOfSpaceAfter(text)
            }
            let end = token.stripsRight && space.contains(match.upperBound) ? space.upperBound : match.upperBound
            // The space that the token before took may be part of this token: the tokens then overlap, or nothing is
            // left of this one.
            guard start < end else { continue }
            if taken < start { pieces.append(Piece(range: taken..<start, id: nil)) }
            pieces.append(Piece(range: start..<end, id: token.id))
            taken = end
        }
        if taken < range.upperBound { pieces.append(Piece(range: taken..<range.upperBound, id: nil)) }
        return pieces
    }
}

/// What stands beside a match in a piece of text.
struct AddedTokenContext {
    fileprivate let text: Range<Int>
    fileprivate let match: Range<Int>

    func touchesWord(_ bytes: Span<UInt8>) -> Bool {
        character(before: match.lowerBound, bytes).map(Self.isWord) == true
            || character(at: match.upperBound, bytes).map(Self.isWord) == true
    }

    /// Looks no further back than `limit`.
    func startOfSpaceBefore(_ bytes: Span<UInt8>, from limit: Int) -> Int {
        var index = match.lowerBound
        while index > limit, let scalar = character(before: index, bytes), scalar.properties.isWhitespace {
            index -= scalar.utf8.count
        }
        return index
    }

    func endOfSpaceAfter(_ bytes: Span<UInt8>) -> Int {
        var index = match.upperBound
        while let scalar = character(at: index, bytes), scalar.properties.isWhitespace { index += scalar.utf8.count }
        return index
    }

    private func character(before end: Int, _ bytes: Span<UInt8>) -> Unicode.Scalar? {
        guard end > text.lowerBound else { return nil }
        var start = end - 1
        while start > text.lowerBound, UTF8.isContinuation(bytes[start]) { start -= 1 }
        return character(at: start, bytes)
    }

    private func character(at start: Int, _ bytes: Span<UInt8>) -> Unicode.Scalar? {
        guard start < text.upperBound else { return nil }
        var end = start + 1
        while end < text.upperBound, UTF8.isContinuation(bytes[end]) { end += 1 }
        return String(decoding: (start..<end).map { bytes[$0] }, as: UTF8.self).unicodeScalars.first
    }

    /// `\w` of Unicode's technical standard 18.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        CharacterProperty.isWord(scalar) || scalar.properties.isJoinControl
    }
}
