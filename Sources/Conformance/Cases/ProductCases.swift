import Compute
import Tensors

/// Matrix products of every type, every transposition, strided operands, with and without a sum to add to.
enum ProductCases {
    static let all: [ConformanceCase] = {
        let types: [(ElementType, ElementType)] = [
            (.float32, .float32), (.float64, .float64), (.float16, .float16), (.float16, .float32),
            (.bfloat16, .bfloat16), (.bfloat16, .float32),
        ]
        let sizes = [(1, 1, 1), (33, 31, 1000), (31, 1000, 33), (1, 33, 577), (100, 7, 1), (3, 5, 0)]
        return types.flatMap { type, resultType in
            sizes.flatMap { m, n, k in
                [(false, false), (true, false), (false, true), (true, true)].map { transposes in
                    product(type, resultType, m, n, k, transposesA: transposes.0, transposesB: transposes.1)
                }
            }
        }
    }()

    private static func product(
        _ type: ElementType, _ resultType: ElementType, _ m: Int, _ n: Int, _ k: Int, transposesA: Bool,
        transposesB: Bool
    ) -> ConformanceCase {
        let sizes =
            "\(type.rawValue) to \(resultType.rawValue) m=\(m) n=\(n) k=\(k) transposed=\(transposesA),\(transposesB)"
        return ConformanceCase("product", sizes) { trial throws(ComputeError) in
            let (a, b) = (trial.matrix(m, k, type), trial.matrix(k, n, type))
            let (product, magnitudes) = (a.times(b), a.magnitudes.times(b.magnitudes))
            for (accumulates, isStrided, scale) in [(false, true, 1.0), (true, true, -1.25), (false, false, 0.5)] {
                let old = trial.matrix(m, n, resultType)
                let result =
                    accumulates
                    ? try trial.written(old, resultType) : try trial.output(m, n, resultType, isStrided: isStrided)
                try trial.device.product(
                    try trial.input(transposesA ? a.transposed : a, type, isStrided: isStrided),
                    try trial.input(transposesB ? b.transposed : b, type, isStrided: isStrided),
                    transposesA: transposesA, transposesB: transposesB, scale: scale, accumulates: accumulates,
                    into: result)
                let want = product.combined(old) { accumulates ? scale * $0 + $1 : scale * $0 }
                let scales = magnitudes.combined(old) {
                    abs(scale) * $0 + (accumulates ? abs($1) : 0) + Tolerance.leastScale(resultType)
                }
                // The products, the scale, the sum and the result are rounded; Double's judge errs as much again.
                trial.judgement.compare(
                    "result", try trial.values(of: result).values, want.values, scales: scales.values,
                    Tolerance(
                        type == .float64 ? .float64 : .float32, roundings: 4, factor: type == .float64 ? 2 : 1,
                        length: k
                    ).rounded(to: resultType))
            }
        }
    }
}
