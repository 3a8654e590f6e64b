/// Changes a text as a SentencePiece model asks for it, word by word: by its map of characters, its rules of white space,
/// and with U+2581 for each space.
struct SentencePieceNormalizer: Sendable {
    private let characterMap: CharacterMap?
    /// Found in the text and left as they are.
    private let userDefined: PieceTrie?
    private let rules: SentencePieceNormalization
    /// What stands for a space.
    let space: [UInt8]
    /// ASCII characters that stay as they are where an ASCII character, or none, follows.
    private let isQuiet: [Bool]
    private let boundaries: WordBoundaries

    private static let escapedSpace: [UInt8] = [0xE2, 0x96, 0x81]

    init(
        _ rules: SentencePieceNormalization, _ pieces: [SentencePieceModel.Piece], findsUserDefined: Bool, cuts: Bool
    ) throws(CharacterMap.Failure) {
        self.rules = rules
        characterMap = rules.characterMap.isEmpty ? nil : try CharacterMap(rules.characterMap)
        userDefined = findsUserDefined ? PieceTrie(userDefinedIn: pieces) : nil
        space = rules.escapesWhitespace ? Self.escapedSpace : [UInt8(ascii: " ")]
        boundaries = WordBoundaries(
            pieces, space: rules.escapesWhitespace ? "\u{2581}" : " ", cuts: cuts,
            isAfterSpace: rules.treatsWhitespaceAsSuffix)
        var isQuiet = characterMap?.quietCharacters ?? [Bool](repeating: true, count: 0x80)
        isQuiet[Int(UInt8(ascii: " "))] = false
        for piece in pieces where findsUserDefined && piece.kind == .userDefined {
            if let first = piece.text.utf8.first, first < 0x80 { isQuiet[Int(first)] = false }
        }
        self.isQuiet = isQuiet
    }

    /// How far a text was changed.
    struct Progress {
        /// Where the rest of the text starts.
        var position: Int
        fileprivate let end: Int
        fileprivate var followsSpace = false
        fileprivate var hasBegun = false
        fileprivate let startsText: Bool

        /// - Parameter startsText: whether nothing stands in front of the range, not even an added token.
        init(_ range: Range<Int>, startsText: Bool) {
            (position, end) = (range.lowerBound, range.upperBound)
            self.startsText = startsText
        }
    }

    /// Appends the next word of `text` to `output`, which is empty: up to a place that no piece of the vocabulary reaches
    /// across, or the end. Says whether there was one; it can be empty.
    func appendWord(_ text: Span<UInt8>, _ progress: inout Progress, to output: inout [UInt8]) -> Bool {
        if !progress.hasBegun, !begin(text, &progress, &output) { return false }
        guard progress.position < progress.end else { return false }
        while progress.position < progress.end {
            if !rules.treatsWhitespaceAsSuffix { appendQuiet(text, &progress, &output) }
            guard progress.position < progress.end else { break }
            let chunk = chunk(text, progress.position..<progress.end)
            if chunk.isReplacement, let characterMap {
                let replacements = characterMap.replacements.span
                if boundaries.endWord(output, before: replacements, chunk.range) { return true }
                append(replacements, chunk.range, &progress, &output)
            } else {
                if boundaries.endWord(output, before: text, chunk.range) { return true }
                append(text, chunk.range, &progress, &output)
            }
            progress.position += chunk.byteCount
        }
        finish(&output)
        return true
    }

    /// Takes the spaces off the start and puts one there, as the rules say; false where the text has nothing else.
    private func begin(_ text: Span<UInt8>, _ progress: inout Progress, _ output: inout [UInt8]) -> Bool {
        progress.hasBegun = true
        progress.followsSpace = rules.removesExtraWhitespace
        while rules.removesExtraWhitespace, progress.position < progress.end {
            let chunk = chunk(text, progress.position..<progress.end)
            let first =
                chunk.isReplacement ? characterMap?.replacements[chunk.range.lowerBound] : text[progress.position]
            guard chunk.range.count == 1, first == UInt8(ascii: " ") else { break }
            progress.position += chunk.byteCount
        }
        guard progress.position < progress.end else { return false }
        let isPrefixed = rules.addsDummyPrefix && (progress.startsText || !rules.prefixesFirstOnly)
        if isPrefixed, !rules.treatsWhitespaceAsSuffix { output.append(contentsOf: space) }
        return true
    }

    private func finish(_ output: inout [UInt8]) {
        while rules.removesExtraWhitespace, output.suffix(space.count).elementsEqual(space) {
            output.removeLast(space.count)
        }
        if rules.addsDummyPrefix, rules.treatsWhitespaceAsSuffix { output.append(contentsOf: space) }
    }

    /// Part of the text that changes as a whole, and what it becomes.
    private struct Chunk {
        var byteCount: Int
        /// Of the replacements, or of the text.
        var range: Range<Int>
        var isReplacement = false
    }

    /// The longest user-defined piece, or the longest sequence of the map, or the character at the start of `range`.
    private func chunk(_ text: Span<UInt8>, _ range: Range<Int>) -> Chunk {
        let start = range.lowerBound
        if let match = userDefined?.longestMatch(in: text, range) {
            return Chunk(byteCount: match.byteCount, range: start..<start + match.byteCount)
        }
        // A hostile map could cut a character.
        if let characterMap, let match = characterMap.match(in: text, range),
            start + match.byteCount == text.count || !UTF8.isContinuation(text[start + match.byteCount])
        {
            return Chunk(
                byteCount: match.byteCount, range: characterMap.replacement(match.value), isReplacement: true)
        }
        let byteCount = UnigramEncoder.characterByteCount(text[start])
        return Chunk(byteCount: byteCount, range: start..<start + byteCount)
    }

    /// Appends what follows of characters that stay as they are.
    @inline(__always)
    private func appendQuiet(_ text: Span<UInt8>, _ progress: inout Progress, _ output: inout [UInt8]) {
        let start = progress.position
        var end = start
        while end < progress.end, text[end] < 0x80, isQuiet[Int(text[end])],
            end + 1 == progress.end || text[end + 1] < 0x80
        {
            output.append(text[end])
            end += 1
        }
        guard end > start else { return }
        progress.position = end
        progress.followsSpace = false
    }

    private func append(
        _ source: Span<UInt8>, _ range: Range<Int>, _ progress: inout Progress, _ output: inout [UInt8]
    ) {
        var range = range
        while progress.followsSpace, !range.isEmpty, source[range.lowerBound] == UInt8(ascii: " ") {
            range = range.dropFirst()
        }
        guard !range.isEmpty else { return }
        for index in range {
            if source[index] == UInt8(ascii: " ") {
                output.append(contentsOf: space)
            } else {
                output.append(source[index])
            }
        }
        progress.followsSpace =
            rules.removesExtraWhitespace && source[range.upperBound - 1] == UInt8(ascii: " ")
    }
}

/// Where a text can be cut into words whose pieces are those of the whole text: between a character and a space, or for
/// words that have their space at the end between a space and a character, where no piece has these two within it.
private struct WordBoundaries: Sendable {
    private let space: Unicode.Scalar
    private let cuts: Bool
    private let isAfterSpace: Bool
    /// The characters that stand with a space in a piece.
    private var joined: Set<Unicode.Scalar> = []
    private let spaceBytes: [UInt8]

    init(_ pieces: [SentencePieceModel.Piece], space: Unicode.Scalar, cuts: Bool, isAfterSpace: Bool) {
        self.space = space
        self.cuts = cuts
        self.isAfterSpace = isAfterSpace
        spaceBytes = Array(String(Character(space)).utf8)
        for piece in pieces where piece.isOfText {
            var last: Unicode.Scalar?
            for scalar in piece.text.unicodeScalars {
                if let last, isAfterSpace ? last == space : scalar == space {
                    joined.insert(isAfterSpace ? scalar : last)
                }
                last = scalar
            }
        }
        joined.remove(space)
    }

    /// Whether `output` is a word and `range` of `source`, where a space is not escaped, starts the next one.
    @inline(__always)
    func endWord(_ output: [UInt8], before source: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard cuts, !output.isEmpty, !range.isEmpty, startsWithSpace(source, range) != isAfterSpace,
            endsWithSpace(output) == isAfterSpace
        else { return false }
        if joined.isEmpty { return true }
        return !joined.contains(isAfterSpace ? first(source, range) : last(output))
    }

    @inline(__always)
    private func startsWithSpace(_ source: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let first = source[range.lowerBound]
        if first == UInt8(ascii: " ") { return true }
        guard first == spaceBytes[0], range.count >= spaceBytes.count else { return false }
        return spaceBytes.indices.allSatisfy { source[range.lowerBound + $0] == spaceBytes[$0] }
    }

    @inline(__always)
    private func endsWithSpace(_ output: [UInt8]) -> Bool {
        guard output.count >= spaceBytes.count, output[output.count - 1] == spaceBytes[spaceBytes.count - 1] else {
            return false
        }
        return output.suffix(spaceBytes.count).elementsEqual(spaceBytes)
    }

    private func first(_ source: Span<UInt8>, _ range: Range<Int>) -> Unicode.Scalar {
        Self.first(range.prefix(4).map { source[$0] })
    }

    private func last(_ output: [UInt8]) -> Unicode.Scalar {
        let start = output.lastIndex { !UTF8.isContinuation($0) } ?? 0
        return Self.first(Array(output[start...]))
    }

    private static func first(_ bytes: [UInt8]) -> Unicode.Scalar {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.first ?? "\u{FFFD}"
    }
}
