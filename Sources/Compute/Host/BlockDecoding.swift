import Tensors

/// Decodes stored elements to float32. Block layouts are ggml's: a scale, then packed integers.
enum BlockDecoding {
    /// Decodes `count` elements, whole blocks of `elementType`.
    static func decode(
        _ elementType: ElementType, _ source: UnsafeRawPointer, into result: UnsafeMutablePointer<Float>, count: Int
    ) {
        switch elementType {
        case .float32: unsafe UnsafeMutableRawPointer(result).copyMemory(from: source, byteCount: 4 * count)
        case .float64:
            for i in 0..<count {
                unsafe result[i] = unsafe Float(source.loadUnaligned(fromByteOffset: 8 * i, as: Double.self))
            }
        case .int32:
            for i in 0..<count {
                unsafe result[i] = unsafe Float(source.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self))
            }
        case .bfloat16:
            for i in 0..<count {
                let bits = unsafe source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
                unsafe result[i] = Float(bitPattern: UInt32(bits) << 16)
            }
        case .float16: unsafe decodeHalves(source, result, count)
        case .q4_0:
            unsafe decodeNibbles(source, result, count, blockByteCount: 18, offset: -8, bitsAt: nil, nibblesAt: 2)
        case .q4_1:
            unsafe decodeNibbles(source, result, count, blockByteCount: 20, offset: nil, bitsAt: nil, nibblesAt: 4)
        case .q5_0:
            unsafe decodeNibbles(source, result, count, blockByteCount: 22, offset: -16, bitsAt: 2, nibblesAt: 6)
        case .q5_1:
            unsafe decodeNibbles(source, result, count, blockByteCount: 24, offset: nil, bitsAt: 4, nibblesAt: 8)
        case .q8_0: unsafe decodeBytes(source, result, count)
        }
    }

    private static func decodeHalves(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for i in 0..<count {
            unsafe result[i] = unsafe float(half: source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
        }
    }

    /// A float16 as a float32, exactly. Without branches, so that loops over it vectorize on every x86-64.
    @inline(__always)
    static func float(half bits: UInt16) -> Float {
        let magnitude = UInt32(bits & 0x7FFF) << 13
        // 2^112 moves the exponent's bias from 15 to 127, and makes subnormal numbers normal.
        let finite = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
        let special = magnitude | 0x7F80_0000
        let isSpecial: UInt32 = magnitude >= 0x0F80_0000 ? .max : 0
        let sign = UInt32(bits & 0x8000) << 16
        return Float(bitPattern: sign | (finite & ~isSpecial) | (special & isSpecial))
    }

    /// Blocks of 32 elements: scale d, minimum m (or a constant offset of the integers), and nibbles of which the low
    /// halves come first; `bitsAt` is the place of the fifth bits.
    @inline(__always)
    private static func decodeNibbles(
        _ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int, blockByteCount: Int,
        offset: Int32?, bitsAt: Int?, nibblesAt: Int
    ) {
        for block in 0..<count / 32 {
            let base = unsafe source + block * blockByteCount
            let scale = unsafe float(half: base.loadUnaligned(as: UInt16.self))
            let minimum =
                unsafe offset == nil ? float(half: base.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) : 0
            let highBits = bitsAt.map { unsafe base.loadUnaligned(fromByteOffset: $0, as: UInt32.self) } ?? 0
            let nibbles = unsafe base + nibblesAt
            let output = unsafe result + 32 * block
            for i in 0..<16 {
                let byte = unsafe UInt32(nibbles.load(fromByteOffset: i, as: UInt8.self))
                let low = (byte & 15) | (((highBits >> UInt32(i)) & 1) << 4)
                let high = (byte >> 4) | (((highBits >> UInt32(i + 16)) & 1) << 4)
                unsafe output[i] = scale * Float(Int32(bitPattern: low) + (offset ?? 0)) + minimum
                unsafe output[i + 16] = scale * Float(Int32(bitPattern: high) + (offset ?? 0)) + minimum
            }
        }
    }

    private static func decodeBytes(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 32 {
            let base = unsafe source + block * 34
            let scale = unsafe float(half: base.loadUnaligned(as: UInt16.self))
            for i in 0..<32 {
                let quantum = unsafe base.load(fromByteOffset: 2 + i, as: Int8.self)
                unsafe result[32 * block + i] = scale * Float(quantum)
            }
        }
    }
}
