import Tensors

/// Tensors of float16 and bfloat16 on the CPU: widened to float32, computed there, and rounded once.
extension HostBackend {
    /// The tensor itself, or a float32 copy of one of 16 bits.
    func widened(_ tensor: Tensor) throws(ComputeError) -> Tensor {
        guard tensor.elementType.isSixteenBits else { return tensor }
        let wide = try wideTensor(tensor.rows, tensor.columns)
        for row in 0..<tensor.rows {
            unsafe BlockDecoding.decode(
                tensor.elementType, tensor.rows(row..<row + 1).address, into: wide.floats + row * tensor.columns,
                count: tensor.columns)
        }
        return wide
    }

    func wideTensor(_ rows: Int, _ columns: Int) throws(ComputeError) -> Tensor {
        let storage = try allocate(byteCount: 4 * rows * columns, purpose: "widened elements")
        return Tensor(storage: storage, shape: [rows, columns], elementType: .float32)
    }

    /// Rounds float32 elements to those of a 16-bit tensor of the same shape.
    func round(_ wide: Tensor, into result: Tensor) {
        for row in 0..<result.rows {
            let source = unsafe wide.floats + row * wide.leadingDimension
            let destination = unsafe result.rows(row..<row + 1).address.assumingMemoryBound(to: UInt16.self)
            if result.elementType == .float16 {
                for i in 0..<result.columns { unsafe destination[i] = unsafe BlockDecoding.half(source[i]) }
            } else {
                for i in 0..<result.columns { unsafe destination[i] = unsafe BlockDecoding.bfloat16(source[i]) }
            }
        }
    }

    /// Runs `body` on a float32 result, which is rounded into `result` where that has 16 bits.
    func rounding(
        into result: Tensor, isUpdate: Bool = false, _ body: (Tensor) throws(ComputeError) -> Void
    ) throws(ComputeError) {
        guard result.elementType.isSixteenBits else { return try body(result) }
        let wide = try isUpdate ? widened(result) : wideTensor(result.rows, result.columns)
        try body(wide)
        round(wide, into: result)
    }
}

extension ElementType {
    /// Whether elements are float16 or bfloat16.
    var isSixteenBits: Bool { self == .float16 || self == .bfloat16 }
}

extension BlockDecoding {
    /// The nearest bfloat16, ties to even; a NaN stays one.
    @inline(__always)
    static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    /// The nearest float16, ties to even; what is too large becomes infinite, and a NaN stays one.
    @inline(__always)
    static func half(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let (sign, magnitude) = (UInt16(truncatingIfNeeded: bits >> 16 & 0x8000), bits & 0x7FFF_FFFF)
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
        // 65,520 lies halfway between the largest float16 and the next power of two.
        if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Subnormal: the sum with a half has the float16's bits at the end of its significand, rounded.
            let sum = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: sum.bitPattern &- Float(0.5).bitPattern)
        }
        // The exponent's bias changes from 127 to 15.
        let rounded = magnitude &+ 0xFFF &+ (magnitude >> 13 & 1) &- 0x3800_0000
        return sign | UInt16(truncatingIfNeeded: rounded >> 13)
    }
}
