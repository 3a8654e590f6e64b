/// Cuts rows into slabs that lanes share evenly.
package struct SlabSharing: Sendable {
    private let laneCount: Int

    package init(laneCount: Int) {
        precondition(laneCount > 0, "no lanes")
        self.laneCount = laneCount
    }

    /// What a slab takes beside its rows, in rows: the matrices are brought into the caches anew for each.
    private static let slabCost = 8
    /// Fewer rows are done before another lane has begun.
    private static let smallestRowCount = 64

    /// The cut into the fewest slabs, or into some more, with which the lanes are done soonest.
    ///
    /// - Parameter cut: Into at most so many slabs.
    package func best<Slab>(
        fewest: Int, rowCount: (Slab) -> Int, cut: (_ count: Int) -> [Slab]
    ) -> [Slab] {
        var best = cut(fewest)
        // Of many slabs, the last ones keep no lane waiting for long.
        guard laneCount > 1, fewest < 8 * laneCount else { return best }
        var bestCost = cost(best.map(rowCount))
        let most = min(
            fewest + max(fewest, 2 * (laneCount - 1)),
            best.reduce(0) { $0 + rowCount($1) } / SlabSharing.smallestRowCount)
        for count in stride(from: fewest + 1, through: most, by: 1) {
            let slabs = cut(count)
            let cost = cost(slabs.map(rowCount))
            if cost < bestCost { (best, bestCost) = (slabs, cost) }
        }
        return best
    }

    /// When the last lane is done, each taking the next slab when it has none.
    private func cost(_ rowCounts: [Int]) -> Int {
        var lanes = [Int](repeating: 0, count: laneCount)
        for rowCount in rowCounts {
            let next = lanes.indices.min { lanes[$0] < lanes[$1] } ?? 0
            lanes[next] += rowCount + SlabSharing.slabCost
        }
        return lanes.max() ?? 0
    }
}
