/// The merges of a byte-pair encoding: which two neighbouring tokens become which one, and in which order.
struct MergeTable: Sendable {
    /// A merge's rank, the lower the earlier, in the upper half and the token it makes in the lower.
    struct Merge: Equatable, Sendable {
        let bits: UInt64

        static let none = Merge(bits: .max)

        init(rank: UInt32, result: Int32) { bits = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: result)) }

        private init(bits: UInt64) { self.bits = bits }

        var rank: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
        var result: Int32 { Int32(truncatingIfNeeded: bits) }
    }

    private struct Slot: Sendable {
        var key: UInt64
        var merge: Merge
    }

    /// Open addressing, at most half full: a dictionary's hashing takes most of the time of encoding.
    private var slots: [Slot]
    private var count = 0
    private let mask: Int
    /// Drawn anew for each table, so that no file can be made of keys that collide. Only places depend on it.
    private let multiplier = UInt64.random(in: .min ... .max) | 1

    /// No key: ids are not negative.
    private static let emptyKey = UInt64.max

    /// A table with room for `capacity` merges.
    init(capacity: Int) {
        var slotCount = 16
        while slotCount < 2 * capacity { slotCount *= 2 }
        slots = [Slot](repeating: Slot(key: Self.emptyKey, merge: .none), count: slotCount)
        mask = slotCount - 1
    }

    /// The merge of two neighbours, or `.none`.
    @inline(__always)
    subscript(left: Int32, right: Int32) -> Merge {
        slots[place(of: Self.key(left, right))].merge
    }

    /// Adds a merge unless the pair has one or the table is full; says whether it did.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) -> Bool {
        let key = Self.key(left, right)
        let index = place(of: key)
        guard slots[index].key == Self.emptyKey, 2 * count < slots.count else { return false }
        slots[index] = Slot(key: key, merge: merge)
        count += 1
        return true
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// The slot of `key`, or the empty one where it would be.
    @inline(__always)
    private func place(of key: UInt64) -> Int {
        let product = key.multipliedFullWidth(by: multiplier)
        var index = Int(truncatingIfNeeded: product.high ^ product.low ^ product.low >> 32) & mask
        while slots[index].key != key, slots[index].key != Self.emptyKey { index = (index + 1) & mask }
        return index
    }
}
