import Compute
import Tensors

/// Eigenvalues and singular values, judged by invariants and by matrices whose spectrum is known.
enum SpectrumCases {
    static let all: [ConformanceCase] = eigenCases + singularCases

    private static let eigenCases: [ConformanceCase] =
        [1, 2, 31, 33, 100].map { n in eigen("random n=\(n)", (0..<n).map { Double($0) - 7.5 }) } + [
            eigen("identity n=33", [Double](repeating: 1, count: 33)),
            eigen("repeated n=31", (0..<31).map { Double($0 / 8) }),
            eigen("rank 3 of 33", [Double](repeating: 0, count: 30) + [1, 1, 4]),
            eigen("zero n=31", [Double](repeating: 0, count: 31)),
            eigen("graded n=40", (0..<40).map { Double(sign: .plus, exponent: -$0, significand: 1) }.reversed()),
        ]

    /// A = Q·diag(values)·Qᵀ with the given ascending eigenvalues.
    private static func eigen(_ sizes: String, _ values: [Double]) -> ConformanceCase {
        ConformanceCase("symmetric_eigen", sizes) { trial throws(ComputeError) in
            let n = values.count
            let basis = orthogonal(n, n, &trial)
            let product = basis.times(.diagonal(values)).times(basis.transposed)
            let matrix = Matrix(n, n) { product[min($0, $1), max($0, $1)] }
            let a = try trial.written(Matrix(n, n) { $0 > $1 ? .nan : matrix[$0, $1] }, .float64)
            let got = try trial.device.symmetricEigen(a)
            let vectors = try trial.values(of: a)
            let norm = max(matrix.norm, Double.leastNormalMagnitude)
            let tolerance = Tolerance(.float64, roundings: 8, factor: 4, length: n)
            let scales = [Double](repeating: norm, count: n)
            trial.judgement.compare("eigenvalues", got, values, scales: scales, tolerance)
            trial.judgement.expect(got == got.sorted(), "the eigenvalues do not ascend")
            let unit = Matrix.diagonal([Double](repeating: 1, count: n))
            trial.judgement.compare(
                "V·Vᵀ", vectors.times(vectors.transposed).values, unit.values,
                scales: [Double](repeating: 1, count: n * n), tolerance)
            let scaled = Matrix(n, n) { got[$0] * vectors[$0, $1] }
            trial.judgement.compare(
                "V·A", vectors.times(matrix).values, scaled.values, scales: [Double](repeating: norm, count: n * n),
                tolerance)
        }
    }

    private static let singularCases: [ConformanceCase] = [
        (1, 1), (1, 31), (31, 1), (33, 31), (7, 100), (100, 7), (64, 64),
    ].flatMap { rows, columns in
        let count = min(rows, columns)
        let spectra: [(String, [Double])] = [
            ("distinct", (0..<count).map { Double(count - $0) }),
            ("repeated", (0..<count).map { Double(count / 8 - $0 / 8 + 1) }),
            ("rank deficient", (0..<count).map { $0 < (count + 1) / 2 ? 3 : 0 }),
            ("graded", (0..<count).map { Double(sign: .plus, exponent: -$0, significand: 1) }),
            ("zero", [Double](repeating: 0, count: count)),
        ]
        return spectra.flatMap { [singular($0, rows, columns, $1), decomposition($0, rows, columns, $1)] }
    }

    /// The factors are orthonormal, and their product with the values is the matrix.
    private static func decomposition(
        _ kind: String, _ rows: Int, _ columns: Int, _ values: [Double]
    ) -> ConformanceCase {
        ConformanceCase("singular_decomposition", "\(kind) rows=\(rows) columns=\(columns)") {
            trial throws(ComputeError) in
            let count = values.count
            let matrix = orthogonal(rows, count, &trial).times(.diagonal(values))
                .times(orthogonal(columns, count, &trial).transposed)
            let a = try trial.written(matrix, .float64)
            let got = try trial.device.singularDecomposition(a)
            let (left, right) = (try trial.values(of: got.left), try trial.values(of: got.right))
            let largest = max(values.first ?? 0, Double.leastNormalMagnitude)
            let tolerance = Tolerance(.float64, roundings: 8, factor: 4, length: rows + columns)
            trial.judgement.compare(
                "singular values", got.values, values, scales: [Double](repeating: largest, count: count), tolerance)
            let unit = Matrix.diagonal([Double](repeating: 1, count: count))
            let ones = [Double](repeating: 1, count: count * count)
            trial.judgement.compare(
                "Uᵀ·U", left.transposed.times(left).values, unit.values, scales: ones, tolerance)
            trial.judgement.compare(
                "Vᵀ·V", right.times(right.transposed).values, unit.values, scales: ones, tolerance)
            trial.judgement.compare(
                "U·Σ·Vᵀ", left.times(.diagonal(got.values)).times(right).values, matrix.values,
                scales: [Double](repeating: largest, count: rows * columns), tolerance)
        }
    }

    /// A = U·diag(values)·Vᵀ with the given descending singular values.
    private static func singular(_ kind: String, _ rows: Int, _ columns: Int, _ values: [Double]) -> ConformanceCase {
        ConformanceCase("singular_values", "\(kind) rows=\(rows) columns=\(columns)") { trial throws(ComputeError) in
            let left = orthogonal(rows, values.count, &trial)
            let right = orthogonal(columns, values.count, &trial)
            let matrix = left.times(.diagonal(values)).times(right.transposed)
            for isStrided in [true, false] {
                let got = try trial.device.singularValues(try trial.written(matrix, .float64, isStrided: isStrided))
                let largest = max(values.first ?? 0, Double.leastNormalMagnitude)
                trial.judgement.compare(
                    "singular values", got, values, scales: [Double](repeating: largest, count: values.count),
                    Tolerance(.float64, roundings: 8, factor: 4, length: rows + columns))
                trial.judgement.expect(got == got.sorted(by: >), "the singular values do not descend")
                trial.judgement.expect(got.allSatisfy { $0 >= 0 }, "a singular value is negative")
            }
        }
    }

    /// Orthonormal columns: those of the identity, reflected at three random planes.
    private static func orthogonal(_ rows: Int, _ columns: Int, _ trial: inout Trial) -> Matrix {
        var matrix = Matrix(rows, columns) { $0 == $1 ? 1 : 0 }
        for _ in 0..<3 {
            let normal = trial.matrix(rows, 1, .float64)
            let squares = normal.norm * normal.norm
            let projections = normal.transposed.times(matrix)
            matrix = Matrix(rows, columns) { row, column in
                matrix[row, column] - 2 * normal[row, 0] * projections[0, column] / squares
            }
        }
        return matrix
    }
}
