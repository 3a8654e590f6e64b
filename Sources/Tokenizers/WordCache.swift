/// The tokens of words met before: most words of a text are. Bounded; a new word replaces an old one of its slot.
///
/// Only the time depends on what is in it, never the ids.
struct WordCache {
    /// A word of up to 15 bytes and its length, packed.
    struct Key: Equatable {
        var low: UInt64
        var high: UInt64

        /// nil for a word that is too long to be kept.
        @inline(__always)
        init?(_ text: Span<UInt8>, _ word: Range<Int>) {
            guard word.count < 16 else { return nil }
            (low, high) = (0, UInt64(word.count))
            for index in word.prefix(8) { low = low << 8 | UInt64(text[index]) }
            for index in word.dropFirst(8) { high = high << 8 | UInt64(text[index]) }
        }

        fileprivate init() { (low, high) = (0, 0) }

        @inline(__always)
        fileprivate var slot: Int {
            let mixed = (low ^ high &* 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
            return Int(truncatingIfNeeded: (mixed ^ mixed >> 32) & UInt64(WordCache.slotCount - 1))
        }
    }

    private struct Slot {
        /// The key of no word, which has a length, where the slot is empty.
        var key = Key()
        var start: Int32 = 0
        var count: Int32 = 0
    }

    private static let slotCount = 1 << 15
    /// Of tokens; at most 15 a word.
    private static let tokenLimit = 1 << 19

    private var slots = [Slot](repeating: Slot(), count: slotCount)
    private var tokens: [Int32] = []

    /// Appends the tokens of a word that is kept; says whether it is.
    @inline(__always)
    func append(_ key: Key, to ids: inout [Int32]) -> Bool {
        let slot = slots[key.slot]
        guard slot.key == key else { return false }
        for index in Int(slot.start)..<Int(slot.start + slot.count) { ids.append(tokens[index]) }
        return true
    }

    mutating func insert(_ key: Key, _ ids: some Collection<Int32>) {
        if tokens.count + ids.count > Self.tokenLimit {
            tokens.removeAll(keepingCapacity: true)
            slots = [Slot](repeating: Slot(), count: Self.slotCount)
        }
        slots[key.slot] = Slot(key: key, start: Int32(tokens.count), count: Int32(ids.count))
        tokens.append(contentsOf: ids)
    }
}
