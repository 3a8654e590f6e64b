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
        case .iq4_nl: unsafe decodeTableNibbles(source, result, count)
        case .q2_k: unsafe decodeQ2K(source, result, count)
        case .q3_k: unsafe decodeQ3K(source, result, count)
        case .q4_k: unsafe decodeQ4K(source, result, count)
        case .q5_k: unsafe decodeQ5K(source, result, count)
        case .q6_k: unsafe decodeQ6K(source, result, count)
        case .q8_k: unsafe decodeQ8K(source, result, count)
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
}
