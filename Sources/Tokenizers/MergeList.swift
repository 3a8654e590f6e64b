extension Array {
    /// Takes other elements in the same place.
    fileprivate mutating func replace(with elements: some Collection<Element>) {
        removeAll(keepingCapacity: true)
        append(contentsOf: elements)
    }
}

/// The symbols of a long pre-token as a linked list with a heap of the merges to come: n symbols take O(n log n), where
/// looking for the next merge each time would take O(n²).
struct MergeList {
    private var queue = MergeQueue()
    private var previous: [Int] = []
    private var next: [Int] = []
    /// The merge of each symbol with its right neighbour; `.none` also for a symbol that is gone.
    private var merges: [MergeTable.Merge] = []

    /// Merges `ids` in place.
    mutating func merge(_ ids: inout [Int32], _ table: MergeTable) {
        let count = ids.count
        previous.replace(with: -1..<count - 1)
        next.replace(with: 1..<count + 1)
        merges.replace(with: (0..<count).lazy.map { [ids] in $0 + 1 < count ? table[ids[$0], ids[$0 + 1]] : .none })
        queue.removeAll()
        for place in merges.indices where merges[place] != .none {
            queue.push(MergeQueue.Candidate(rank: merges[place].rank, place: place))
        }

        while let candidate = queue.popFirst() {
            let place = candidate.place
            // A candidate whose symbol was merged otherwise meanwhile. Ranks name pairs, so an equal one is the same.
            guard merges[place] != .none, merges[place].rank == candidate.rank else { continue }
            let gone = next[place]
            ids[place] = merges[place].result
            merges[gone] = .none
            next[place] = next[gone]
            if next[place] < count { previous[next[place]] = place }
            look(at: place, ids, table)
            if previous[place] >= 0 { look(at: previous[place], ids, table) }
        }
        compact(&ids)
    }

    /// The symbol at `place`, or its right neighbour, is new.
    private mutating func look(at place: Int, _ ids: [Int32], _ table: MergeTable) {
        merges[place] = next[place] < ids.count ? table[ids[place], ids[next[place]]] : .none
        if merges[place] != .none { queue.push(MergeQueue.Candidate(rank: merges[place].rank, place: place)) }
    }

    private func compact(_ ids: inout [Int32]) {
        var (count, place) = (0, 0)
        while place < next.count {
            ids[count] = ids[place]
            count += 1
            place = next[place]
        }
        ids.removeLast(ids.count - count)
    }
}
