/// Super-blocks: 256 elements in groups of 16 or 32, each with an integer scale of a few bits (Q8_K has none).
///
/// Every product but Q8_K's is exact in float32: a float16 has 11 significant bits, a group's scale and an integer at
/// most 7 and 5, or are powers of two. So only the subtraction of a minimum rounds, once, as it does in ggml.
extension BlockDecoding {
    /// 16 bytes of 4-bit scales and minima, 64 bytes of 2-bit integers, d, e.
    static func decodeQ2K(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 256 {
            let base = unsafe source + 84 * block
            let scale = unsafe float(half: base.loadUnaligned(fromByteOffset: 80, as: UInt16.self))
            let minimum = unsafe float(half: base.loadUnaligned(fromByteOffset: 82, as: UInt16.self))
            for group in 0..<16 {
                let (half, quarter, part) = (group / 8, UInt8(group / 2 % 4), group % 2)
                let packed = unsafe base.load(fromByteOffset: group, as: UInt8.self)
                let pairs = unsafe bytes(base + 16 + 32 * half + 16 * part)
                unsafe store(
                    pairs &>> (2 * quarter) & 3, scale: scale * Float(packed & 15),
                    minimum: minimum * Float(packed >> 4), to: result + 256 * block + 16 * group)
            }
        }
    }

    /// 32 bytes of third bits, 64 bytes of the lower two, 12 bytes of 6-bit scales, d.
    static func decodeQ3K(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 256 {
            let base = unsafe source + 110 * block
            let scale = unsafe float(half: base.loadUnaligned(fromByteOffset: 108, as: UInt16.self))
            // Nibbles of all sixteen scales, then their upper two bits.
            let nibbles = unsafe base.loadUnaligned(fromByteOffset: 96, as: UInt64.self)
            let upper = unsafe base.loadUnaligned(fromByteOffset: 104, as: UInt32.self)
            for group in 0..<16 {
                let (half, quarter, part) = (group / 8, UInt8(group / 2 % 4), group % 2)
                let nibble = Int32(nibbles &>> UInt64(8 * (group % 8) + 4 * (group / 8)) & 15)
                let pair = Int32(upper &>> UInt32(8 * (group % 4) + 2 * (group / 4)) & 3)
                let pairs = unsafe bytes(base + 32 + 32 * half + 16 * part)
                let bits = unsafe bytes(base + 16 * part)
                unsafe store(
                    pairs &>> (2 * quarter) & 3 | (bits &>> UInt8(group / 2) & 1) &<< 2, offset: 4,
                    scale: scale * Float((pair << 4 | nibble) - 32), to: result + 256 * block + 16 * group)
            }
        }
    }

    /// d, e, 12 bytes of 6-bit scales and minima, 128 bytes of nibbles.
    static func decodeQ4K(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 256 {
            let base = unsafe source + 144 * block
            let scales = unsafe GroupScales(base)
            for part in 0..<16 {
                let (group, half) = (part / 2, UInt8(part / 2 % 2))
                let nibbles = unsafe bytes(base + 16 + 32 * (group / 2) + 16 * (part % 2))
                unsafe store(
                    nibbles &>> (4 * half) & 15, scale: scales.scale(group), minimum: scales.minimum(group),
                    to: result + 256 * block + 16 * part)
            }
        }
    }

    /// d, e, 12 bytes of 6-bit scales and minima, 32 bytes of fifth bits, 128 bytes of nibbles.
    static func decodeQ5K(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 256 {
            let base = unsafe source + 176 * block
            let scales = unsafe GroupScales(base)
            for part in 0..<16 {
                let (group, half) = (part / 2, UInt8(part / 2 % 2))
                let nibbles = unsafe bytes(base + 48 + 32 * (group / 2) + 16 * (part % 2))
                let bits = unsafe bytes(base + 16 + 16 * (part % 2))
                unsafe store(
                    nibbles &>> (4 * half) & 15 | (bits &>> UInt8(group) & 1) &<< 4, scale: scales.scale(group),
                    minimum: scales.minimum(group), to: result + 256 * block + 16 * part)
            }
        }
    }

    /// 128 bytes of lower nibbles, 64 bytes of the upper two bits, 16 signed bytes of scales, d.
    static func decodeQ6K(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 256 {
            let base = unsafe source + 210 * block
            let scale = unsafe float(half: base.loadUnaligned(fromByteOffset: 208, as: UInt16.self))
            for group in 0..<16 {
                let (half, quarter, part) = (group / 8, UInt8(group / 2 % 4), group % 2)
                let nibbles = unsafe bytes(base + 64 * half + 16 * (group % 4))
                let pairs = unsafe bytes(base + 128 + 32 * half + 16 * part)
                unsafe store(
                    nibbles &>> (4 * (quarter / 2)) & 15 | (pairs &>> (2 * quarter) & 3) &<< 4, offset: 32,
                    scale: scale * Float(base.load(fromByteOffset: 192 + group, as: Int8.self)),
                    to: result + 256 * block + 16 * group)
            }
        }
    }

    /// A float32 d, 256 signed bytes, 16 sums of them that are passed over.
    static func decodeQ8K(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 256 {
            let base = unsafe source + 292 * block
            let scale = unsafe base.loadUnaligned(as: Float.self)
            for i in 0..<256 {
                let quantum = unsafe base.load(fromByteOffset: 4 + i, as: Int8.self)
                unsafe result[256 * block + i] = scale * Float(quantum)
            }
        }
    }

    @inline(__always)
    private static func bytes(_ address: UnsafeRawPointer) -> SIMD16<UInt8> {
        unsafe address.loadUnaligned(as: SIMD16<UInt8>.self)
    }

    /// Writes scale·(q - offset) - minimum for 16 elements that share a scale.
    @inline(__always)
    private static func store(
        _ quanta: SIMD16<UInt8>, offset: Float = 0, scale: Float, minimum: Float = 0,
        to output: UnsafeMutablePointer<Float>
    ) {
        let values = (SIMD16<Float>(quanta) - offset) * scale - minimum
        unsafe UnsafeMutableRawPointer(output).storeBytes(of: values, as: SIMD16<Float>.self)
    }
}

/// The scales and minima of the eight groups of a super-block of Q4_K or Q5_K, which begins with d and e.
private struct GroupScales {
    private let scale: Float
    private let minimum: Float
    /// A byte for each group.
    private let scales: UInt64
    private let minima: UInt64

    /// Of the 12 bytes after d and e, the lower six bits of 0 to 3 and of 4 to 7 are the first four scales and minima;
    /// the other four have their nibbles in bytes 8 to 11 and their upper two bits above those of the first.
    @inline(__always)
    init(_ block: UnsafeRawPointer) {
        scale = unsafe BlockDecoding.float(half: block.loadUnaligned(as: UInt16.self))
        minimum = unsafe BlockDecoding.float(half: block.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        let first = unsafe block.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let second = unsafe block.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        let nibbles = unsafe block.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        let lastScales = nibbles & 0x0F0F_0F0F | first >> 2 & 0x3030_3030
        let lastMinima = nibbles >> 4 & 0x0F0F_0F0F | second >> 2 & 0x3030_3030
        scales = UInt64(first & 0x3F3F_3F3F) | UInt64(lastScales) << 32
        minima = UInt64(second & 0x3F3F_3F3F) | UInt64(lastMinima) << 32
    }

    @inline(__always)
    func scale(_ group: Int) -> Float { scale * Float(Int32(scales &>> UInt64(8 * group) & 63)) }

    @inline(__always)
    func minimum(_ group: Int) -> Float { minimum * Float(Int32(minima &>> UInt64(8 * group) & 63)) }
}
