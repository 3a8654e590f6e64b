/// The Mersenne twister MT19937 (Matsumoto and Nishimura, 1998), seeded by an array of words as CPython does.
struct MersenneTwister {
    private var state = [UInt32](repeating: 0, count: wordCount)
    private var index = wordCount

    private static let wordCount = 624
    private static let middle = 397

    /// The reference's init_by_array.
    ///
    /// - Parameter key: not empty.
    init(key: [UInt32]) {
        seed(19_650_218)
        var (i, j) = (1, 0)
        for _ in 0..<max(Self.wordCount, key.count) {
            state[i] = (state[i] ^ scrambled(i - 1) &* 1_664_525) &+ key[j] &+ UInt32(truncatingIfNeeded: j)
            advance(&i)
            j = (j + 1) % key.count
        }
        for _ in 1..<Self.wordCount {
            state[i] = (state[i] ^ scrambled(i - 1) &* 1_566_083_941) &- UInt32(truncatingIfNeeded: i)
            advance(&i)
        }
        state[0] = 0x8000_0000
    }

    private mutating func seed(_ word: UInt32) {
        state[0] = word
        for i in 1..<Self.wordCount { state[i] = 1_812_433_253 &* scrambled(i - 1) &+ UInt32(i) }
    }

    private func scrambled(_ i: Int) -> UInt32 { state[i] ^ state[i] >> 30 }

    private mutating func advance(_ i: inout Int) {
        i += 1
        guard i == Self.wordCount else { return }
        state[0] = state[Self.wordCount - 1]
        i = 1
    }

    /// The next 32 bits.
    mutating func next() -> UInt32 {
        if index == Self.wordCount { generate() }
        var word = state[index]
        index += 1
        word ^= word >> 11
        word ^= word << 7 & 0x9D2C_5680
        word ^= word << 15 & 0xEFC6_0000
        return word ^ word >> 18
    }

    private mutating func generate() {
        for i in 0..<Self.wordCount {
            let word = state[i] & 0x8000_0000 | state[(i + 1) % Self.wordCount] & 0x7FFF_FFFF
            state[i] = state[(i + Self.middle) % Self.wordCount] ^ word >> 1 ^ (word & 1) &* 0x9908_B0DF
        }
        index = 0
    }
}
