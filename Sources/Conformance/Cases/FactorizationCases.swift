import Compute
import Tensors

/// Cholesky factors and triangular systems, judged by what they must satisfy.
enum FactorizationCases {
    static let all: [ConformanceCase] =
        [1, 2, 31, 33, 100, 193].map(choleskyFactor) + [1, 5, 32, 33, 100].map(indefinite)
        + [rankDeficient]
        + [(1, 1), (31, 7), (33, 1), (100, 33), (7, 1000)].flatMap { n, m in
            [solveTriangular(n, m, transposes: false), solveTriangular(n, m, transposes: true)]
        }

    /// L·Lᵀ = A. The upper triangle is NaN, is not read, and stays.
    private static func choleskyFactor(_ n: Int) -> ConformanceCase {
        ConformanceCase("cholesky_factor", "n=\(n)") { trial throws(ComputeError) in
            let root = trial.matrix(n, n + 3, .float64)
            let matrix = root.times(root.transposed)
            let a = try trial.written(Matrix(n, n) { $0 < $1 ? .nan : matrix[$0, $1] }, .float64)
            let order = try trial.device.choleskyFactor(a)
            trial.judgement.expect(order == 0, "a positive definite matrix failed at order \(order)")
            let got = try trial.values(of: a)
            trial.judgement.expect(
                (0..<n).allSatisfy { row in (row + 1..<n).allSatisfy { got[row, $0].isNaN } },
                "the upper triangle was written")
            let factor = Matrix(n, n) { $0 < $1 ? 0 : got[$0, $1] }
            let product = factor.times(factor.transposed)
            let scales = Matrix(n, n) { (matrix[$0, $0] * matrix[$1, $1]).squareRoot() }
            trial.judgement.compare(
                "L·Lᵀ", product.values, matrix.values, scales: scales.values,
                Tolerance(.float64, roundings: 4, factor: 2, length: n))
        }
    }

    /// The identity with one negative pivot: its order is what comes back.
    private static func indefinite(_ order: Int) -> ConformanceCase {
        ConformanceCase("cholesky_factor", "indefinite at order \(order)") { trial throws(ComputeError) in
            let n = order + 40
            let a = try trial.written(Matrix.diagonal((1...n).map { $0 == order ? -1 : 1 }), .float64)
            let got = try trial.device.choleskyFactor(a)
            trial.judgement.expect(got == order, "order \(got) came back instead of \(order)")
        }
    }

    /// All ones: the second pivot is exactly 0.
    private static let rankDeficient = ConformanceCase("cholesky_factor", "rank 1 of 33") {
        trial throws(ComputeError) in
        let a = try trial.written(Matrix(33, 33) { _, _ in 1 }, .float64)
        let got = try trial.device.choleskyFactor(a)
        trial.judgement.expect(got == 2, "order \(got) came back instead of 2")
    }

    /// The residual of L·x = b or Lᵀ·x = b, against |L|·|x|. The upper triangle of L is NaN, and is not read.
    private static func solveTriangular(_ n: Int, _ m: Int, transposes: Bool) -> ConformanceCase {
        ConformanceCase("solve_triangular", "n=\(n) m=\(m) transposed=\(transposes)") { trial throws(ComputeError) in
            let (elements, b) = (trial.matrix(n, n, .float64), trial.matrix(n, m, .float64))
            let factor = Matrix(n, n) { row, column in
                row < column ? .nan : elements[row, column] + (row == column ? 4 : 0)
            }
            let x = try trial.written(b, .float64)
            try trial.device.solveTriangular(try trial.input(factor, .float64), transposes: transposes, x)
            let lower = Matrix(n, n) { $0 < $1 ? 0 : factor[$0, $1] }
            let matrix = transposes ? lower.transposed : lower
            let got = try trial.values(of: x)
            let scales = matrix.magnitudes.times(got.magnitudes).combined(b) { $0 + abs($1) }
            trial.judgement.compare(
                "the product with the solution", matrix.times(got).values, b.values, scales: scales.values,
                Tolerance(.float64, roundings: 4, factor: 2, length: n))
        }
    }
}
