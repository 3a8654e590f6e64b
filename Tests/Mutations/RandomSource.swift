/// Steele, Lea and Flood's generator (SplitMix64), so that a case is the same on every machine.
struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// Uniform in 0..<count; 0 where count is 0.
    mutating func index(_ count: Int) -> Int { count == 0 ? 0 : Int(next() % UInt64(count)) }

    /// True once in `count` times.
    mutating func once(in count: Int) -> Bool { index(count) == 0 }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[index(choices.count)] }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    /// A number below `limit` that is small more often than large.
    mutating func size(below limit: Int) -> Int { index(index(limit) + 1) }

    /// A number at which lengths, offsets and counts go wrong.
    mutating func interesting() -> UInt64 {
        let value = pick(RandomSource.interestingNumbers)
        // Beside it is as interesting as on it.
        return once(in: 4) ? value &+ UInt64(index(33)) &- 16 : value
    }

    private static let interestingNumbers: [UInt64] = [
        0, 1, 2, 3, 7, 8, 16, 31, 32, 33, 64, 127, 128, 255, 256, 1 << 15, 1 << 16, 1 << 20, 1 << 24, 1 << 30,
        1 << 31, 1 << 32, 1 << 33, 1 << 48, 1 << 53, 1 << 59, 1 << 60, 1 << 61, 1 << 62, 1 << 63, .max,
        UInt64(UInt32.max), UInt64(Int32.max), UInt64(Int64.max), .max - 7, .max - 31, 0xAAAA_AAAA_AAAA_AAAB,
    ]
}
