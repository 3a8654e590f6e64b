import Compute
import Conformance
import Tensors

/// Decoding a stored weight: a cast, and blocks of four bits.
///
/// The stored bytes are the program's. A GPU is bounded by the way there, so that they alone count; the CPU reads and
/// writes its memory.
enum DecodeBenchmarks {
    static func all(_ scale: BenchmarkScale, isHost: Bool) -> [BenchmarkCase] {
        [ElementType.bfloat16, .q4_1].map { decode($0, scale.decoded.rows, scale.decoded.width, isHost: isHost) }
    }

    private static func decode(_ type: ElementType, _ rows: Int, _ columns: Int, isHost: Bool) -> BenchmarkCase {
        let blockCount = rows * columns / type.blockElementCount
        let storedCount = blockCount * type.blockByteCount
        let work: Work =
            isHost
            ? .moving(bytes: storedCount + 4 * rows * columns) : .moving(bytes: storedCount, ceiling: .write)
        return BenchmarkCase(
            "decode", "\(type.rawValue) rows=\(rows) columns=\(columns)", work,
            byteCount: storedCount + 4 * rows * columns, isPerLane: false
        ) { device, random throws(ComputeError) in
            let stored = type == .q4_1 ? blocks(blockCount, &random) : casts(blockCount, &random)
            let result = try device.makeZeros([rows, columns], .float32, for: "a benchmark")
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try stored.withRawSpan { bytes throws(ComputeError) in
                        try device.decode(bytes, elementType: type, into: result)
                    }
                }
            ) { judgement throws(ComputeError) in
                // A product and a sum.
                let tolerance = type == .q4_1 ? Tolerance(.float32, roundings: 2) : .exact
                try judgement.compareRows("result", result, device, places: Places.spread(rows, 5), tolerance) { row in
                    (0..<columns).map { element(row * columns + $0, of: stored, type) }
                }
            }
        }
    }

    /// Random bfloat16 from -1 to 1.
    private static func casts(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 2 * count)
        for i in 0..<count {
            let bits = Float(random.uniform()).bitPattern >> 16
            bytes[2 * i] = UInt8(truncatingIfNeeded: bits)
            bytes[2 * i + 1] = UInt8(truncatingIfNeeded: bits >> 8)
        }
        return bytes
    }

    /// Random blocks of Q4_1: d and m are multiples of 1/128, which float16 holds exactly.
    private static func blocks(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 20 * count)
        for block in 0..<count {
            let bits = random.next()
            for (half, shift) in [(0, 0), (2, 8)] {
                let value = Operand.float16(Float(Int8(truncatingIfNeeded: bits >> shift)) / 128)
                bytes[20 * block + half] = UInt8(truncatingIfNeeded: value)
                bytes[20 * block + half + 1] = UInt8(truncatingIfNeeded: value >> 8)
            }
            for word in 0..<2 {
                let nibbles = random.next()
                for byte in 0..<8 {
                    bytes[20 * block + 4 + 8 * word + byte] = UInt8(truncatingIfNeeded: nibbles >> (8 * byte))
                }
            }
        }
        return bytes
    }

    /// The number that stands there, and the size of its terms.
    private static func element(
        _ index: Int, of bytes: [UInt8], _ type: ElementType
    ) -> (value: Double, scale: Double) {
        func word(_ place: Int) -> UInt32 { UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 }
        guard type == .q4_1 else {
            let value = Double(Float(bitPattern: word(2 * index) << 16))
            return (value, abs(value))
        }
        let (block, place) = index.quotientAndRemainder(dividingBy: 32)
        let byte = bytes[20 * block + 4 + place % 16]
        let (d, m) = (multiple(of: word(20 * block)), multiple(of: word(20 * block + 2)))
        let product = d * Double(place < 16 ? byte & 15 : byte >> 4)
        return (product + m, abs(product) + abs(m))
    }

    /// The value of float16 bits that are a multiple of 1/128.
    private static func multiple(of bits: UInt32) -> Double {
        guard bits & 0x7FFF != 0 else { return 0 }
        return Double(Float(bitPattern: (bits >> 15) << 31 | ((bits >> 10 & 31) + 112) << 23 | (bits & 0x3FF) << 13))
    }
}
