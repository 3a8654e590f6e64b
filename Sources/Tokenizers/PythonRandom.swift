/// The draws of CPython's `random` module (3.2 and later): the same numbers for the same seed.
struct PythonRandom {
    private var twister: MersenneTwister

    /// `random.seed(seed)`.
    init(seed: UInt) {
        let low = UInt32(truncatingIfNeeded: seed)
        let high = UInt32(truncatingIfNeeded: UInt64(seed) >> 32)
        twister = MersenneTwister(key: high == 0 ? [low] : [low, high])
    }

    /// `random.getrandbits(bitCount)`.
    mutating func bits(_ bitCount: Int) -> UInt64 {
        guard bitCount > 32 else { return UInt64(twister.next() >> UInt32(32 - bitCount)) }
        let low = UInt64(twister.next())
        return low | UInt64(twister.next() >> UInt32(64 - bitCount)) << 32
    }

    /// `random.randrange(limit)`: the least bits that can hold `limit`, drawn again until they are below it.
    mutating func below(_ limit: Int) -> Int {
        let bitCount = Int.bitWidth - limit.leadingZeroBitCount
        while true {
            let value = bits(bitCount)
            if value < UInt64(limit) { return Int(value) }
        }
    }

    /// `random.sample(range(populationCount), count)`.
    ///
    /// - Parameter count: at most `populationCount`.
    mutating func sample(_ count: Int, outOf populationCount: Int) -> [Int] {
        populationCount <= Self.setSize(count)
            ? samplePool(count, populationCount) : sampleSet(count, populationCount)
    }

    /// What CPython takes for the size of a set of `count` elements: a population up to it is copied.
    private static func setSize(_ count: Int) -> Int {
        guard count > 5 else { return 21 }
        var power = 1
        while power < 3 * count { power *= 4 }
        return 21 + power
    }

    private mutating func samplePool(_ count: Int, _ populationCount: Int) -> [Int] {
        var pool = Array(0..<populationCount)
        return (0..<count).map { index in
            let place = below(pool.count)
            let chosen = pool[place]
            pool[place] = pool[pool.count - 1]
            pool.removeLast()
            return chosen
        }
    }

    private mutating func sampleSet(_ count: Int, _ populationCount: Int) -> [Int] {
        var chosen: Set<Int> = []
        return (0..<count).map { _ in
            while true {
                let value = below(populationCount)
                if chosen.insert(value).inserted { return value }
            }
        }
    }
}
