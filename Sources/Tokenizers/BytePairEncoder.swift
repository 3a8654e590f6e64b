/// Byte-pair encoding of single pre-tokens: the tokens of their bytes or characters, of which the neighbours of lowest
/// rank, the leftmost first, are merged until none can be.
struct BytePairEncoder: Sendable {
    /// What becomes of bytes or characters that have no token.
    struct Unknown: Sendable {
        var id: Int32
        /// Whether one token stands for a run of them.
        var fuses: Bool
    }

    /// What a pre-token starts as.
    enum Symbols: Sendable {
        /// The token of each byte; `absent` where there is none.
        case bytes([Int32])
        case characters(SymbolTable)
    }

    /// Has the pre-tokens that are taken whole, whatever merges make of them.
    let wholeTokens: Vocabulary?
    /// Whether only those are that have nothing but line feeds.
    let takesLineFeedsOnly: Bool
    let symbols: Symbols
    let merges: MergeTable
    /// Without it bytes or characters that have no token are left out, and their neighbours become neighbours, as the
    /// `tokenizers` library has it.
    let unknown: Unknown?

    static let absent = SymbolTable.absent

    /// Room for the work, to be used again.
    struct Scratch {
        fileprivate var merges: [MergeTable.Merge] = []
        fileprivate var list = MergeList()
    }

    /// Up to this many symbols a look at all of them for the next merge is quicker than a heap.
    private static let scanLimit = 48

    /// Appends the tokens of `word` to `ids`, which is empty; gives the number of bytes that have no token.
    func encode(_ text: Span<UInt8>, _ word: Range<Int>, _ ids: inout [Int32], _ scratch: inout Scratch) -> Int {
        let lostCount: Int
        switch symbols {
        case .bytes(let byteIDs):
            if let wholeTokens, let id = wholeTokens.id(of: ByteLevelAlphabet.encode(word.map { text[$0] })) {
                ids.append(id)
                return 0
            }
            lostCount = append(byteIDs, text, word, &ids)
        case .characters(let table):
            if let id = wholeToken(text, word) {
                ids.append(id)
                return 0
            }
            lostCount = append(table, text, word, &ids)
        }
        guard ids.count > 1 else { return lostCount }
        if ids.count <= Self.scanLimit {
            scan(&ids, &scratch.merges)
        } else {
            scratch.list.merge(&ids, merges)
        }
        return lostCount
    }

    private func wholeToken(_ text: Span<UInt8>, _ word: Range<Int>) -> Int32? {
        guard let wholeTokens else { return nil }
        if takesLineFeedsOnly, word.contains(where: { text[$0] != UInt8(ascii: "\n") }) { return nil }
        return wholeTokens.id(of: String(decoding: word.map { text[$0] }, as: UTF8.self))
    }

    private func append(_ byteIDs: [Int32], _ text: Span<UInt8>, _ word: Range<Int>, _ ids: inout [Int32]) -> Int {
        var lostCount = 0
        var followsLost = false
        for index in word {
            let id = byteIDs[Int(text[index])]
            if id != Self.absent {
                ids.append(id)
            } else {
                lostCount += 1
                if let unknown, !(unknown.fuses && followsLost) { ids.append(unknown.id) }
            }
            followsLost = id == Self.absent
        }
        return lostCount
    }

    /// Tokens for the unknown are put before the next known character; tokens of bytes go past them, as in the
    /// `tokenizers` library.
    private func append(_ table: SymbolTable, _ text: Span<UInt8>, _ word: Range<Int>, _ ids: inout [Int32]) -> Int {
        var (lostCount, index) = (0, word.lowerBound)
        var isUnknownPending = false
        while index < word.upperBound {
            let (scalar, byteCount) = text.scalar(at: index)
            let end = index + byteCount
            let id = table.id(of: scalar, isFirst: index == word.lowerBound, isLast: end == word.upperBound)
            if id != Self.absent {
                if isUnknownPending, let unknown { ids.append(unknown.id) }
                isUnknownPending = false
                ids.append(id)
            } else if !table.byteIDs.isEmpty, (index..<end).allSatisfy({ table.byteIDs[Int(text[$0])] != Self.absent })
            {
                for place in index..<end { ids.append(table.byteIDs[Int(text[place])]) }
            } else {
                lostCount += byteCount
                if let unknown {
                    if isUnknownPending, !unknown.fuses { ids.append(unknown.id) }
                    isUnknownPending = true
                }
            }
            index = end
        }
        if isUnknownPending, let unknown { ids.append(unknown.id) }
        return lostCount
    }

    private func scan(_ ids: inout [Int32], _ candidates: inout [MergeTable.Merge]) {
        candidates.removeAll(keepingCapacity: true)
        for index in 1..<ids.count { candidates.append(merges[ids[index - 1], ids[index]]) }
        while true {
            var (best, place) = (MergeTable.Merge.none.bits, 0)
            for index in candidates.indices where candidates[index].bits < best {
                (best, place) = (candidates[index].bits, index)
            }
            guard best != MergeTable.Merge.none.bits else { return }
            ids[place] = candidates[place].result
            ids.remove(at: place + 1)
            candidates.remove(at: place)
            if place > 0 { candidates[place - 1] = merges[ids[place - 1], ids[place]] }
            if place < candidates.count { candidates[place] = merges[ids[place], ids[place + 1]] }
        }
    }
}
