import Compute
import Tensors

/// Cholesky factors and triangular systems, judged by what they must satisfy.
enum FactorizationCases {
    static let all: [ConformanceCase] =
        [1, 2, 31, 33, 100, 193].map(choleskyFactor) + [1, 5, 32, 33, 100].map(indefinite)
        + [rankDeficient]
        + [(1, 1), (1, 7), (31, 1), (33, 100), (31, 600), (100, 33), (193, 513)].flatMap { n, m in
            [triangularUpdate(n, m, transposes: false), triangularUpdate(n, m, transposes: true)]
        } + [smallSingularValue] + [(1, 1), (1, 33), (31, 1), (33, 100)].map(transpose)
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

    /// L'·L'ᵀ = L·Lᵀ + rowsᵀ·rows. The upper triangle of L is NaN, is not read, and stays.
    private static func triangularUpdate(_ n: Int, _ m: Int, transposes: Bool) -> ConformanceCase {
        ConformanceCase("update_triangular_factor", "n=\(n) rows=\(m) transposed=\(transposes)") {
            trial throws(ComputeError) in
            let (elements, rows) = (trial.matrix(n, n, .float64), trial.matrix(m, n, .float64))
            let old = Matrix(n, n) { $0 < $1 ? 0 : elements[$0, $1] }
            let factor = try trial.written(Matrix(n, n) { $0 < $1 ? .nan : elements[$0, $1] }, .float64)
            try trial.device.updateTriangularFactor(
                factor, with: try trial.written(transposes ? rows.transposed : rows, .float64),
                transposesRows: transposes)
            let got = try trial.values(of: factor)
            trial.judgement.expect(
                (0..<n).allSatisfy { row in (row + 1..<n).allSatisfy { got[row, $0].isNaN } },
                "the upper triangle was written")
            let new = Matrix(n, n) { $0 < $1 ? 0 : got[$0, $1] }
            let want = old.times(old.transposed).combined(rows.transposed.times(rows), +)
            let scales = Matrix(n, n) { (want[$0, $0] * want[$1, $1]).squareRoot() }
            trial.judgement.compare(
                "L·Lᵀ", new.times(new.transposed).values, want.values, scales: scales.values,
                Tolerance(.float64, roundings: 8, factor: 4, length: n + m))
        }
    }

    private static func transpose(_ rows: Int, _ columns: Int) -> ConformanceCase {
        ConformanceCase("transpose", "rows=\(rows) columns=\(columns)") { trial throws(ComputeError) in
            let a = trial.matrix(rows, columns, .float64)
            let result = try trial.output(columns, rows, .float64)
            try trial.device.transpose(try trial.input(a, .float64), into: result)
            trial.judgement.compareExactly("result", try trial.values(of: result).values, a.transposed.values)
        }
    }

    /// Two columns that differ by 2⁻⁴⁰ in one row of sixteen: squared, that is lost.
    private static let smallSingularValue = ConformanceCase("update_triangular_factor", "columns that differ by 2⁻⁴⁰") {
        trial throws(ComputeError) in
        let difference = 0x1p-40
        let rows = Matrix(16, 2) { $0 == 3 && $1 == 1 ? 1 + difference : 1 }
        let factor = try trial.written(Matrix(2, 2) { _, _ in 0 }, .float64)
        try trial.device.updateTriangularFactor(factor, with: try trial.written(rows, .float64))
        let got = try trial.values(of: factor)
        // What is left of the second column without its share of the first.
        let want = difference * (15.0 / 16).squareRoot()
        trial.judgement.compare(
            abs(got[1, 1]), want, scale: want, Tolerance(.float64, roundings: 16 / difference), "the last pivot")
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
