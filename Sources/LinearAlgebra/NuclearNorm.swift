import Compute
import Tensors
import Glibc

/// The sum of the singular values of a square matrix.
enum NuclearNorm {
    /// ‖a‖_*, by singular values, or by a polar iteration where the device prefers matrix products.
    ///
    /// - Parameter a: (n, n) float64; overwritten.
    static func of(_ a: Tensor, _ device: Device) throws(ComputeError) -> Double {
        device.prefersProducts ? try byPolarIteration(a, device) : try device.singularValues(a).reduce(0, +)
    }

    /// Singular values below this share of the largest may be left out of the sum.
    private static let smallestShare = 1e-9

    /// ‖a‖_* = ⟨Q, a⟩ with the orthogonal polar factor Q of a, by the dynamically weighted Halley iteration (Nakatsukasa,
    /// Bai and Gygi 2010) in its form with Cholesky factors:
    ///
    ///     Q ← (b/c)·Q + (a - b/c)·(I + c·Q·Qᵀ)⁻¹·Q
    ///
    /// Every step takes the smallest singular value nearer to 1 by a known amount, so that six steps are enough. An error of
    /// Q enters the inner product squared.
    ///
    /// - Parameter matrix: (n, n) float64; overwritten.
    static func byPolarIteration(_ matrix: Tensor, _ device: Device) throws(ComputeError) -> Double {
        let norm = try device.innerProduct(matrix, matrix).squareRoot()
        guard norm.isFinite else {
            throw .routine(name: "the polar iteration", code: 0, meaning: "the squares of its matrix are not finite")
        }
        if norm == 0 { return 0 }
        let factor = try device.makeTensor(matrix.shape, .float64, for: "a polar factor")
        try device.copy(matrix, to: factor)
        // The largest singular value is at most the Frobenius norm, and at least a √n-th of it.
        let shrinkage = try device.makeTensor(
            [Double](repeating: 1 / norm, count: matrix.rows), [matrix.rows], for: "a norm")
        try device.scale(factor, rows: shrinkage, columns: nil)
        let weights = try device.makeTensor(matrix.shape, .float64, for: "a polar iteration")
        let solved = try device.makeTensor(matrix.shape, .float64, for: "a polar iteration")
        var smallest = smallestShare / Double(matrix.rows).squareRoot()
        while 1 - smallest > 1e-8 {
            let (a, b, c) = coefficients(smallest)
            try device.fillZero(weights)
            try device.fillDiagonal(of: weights, with: 1)
            try device.product(factor, factor, transposesB: true, scale: c, accumulates: true, into: weights)
            guard try device.choleskyFactor(weights) == 0 else {
                throw .routine(name: "the polar iteration", code: 0, meaning: "a matrix was not positive definite")
            }
            try device.copy(factor, to: solved)
            try device.solveTriangular(weights, transposes: false, solved)
            try device.solveTriangular(weights, transposes: true, solved)
            try device.combine(factor, b / c, solved, a - b / c)
            smallest = min(1, smallest * (a + b * smallest * smallest) / (1 + c * smallest * smallest))
        }
        return try device.innerProduct(factor, matrix)
    }

    /// The weights of a step, of singular values in smallest...1.
    private static func coefficients(_ smallest: Double) -> (a: Double, b: Double, c: Double) {
        let square = smallest * smallest
        let d = cbrt(4 * (1 - square) / (square * square))
        let root = (1 + d).squareRoot()
        let a = root + (8 - 4 * d + 8 * (2 - square) / (square * root)).squareRoot() / 2
        let b = (a - 1) * (a - 1) / 4
        return (a, b, a + b - 1)
    }
}

extension Device {
    /// x ← first·x + second·y.
    fileprivate func combine(_ x: Tensor, _ first: Double, _ y: Tensor, _ second: Double) throws(ComputeError) {
        try addScaled(x, scale: first - 1, to: x)
        try addScaled(y, scale: second, to: x)
    }
}
