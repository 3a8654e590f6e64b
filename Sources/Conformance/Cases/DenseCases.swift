import Compute
import Tensors

/// Float64 operations that touch every element once.
enum DenseCases {
    private static let shapes = [(1, 1), (31, 33), (100, 7), (3, 1000)]
    static let all: [ConformanceCase] =
        shapes.flatMap { [addOuterProduct($0, $1), scale($0, $1), innerProduct($0, $1), addScaled($0, $1)] }
        + [1, 31, 33, 100].flatMap { [mirrorUpperTriangle($0), diagonal($0), fillDiagonal($0), symmetricProduct($0)] }

    private static func addOuterProduct(_ m: Int, _ n: Int) -> ConformanceCase {
        ConformanceCase("add_outer_product", "m=\(m) n=\(n)") { trial throws(ComputeError) in
            let (x, y) = (trial.matrix(1, m, .float64), trial.matrix(1, n, .float64))
            let old = trial.matrix(m, n, .float64)
            let a = try trial.written(old, .float64)
            try trial.device.addOuterProduct(
                try trial.input(x, .float64), try trial.input(y, .float64), scale: -2.5, to: a)
            let want = Matrix(m, n) { old[$0, $1] - 2.5 * x[0, $0] * y[0, $1] }
            let scales = Matrix(m, n) { abs(old[$0, $1]) + abs(2.5 * x[0, $0] * y[0, $1]) }
            trial.judgement.compare(
                "a", try trial.values(of: a).values, want.values, scales: scales.values,
                Tolerance(.float64, roundings: 4))
        }
    }

    private static func scale(_ m: Int, _ n: Int) -> ConformanceCase {
        ConformanceCase("scale", "m=\(m) n=\(n)") { trial throws(ComputeError) in
            let (rows, columns) = (trial.matrix(1, m, .float64), trial.matrix(1, n, .float64))
            let old = trial.matrix(m, n, .float64)
            let (rowFactors, columnFactors) = (try trial.input(rows, .float64), try trial.input(columns, .float64))
            for (usesRows, usesColumns) in [(true, true), (true, false), (false, true), (false, false)] {
                let a = try trial.written(old, .float64)
                try trial.device.scale(
                    a, rows: usesRows ? rowFactors : nil, columns: usesColumns ? columnFactors : nil)
                let want = Matrix(m, n) { row, column in
                    old[row, column] * (usesRows ? rows[0, row] : 1) * (usesColumns ? columns[0, column] : 1)
                }
                trial.judgement.compare(
                    "a", try trial.values(of: a).values, want.values, scales: want.values.map(abs),
                    Tolerance(.float64, roundings: usesRows && usesColumns ? 2 : 0))
            }
        }
    }

    private static func innerProduct(_ m: Int, _ n: Int) -> ConformanceCase {
        ConformanceCase("inner_product", "m=\(m) n=\(n)") { trial throws(ComputeError) in
            let (a, b) = (trial.matrix(m, n, .float64), trial.matrix(m, n, .float64))
            let got = try trial.device.innerProduct(
                try trial.input(a, .float64, isStrided: false), try trial.input(b, .float64, isStrided: false))
            let products = a.combined(b, *)
            trial.judgement.compare(
                got, products.values.reduce(0, +), scale: products.values.reduce(0) { $0 + abs($1) },
                Tolerance(.float64, roundings: 2, factor: 2, length: m * n), "the inner product")
        }
    }

    private static func addScaled(_ m: Int, _ n: Int) -> ConformanceCase {
        ConformanceCase("add_scaled", "m=\(m) n=\(n)") { trial throws(ComputeError) in
            let (x, old) = (trial.matrix(m, n, .float64), trial.matrix(m, n, .float64))
            let y = try trial.written(old, .float64, isStrided: false)
            try trial.device.addScaled(try trial.input(x, .float64, isStrided: false), scale: -0.3, to: y)
            let want = x.combined(old) { $1 - 0.3 * $0 }
            let scales = x.combined(old) { abs($1) + abs(0.3 * $0) }
            trial.judgement.compare(
                "y", try trial.values(of: y).values, want.values, scales: scales.values,
                Tolerance(.float64, roundings: 2))
        }
    }

    private static func mirrorUpperTriangle(_ n: Int) -> ConformanceCase {
        ConformanceCase("mirror_upper_triangle", "n=\(n)") { trial throws(ComputeError) in
            let upper = trial.matrix(n, n, .float64)
            let a = try trial.written(Matrix(n, n) { $0 > $1 ? .nan : upper[$0, $1] }, .float64)
            try trial.device.mirrorUpperTriangle(a)
            let want = Matrix(n, n) { upper[min($0, $1), max($0, $1)] }
            trial.judgement.compareExactly("a", try trial.values(of: a).values, want.values)
        }
    }

    private static func diagonal(_ n: Int) -> ConformanceCase {
        ConformanceCase("diagonal", "n=\(n)") { trial throws(ComputeError) in
            let a = trial.matrix(n, n, .float64)
            for isStrided in [true, false] {
                let got = try trial.device.diagonal(of: try trial.input(a, .float64, isStrided: isStrided))
                trial.judgement.compareExactly("the diagonal", got, (0..<n).map { a[$0, $0] })
            }
        }
    }

    private static func fillDiagonal(_ n: Int) -> ConformanceCase {
        ConformanceCase("fill_diagonal", "n=\(n)") { trial throws(ComputeError) in
            let old = trial.matrix(n, n, .float64)
            let a = try trial.written(old, .float64)
            try trial.device.fillDiagonal(of: a, with: 0.1)
            let want = Matrix(n, n) { $0 == $1 ? 0.1 : old[$0, $1] }
            trial.judgement.compareExactly("a", try trial.values(of: a).values, want.values)
        }
    }

    /// The lower triangle is NaN: only the upper one may be read.
    private static func symmetricProduct(_ n: Int) -> ConformanceCase {
        ConformanceCase("symmetric_product", "n=\(n)") { trial throws(ComputeError) in
            let (upper, x) = (trial.matrix(n, n, .float64), trial.matrix(n, 1, .float64))
            let symmetric = Matrix(n, n) { upper[min($0, $1), max($0, $1)] }
            let y = try trial.output(1, n, .float64)
            try trial.device.symmetricProduct(
                try trial.input(Matrix(n, n) { $0 > $1 ? .nan : upper[$0, $1] }, .float64),
                try trial.input(x.transposed, .float64), into: y)
            trial.judgement.compare(
                "y", try trial.values(of: y).values, symmetric.times(x).values,
                scales: symmetric.magnitudes.times(x.magnitudes).values,
                Tolerance(.float64, roundings: 2, factor: 2, length: n))
        }
    }
}
