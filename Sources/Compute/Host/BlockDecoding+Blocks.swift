/// Blocks of 32 elements that share a scale, and a minimum where the type has one.
extension BlockDecoding {
    /// Q4_0, Q4_1, Q5_0, Q5_1: scale d, minimum m (or a constant offset of the integers), and nibbles of which the low
    /// halves come first; `bitsAt` is the place of the fifth bits.
    @inline(__always)
    static func decodeNibbles(
        _ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int, blockByteCount: Int,
        offset: Int32?, bitsAt: Int?, nibblesAt: Int
    ) {
        for block in 0..<count / 32 {
            let base = unsafe source + block * blockByteCount
            let scale = unsafe float(half: base.loadUnaligned(as: UInt16.self))
            // Adding -0 changes nothing, not even the sign of a zero.
            let minimum =
                unsafe offset == nil ? float(half: base.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) : -0.0
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

    /// Q8_0: scale d, and signed bytes.
    static func decodeBytes(_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int) {
        for block in 0..<count / 32 {
            let base = unsafe source + block * 34
            let scale = unsafe float(half: base.loadUnaligned(as: UInt16.self))
            for i in 0..<32 {
                let quantum = unsafe base.load(fromByteOffset: 2 + i, as: Int8.self)
                unsafe result[32 * block + i] = scale * Float(quantum)
            }
        }
    }

    /// The integers of IQ4_NL: close together near zero, where most weights are.
    private static var unevenIntegers: SIMD16<Float> {
        SIMD16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
    }

    /// IQ4_NL: scale d, and nibbles that are places in a table, of which the low halves come first.
    static func decodeTableNibbles(
        _ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        // Scaled once a block, and in memory: a register cannot be indexed without a detour through memory.
        unsafe withUnsafeTemporaryAllocation(of: SIMD16<Float>.self, capacity: 1) { scaled in
            guard let table = UnsafeRawPointer(scaled.baseAddress) else { return }
            for block in 0..<count / 32 {
                let base = unsafe source + block * 18
                unsafe scaled[0] = unsafe float(half: base.loadUnaligned(as: UInt16.self)) * unevenIntegers
                let output = unsafe result + 32 * block
                for i in 0..<16 {
                    let byte = unsafe Int(base.load(fromByteOffset: 2 + i, as: UInt8.self))
                    unsafe output[i] = unsafe table.load(fromByteOffset: 4 * (byte & 15), as: Float.self)
                    unsafe output[i + 16] = unsafe table.load(fromByteOffset: 4 * (byte >> 4), as: Float.self)
                }
            }
        }
    }
}
