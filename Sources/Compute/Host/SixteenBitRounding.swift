import Tensors

/// Rounds float32 to the types of sixteen bits: to nearest, ties to even, beyond the largest to infinity.
package enum SixteenBitRounding {
    /// Stores `count` elements as float16 or bfloat16.
    static func store(
        _ source: UnsafePointer<Float>, _ elementType: ElementType, to result: UnsafeMutableRawPointer, count: Int
    ) {
        let words = unsafe result.assumingMemoryBound(to: UInt16.self)
        if elementType == .bfloat16 {
            for i in 0..<count { unsafe words[i] = unsafe bfloat16(source[i]) }
        } else {
            for i in 0..<count { unsafe words[i] = unsafe float16(source[i]) }
        }
    }

    @inline(__always)
    package static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return value.isNaN ? 0x7FFF : UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    @inline(__always)
    package static func float16(_ value: Float) -> UInt16 {
        let magnitude = value.magnitude.bitPattern
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16 & 0x8000)
        if value.isNaN { return 0x7FFF }
        // From 2^16 on, which the rounding below could not tell from what has no bits here.
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
        // Below 2^-14 the result counts units of 2^-24, which are those of the last place of numbers from 1/2.
        if magnitude < 0x3880_0000 {
            return sign | UInt16(truncatingIfNeeded: (value.magnitude + 0.5).bitPattern &- 0x3F00_0000)
        }
        // The exponent's bias goes from 127 to 15.
        let rebiased = magnitude &- (112 << 23)
        return sign | UInt16(truncatingIfNeeded: (rebiased &+ 0xFFF &+ (magnitude >> 13 & 1)) >> 13)
    }
}
