package import Tensors

extension HostBackend {
    /// Rows of one task.
    private static let softmaxTaskRowCount = 8

    package func softmax(_ x: Tensor, into result: Tensor) {
        let taskRowCount = HostBackend.softmaxTaskRowCount
        lanes((x.rows + taskRowCount - 1) / taskRowCount) { task, _ in
            for row in task * taskRowCount..<min((task + 1) * taskRowCount, x.rows) {
                let input = unsafe x.floats + row * x.leadingDimension
                let output = unsafe result.floats + row * result.leadingDimension
                unsafe softmax(of: input, x.columns, into: output)
            }
        }
    }

    private func softmax(of logits: UnsafePointer<Float>, _ count: Int, into result: UnsafeMutablePointer<Float>) {
        let (maximum, isNumber) = unsafe largest(logits, count)
        guard isNumber, maximum.isFinite else {
            for i in 0..<count { unsafe result[i] = .nan }
            return
        }
        var sums = SIMD4<Double>.zero
        unsafe Loops.forEachVector(logits, count, padding: -.infinity) { vector, offset in
            let x = vector - maximum
            // What products with the others would bring below the smallest normal number is slow, and not seen.
            let values = exponential(x).replacing(with: 0, where: x .< -60)
            sums += SIMD4<Double>(values)
            unsafe Loops.store(values, to: result + offset, atMost: count - offset)
        }
        let factor = Float(1 / sums.sum())
        unsafe Loops.replaceEachVector(result, count) { vector, _ in vector * factor }
    }
}
