package import Tensors

extension HostBackend {
    package func convert(_ x: Tensor, into result: Tensor) throws(ComputeError) {
        try rounding(into: result) { wide in copy(x, to: wide) }
    }

    package func clamp(_ x: Tensor, to limit: Float) throws(ComputeError) {
        try rounding(into: x, isUpdate: true) { wide throws(ComputeError) in
            for row in 0..<wide.rows {
                let elements = unsafe wide.floats + row * wide.leadingDimension
                for i in 0..<wide.columns {
                    // Written so that a NaN stays one.
                    let value = unsafe elements[i]
                    unsafe elements[i] = value < -limit ? -limit : value > limit ? limit : value
                }
            }
        }
    }
}
