import Compute
import Tensors

/// The smallest eigenvalue of a matrix whose triangular factor is known.
enum InverseIteration {
    /// λmin of L·Lᵀ, from above: the length that four steps find.
    ///
    /// - Parameter factor: L, (n, n) float64 without zeros on its diagonal; its lower triangle is read.
    static func smallestEigenvalue(factor: Tensor, device: Device) throws(ComputeError) -> Double {
        let vector = try device.makeTensor(
            Lanczos.startVector(factor.rows), [factor.rows, 1], for: "an inverse iteration")
        var length = try device.innerProduct(vector, vector).squareRoot()
        for _ in 0..<4 {
            let share = try device.makeTensor([1 / length], [1], for: "an inverse iteration")
            try device.scale(vector, rows: nil, columns: share)
            try device.solveTriangular(factor, transposes: false, vector)
            try device.solveTriangular(factor, transposes: true, vector)
            length = try device.innerProduct(vector, vector).squareRoot()
        }
        return 1 / length
    }
}
