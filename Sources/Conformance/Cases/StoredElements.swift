import Tensors

/// Elements as a checkpoint stores them, and what they mean, read by arithmetic and not by bits where that is possible.
struct StoredElements {
    let type: ElementType
    let bytes: [UInt8]

    /// Random bits, whole blocks. The scales of block types are finite halves, subnormal and negative ones among them.
    init(_ type: ElementType, count: Int, using random: inout SplitMix64) {
        self.type = type
        var bytes: [UInt8] = []
        for block in 0..<count / type.blockElementCount {
            var blockBytes = (0..<type.blockByteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if type.blockElementCount > 1 {
                for (place, high) in StoredElements.scalePlaces(type).enumerated() {
                    // An exponent of 31 would be an infinity or a NaN; every fifth block's exponent is 0.
                    let exponent = block % 5 == place ? 0 : UInt8(random.index(31))
                    blockBytes[high] = blockBytes[high] & 0x83 | exponent << 2
                }
            }
            bytes += blockBytes
        }
        self.bytes = bytes
    }

    /// Two-byte numbers, little-endian.
    init(_ type: ElementType, words: [UInt16]) {
        self.type = type
        bytes = words.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    }

    /// Where the high bytes of a block's scale and minimum lie. (That of Q8_K is a float32: its exponent stays below
    /// 248.)
    private static func scalePlaces(_ type: ElementType) -> [Int] {
        switch type {
        case .q4_1, .q5_1, .q4_k, .q5_k: [1, 3]
        case .q2_k: [81, 83]
        case .q3_k: [109]
        case .q6_k: [209]
        case .q8_k: [3]
        default: [1]
        }
    }

    /// The values, each rounded to float32 once.
    var values: [Double] {
        stride(from: 0, to: bytes.count, by: type.blockByteCount).flatMap { offset in
            switch type.blockElementCount {
            case 1: [plainValue(offset)]
            case 32: blockValues(offset)
            default: superBlockValues(offset)
            }
        }
    }

    func integer(_ offset: Int, _ byteCount: Int) -> UInt64 {
        (0..<byteCount).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    private func plainValue(_ offset: Int) -> Double {
        switch type {
        case .float64: Double(Float(Double(bitPattern: integer(offset, 8))))
        case .float32: Double(Float(bitPattern: UInt32(integer(offset, 4))))
        case .float16: half(offset)
        case .bfloat16: Double(Float(bitPattern: UInt32(integer(offset, 2)) << 16))
        default: Double(Float(Int32(truncatingIfNeeded: integer(offset, 4))))
        }
    }

    /// ± 2^(e - 15) · (1 + f/1024); e = 0 means ± 2^-14 · f/1024, and e = 31 infinities and NaN.
    func half(_ offset: Int) -> Double {
        let bits = Int(integer(offset, 2))
        let (sign, exponent, fraction) = (bits >> 15 == 0 ? 1.0 : -1.0, bits >> 10 & 31, Double(bits & 1023) / 1024)
        if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
        if exponent == 0 { return sign * fraction * 0x1p-14 }
        return sign * (1 + fraction) * (exponent < 15 ? 1 / Double(1 << (15 - exponent)) : Double(1 << (exponent - 15)))
    }

    /// x = d·(q - 8), d·q + m, and so on; exact in Double, then rounded to float32.
    private func blockValues(_ offset: Int) -> [Double] {
        let scale = half(offset)
        return (0..<32).map { i in
            switch type {
            case .q4_0: scale * (nibble(offset + 2, i) - 8)
            case .q4_1: Double(Float(scale * nibble(offset + 4, i) + half(offset + 2)))
            case .q5_0: scale * (nibble(offset + 6, i) + 16 * bit(offset + 2, i) - 16)
            case .q5_1: Double(Float(scale * (nibble(offset + 8, i) + 16 * bit(offset + 4, i)) + half(offset + 2)))
            case .iq4_nl: scale * StoredElements.unevenIntegers[Int(nibble(offset + 2, i))]
            default: scale * Double(Int8(truncatingIfNeeded: integer(offset + 2 + i, 1)))
            }
        }
    }

    private static let unevenIntegers: [Double] = [
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
    ]

    private func nibble(_ offset: Int, _ i: Int) -> Double {
        Double(i < 16 ? bytes[offset + i] % 16 : bytes[offset + i - 16] / 16)
    }

    private func bit(_ offset: Int, _ i: Int) -> Double {
        Double(integer(offset, 4) / (1 << UInt64(i)) % 2)
    }
}
