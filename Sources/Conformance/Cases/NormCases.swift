import Compute
import Tensors

/// Root-mean-square normalization.
enum NormCases {
    static let all: [ConformanceCase] =
        [(1, 1), (33, 31), (33, 576), (5, 1000)].flatMap { rows, width in
            [1e-6, 1e15, 1e-20].map { rmsNorm(rows, width, size: $0, isInPlace: false, .float32) }
                + [rmsNorm(rows, width, size: 1, isInPlace: true, .float32)]
                + [ElementType.float16, .bfloat16].map { rmsNorm(rows, width, size: 1, isInPlace: false, $0) }
        }

    private static func rmsNorm(
        _ rows: Int, _ width: Int, size: Double, isInPlace: Bool, _ type: ElementType
    ) -> ConformanceCase {
        let sizes = "rows=\(rows) width=\(width) size=\(size) in place=\(isInPlace) \(type.rawValue)"
        return ConformanceCase("rms_norm", sizes) { trial throws(ComputeError) in
            var x = trial.matrix(rows, width, .float32, range: size)
            // A row of zeros must stay one.
            for column in 0..<width where rows > 1 { x[1, column] = 0 }
            let weight = trial.matrix(1, width, .float32)
            let epsilon: Float = 1e-5
            let operand = isInPlace ? try trial.written(x, .float32) : try trial.input(x, .float32)
            let result = isInPlace ? operand : try trial.output(rows, width, type)
            try trial.device.rmsNorm(
                operand, weight: try trial.input(weight, .float32), epsilon: epsilon, into: result)
            let want = Matrix(rows, width) { row, column in
                let squares = (0..<width).reduce(0.0) { $0 + x[row, $1] * x[row, $1] }
                return x[row, column] * weight[0, column] / (squares / Double(width) + Double(epsilon)).squareRoot()
            }
            // The square root halves the error of the sum; then a root, a quotient and two products.
            trial.judgement.compare(
                "result", try trial.values(of: result).values, want.values,
                scales: want.values.map { max(abs($0), Tolerance.leastScale(type)) },
                Tolerance(.float32, roundings: 4, factor: 1, length: width).rounded(to: type))
        }
    }
}
