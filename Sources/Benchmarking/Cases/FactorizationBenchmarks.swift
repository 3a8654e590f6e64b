import Compute
import Conformance
import Tensors

/// The float64 solvers. They overwrite their operands, which are put back before each call, outside the clock.
enum FactorizationBenchmarks {
    static func all(_ scale: BenchmarkScale) -> [BenchmarkCase] {
        [
            cholesky(scale.cholesky), solveTriangular(scale.cholesky, transposes: false),
            solveTriangular(scale.cholesky, transposes: true), symmetricEigen(scale.eigen),
        ] + scale.singular.map { singularValues($0) }
    }

    /// n³/3 operations.
    private static func cholesky(_ n: Int) -> BenchmarkCase {
        BenchmarkCase(
            "cholesky_factor", "n=\(n)", .computing(cubed(n) / 3, in: .float64, bytes: 8 * n * n),
            byteCount: 2 * 8 * n * n
        ) { device, random throws(ComputeError) in
            let original = try Operand(device, n, n, positiveDefinite(n, &random))
            let (source, a) = (
                original.tensor, try device.makeTensor([n, n], .float64, for: "a benchmark")
            )
            try device.copy(source, to: a)
            return PreparedCall(
                run: { () throws(ComputeError) in _ = try device.choleskyFactor(a) },
                restore: { () throws(ComputeError) in try device.copy(source, to: a) }
            ) { judgement throws(ComputeError) in
                for i in Places.spread(n, 3) {
                    let left = Array(try device.doubles(of: a.rows(i..<i + 1))[...i])
                    for j in Places.spread(i + 1, 30) {
                        let right = try device.doubles(of: a.rows(j..<j + 1))[...j]
                        judgement.compare(
                            dot(Array(left[...j]), Array(right)).value, original[i, j],
                            scale: (original[i, i] * original[j, j]).squareRoot(),
                            Tolerance(.float64, roundings: 4, factor: 2, length: n), "(L·Lᵀ)[\(i), \(j)]")
                    }
                }
            }
        }
    }

    /// n² operations for each of n columns.
    private static func solveTriangular(_ n: Int, transposes: Bool) -> BenchmarkCase {
        BenchmarkCase(
            "solve_triangular", "n=\(n) columns=\(n) transposed=\(transposes)",
            .computing(cubed(n), in: .float64, bytes: 8 * (n * n / 2 + 2 * n * n)), byteCount: 3 * 8 * n * n
        ) { device, random throws(ComputeError) in
            let factor = try Operand(device, n, n, triangular(n, &random))
            let original = try Operand(device, n, n, .float64, &random)
            let (l, source) = (factor.tensor, original.tensor)
            let b = try device.makeTensor([n, n], .float64, for: "a benchmark")
            try device.copy(source, to: b)
            return PreparedCall(
                run: { () throws(ComputeError) in try device.solveTriangular(l, transposes: transposes, b) },
                restore: { () throws(ComputeError) in try device.copy(source, to: b) }
            ) { judgement throws(ComputeError) in
                for j in Places.spread(n, 7) {
                    let solution = try device.doubles(of: b.columns(j..<j + 1))
                    for i in Places.spread(n, 9) {
                        // Row i of L, or of its transpose; what stands above the diagonal is not read.
                        let coefficients = (0..<n).map { k in
                            transposes ? (k >= i ? factor[k, i] : 0) : (k <= i ? factor[i, k] : 0)
                        }
                        let product = dot(coefficients, solution)
                        judgement.compare(
                            product.value, original[i, j], scale: product.scale + abs(original[i, j]),
                            Tolerance(.float64, roundings: 4, factor: 2, length: n),
                            "the product with the solution [\(i), \(j)]")
                    }
                }
            }
        }
    }

    /// 4n³/3 operations of the reduction and 2n³ of the way back; those of the iteration between are not counted
    /// (Golub and Van Loan 2013, 8.3).
    private static func symmetricEigen(_ n: Int) -> BenchmarkCase {
        BenchmarkCase(
            "symmetric_eigen", "n=\(n)", .computing(10 * cubed(n) / 3, in: .float64, bytes: 2 * 8 * n * n),
            byteCount: 2 * 8 * n * n
        ) { device, random throws(ComputeError) in
            let values = (0..<n).map { _ in random.uniform() }
            let u = unitVector(n, &random)
            let original = try Operand(device, n, n, reflected(values, u, u))
            let (source, a) = (original.tensor, try device.makeTensor([n, n], .float64, for: "a benchmark"))
            try device.copy(source, to: a)
            let got = Answer()
            return PreparedCall(
                run: { () throws(ComputeError) in got.values = try device.symmetricEigen(a) },
                restore: { () throws(ComputeError) in try device.copy(source, to: a) }
            ) { judgement throws(ComputeError) in
                let eigenvalues = got.values
                compare(eigenvalues, values.sorted(), &judgement)
                guard eigenvalues.count == n else { return }
                for i in Places.spread(n, 3) {
                    let vector = try device.doubles(of: a.rows(i..<i + 1))
                    let tolerance = Tolerance(.float64, roundings: 8, factor: 4, length: n)
                    judgement.compare(dot(vector, vector).value, 1, scale: 1, tolerance, "‖vector \(i)‖²")
                    for row in 0..<n {
                        judgement.compare(
                            dot(original.row(row), vector).value, eigenvalues[i] * vector[row], scale: 1, tolerance,
                            "a·vector \(i) [\(row)]")
                    }
                }
            }
        }
    }

    /// 8n³/3 operations of the reduction; those of the iteration after it are not counted (Golub and Van Loan 2013, 8.6).
    private static func singularValues(_ n: Int) -> BenchmarkCase {
        BenchmarkCase(
            "singular_values", "n=\(n)", .computing(8 * cubed(n) / 3, in: .float64, bytes: 8 * n * n),
            byteCount: 2 * 8 * n * n
        ) { device, random throws(ComputeError) in
            let values = (0..<n).map { _ in abs(random.uniform()) }
            let (u, v) = (unitVector(n, &random), unitVector(n, &random))
            let original = try Operand(device, n, n, reflected(values, u, v))
            let (source, a) = (original.tensor, try device.makeTensor([n, n], .float64, for: "a benchmark"))
            try device.copy(source, to: a)
            let got = Answer()
            return PreparedCall(
                run: { () throws(ComputeError) in got.values = try device.singularValues(a) },
                restore: { () throws(ComputeError) in try device.copy(source, to: a) }
            ) { judgement throws(ComputeError) in compare(got.values, values.sorted(by: >), &judgement) }
        }
    }

    /// The matrix was made with these values, all of magnitude below 1.
    private static func compare(_ got: [Double], _ want: [Double], _ judgement: inout Judgement) {
        judgement.expect(got.count == want.count, "\(got.count) values, expected \(want.count)")
        let tolerance = Tolerance(.float64, roundings: 8, factor: 4, length: 2 * want.count)
        for (i, pair) in zip(got, want).enumerated() {
            judgement.compare(pair.0, pair.1, scale: 1, tolerance, "value \(i)")
        }
    }

    private static func cubed(_ n: Int) -> Double { Double(n) * Double(n) * Double(n) }
}
