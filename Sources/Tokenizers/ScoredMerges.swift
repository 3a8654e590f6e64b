/// The symbols of a SentencePiece vocabulary, and every way in which two of them together are a piece.
///
/// Symbols are numbers: a piece's id; then those of characters that are no piece by themselves and part of one; -1 for
/// any other character; and below that the user-defined pieces, which do not merge.
struct ScoredMerges: Sendable {
    private var characters = ScalarTable<Int32>(absent: absent)
    private static let absent: Int32 = -1
    private var table = MergeTable(capacity: 0)
    private let pieceCount: Int32
    /// By id; empty where there are none that a text can become.
    private let unused: [Bool]
    /// Whether an unused piece can be the result of a merge.
    private(set) var makesUnused = false

    /// - Parameter merges: whether a piece can be made of others, and they of it.
    init(_ pieces: [SentencePieceModel.Piece], where merges: (SentencePieceModel.Piece) -> Bool) {
        pieceCount = Int32(pieces.count)
        let ids = pieces.indices.filter { merges(pieces[$0]) }
        unused = ids.contains { pieces[$0].kind == .unused } ? pieces.map { $0.kind == .unused } : []
        addCharacters(pieces, ids)
        addMerges(pieces, ids)
    }

    /// The symbol of a user-defined piece that was found in the text.
    static func frozen(_ id: Int32) -> Int32 { -2 - id }

    /// The piece that a symbol is.
    func id(of symbol: Int32) -> Int32? {
        if symbol < -1 { return -2 - symbol }
        return symbol >= 0 && symbol < pieceCount ? symbol : nil
    }

    func isUnused(_ id: Int32) -> Bool { !unused.isEmpty && unused[Int(id)] }

    /// The symbol and the length of the character at `index` of `text`, which is valid UTF-8.
    @inline(__always)
    func symbol(at index: Int, of text: Span<UInt8>) -> (symbol: Int32, byteCount: Int) {
        let first = text[index]
        if first < 0x80 { return (characters[Int(first)], 1) }
        let (value, byteCount) = CharacterClasses.decode(first, at: index, of: text)
        return (characters[value], byteCount)
    }

    /// The merge of two neighbours, or `.none`.
    @inline(__always)
    subscript(left: Int32, right: Int32) -> MergeTable.Merge { left | right < 0 ? .none : table[left, right] }
}

// MARK: - Building

extension ScoredMerges {
    private mutating func addCharacters(_ pieces: [SentencePieceModel.Piece], _ ids: [Int]) {
        for id in ids {
            let scalars = pieces[id].text.unicodeScalars
            if let only = scalars.first, scalars.count == 1 { characters[only] = Int32(id) }
        }
        var next = pieceCount
        for id in ids where pieces[id].text.unicodeScalars.count > 1 {
            for scalar in pieces[id].text.unicodeScalars where characters[scalar] == Self.absent {
                characters[scalar] = next
                next += 1
            }
        }
    }

    /// The symbols that a piece starts with and those that it ends with come of one walk each: the time taken is in
    /// proportion to the vocabulary, whatever it is.
    private mutating func addMerges(_ pieces: [SentencePieceModel.Piece], _ ids: [Int]) {
        let starts = PieceTrie(ids.map { (Array(pieces[$0].text.utf8), Int32($0)) })
        let ends = PieceTrie(ids.map { (pieces[$0].text.utf8.reversed(), Int32($0)) })
        let ranks = Self.ranks(pieces, ids)
        var merges: [(left: Int32, right: Int32, merge: MergeTable.Merge)] = []
        for (id, rank) in zip(ids, ranks) {
            let text = Array(pieces[id].text.utf8)
            let left = symbols(text, starts)
            let right = symbols(text.reversed(), ends)
            for length in 1..<max(text.count, 1) {
                guard let left = left[length] ?? firstCharacter(text, length) else { continue }
                guard let right = right[text.count - length] ?? lastCharacter(text, length) else { continue }
                merges.append((left, right, MergeTable.Merge(rank: rank, result: Int32(id))))
            }
            if !merges.isEmpty, merges[merges.count - 1].merge.result == Int32(id), isUnused(Int32(id)) {
                makesUnused = true
            }
        }
        table = MergeTable(capacity: merges.count)
        for merge in merges { _ = table.insert(merge.left, merge.right, merge.merge) }
    }

    /// The better the score the lower; equal for equal scores, which are taken from the left.
    private static func ranks(_ pieces: [SentencePieceModel.Piece], _ ids: [Int]) -> [UInt32] {
        var ranks = [UInt32](repeating: 0, count: ids.count)
        var rank: UInt32 = 0
        var last: Float?
        for index in ids.indices.sorted(by: { pieces[ids[$0]].score > pieces[ids[$1]].score }) {
            let score = pieces[ids[index]].score
            if let last, score != last { rank += 1 }
            last = score
            ranks[index] = rank
        }
        return ranks
    }

    /// The pieces that `text` starts with, by their lengths.
    private func symbols(_ text: [UInt8], _ trie: PieceTrie) -> [Int32?] {
        let nodes = trie.nodes.span
        var symbols = [Int32?](repeating: nil, count: text.count + 1)
        var node = PieceTrie.root
        for (index, byte) in text.enumerated() {
            guard let child = PieceTrie.child(of: node, byte, nodes) else { break }
            node = child
            if nodes[node].value != PieceTrie.absent { symbols[index + 1] = nodes[node].value }
        }
        return symbols
    }

    /// The symbol of the first character, where it has this length.
    private func firstCharacter(_ text: [UInt8], _ length: Int) -> Int32? {
        let (symbol, byteCount) = symbol(at: 0, of: text.span)
        return byteCount == length ? symbol : nil
    }

    /// The symbol of the last character, where it starts here.
    private func lastCharacter(_ text: [UInt8], _ start: Int) -> Int32? {
        guard !UTF8.isContinuation(text[start]) else { return nil }
        let (symbol, byteCount) = symbol(at: start, of: text.span)
        return start + byteCount == text.count ? symbol : nil
    }
}
