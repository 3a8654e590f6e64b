/// Cuts rows into slabs that lanes share evenly, however many there are.
///
/// Nothing depends on the device's lanes, so that results do not either: the last digits of a matrix product may depend on
/// how many rows it has.
package struct SlabSharing: Sendable {
    /// Rows that are worth computing at once.
    private let limit: Int

    package init(limit: Int) { self.limit = limit }

    /// Numbers of lanes that are served equally.
    private static let laneCounts = [1, 2, 4, 8]
    /// What a slab takes beside its rows, in rows: the matrices are brought into the caches anew for each.
    private static let slabCost = 8
    /// Of so many slabs, the last ones keep no lane waiting for long.
    private static let manySlabs = 64
    /// Fewer rows are done before another lane has begun.
    private static let smallestRowCount = 64

    /// The cut into the fewest slabs, or into some more, with which the lanes are done soonest.
    ///
    /// - Parameter cut: Into at most so many slabs.
    package func best<Slab>(fewest: Int, rowCount: (Slab) -> Int, cut: (_ count: Int) -> [Slab]) -> [Slab] {
        var best = cut(fewest)
        guard fewest < SlabSharing.manySlabs else { return best }
        let total = best.reduce(0) { $0 + rowCount($1) }
        let most = min(
            max(2 * fewest, SlabSharing.manySlabs / 4), total / max(SlabSharing.smallestRowCount, limit / 4))
        var bestCost = cost(best.map(rowCount))
        for count in stride(from: fewest + 1, through: most, by: 1) {
            let slabs = cut(count)
            let cost = cost(slabs.map(rowCount))
            if cost < bestCost { (best, bestCost) = (slabs, cost) }
        }
        return best
    }

    /// When the last lane is done against lanes that never wait, summed over the numbers of lanes.
    private func cost(_ rowCounts: [Int]) -> Int {
        SlabSharing.laneCounts.reduce(0) { $0 + $1 * cost(rowCounts, laneCount: $1) }
    }

    /// When the last of so many lanes is done, each taking the next slab when it has none.
    private func cost(_ rowCounts: [Int], laneCount: Int) -> Int {
        var lanes = [Int](repeating: 0, count: laneCount)
        for rowCount in rowCounts {
            let next = lanes.indices.min { lanes[$0] < lanes[$1] } ?? 0
            lanes[next] += rowCount + SlabSharing.slabCost
        }
        return lanes.max() ?? 0
    }
}
