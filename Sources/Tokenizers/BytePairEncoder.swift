/// Byte-pair encoding of single pre-tokens: their bytes' tokens, of which the neighbours of lowest rank, the leftmost
/// first, are merged until none can be.
struct BytePairEncoder: Sendable {
    /// What becomes of bytes that have no token.
    struct Unknown: Sendable {
        var id: Int32
        /// Whether one token stands for a run of such bytes.
        var fuses: Bool
    }

    /// The token of each byte; `absent` where there is none.
    let byteIDs: [Int32]
    let merges: MergeTable
    /// Without it bytes that have no token are left out, and their neighbours become neighbours, as the `tokenizers`
    /// library has it.
    let unknown: Unknown?

    static let absent: Int32 = -1

    /// Room for the work, to be used again.
    struct Scratch {
        fileprivate(set) var ids: [Int32] = []
        fileprivate var merges: [MergeTable.Merge] = []
        fileprivate var list = MergeList()
    }

    /// Up to this many symbols a look at all of them for the next merge is quicker than a heap.
    private static let scanLimit = 48

    /// Puts the tokens of `word` in `scratch.ids`; gives the number of bytes that have no token.
    func encode(_ text: Span<UInt8>, _ word: Range<Int>, _ scratch: inout Scratch) -> Int {
        let lostCount = symbols(text, word, &scratch.ids)
        guard scratch.ids.count > 1 else { return lostCount }
        if scratch.ids.count <= Self.scanLimit {
            scan(&scratch)
        } else {
            scratch.list.merge(&scratch.ids, merges)
        }
        return lostCount
    }

    private func symbols(_ text: Span<UInt8>, _ word: Range<Int>, _ ids: inout [Int32]) -> Int {
        ids.removeAll(keepingCapacity: true)
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

    private func scan(_ scratch: inout Scratch) {
        scratch.merges.removeAll(keepingCapacity: true)
        for index in 1..<scratch.ids.count { scratch.merges.append(merges[scratch.ids[index - 1], scratch.ids[index]]) }
        while true {
            var (best, place) = (MergeTable.Merge.none.bits, 0)
            for index in scratch.merges.indices where scratch.merges[index].bits < best {
                (best, place) = (scratch.merges[index].bits, index)
            }
            guard best != MergeTable.Merge.none.bits else { return }
            scratch.ids[place] = scratch.merges[place].result
            scratch.ids.remove(at: place + 1)
            scratch.merges.remove(at: place)
            if place > 0 { scratch.merges[place - 1] = merges[scratch.ids[place - 1], scratch.ids[place]] }
            if place < scratch.merges.count {
                scratch.merges[place] = merges[scratch.ids[place], scratch.ids[place + 1]]
            }
        }
    }
}
