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
            unsafe SixteenBitRounding.store(
                source, result.elementType, to: result.rows(row..<row + 1).address, count: result.columns)
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
