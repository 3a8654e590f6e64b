import Compute
import Tensors

/// Rounding to another type, and bounds: each is one exact value.
enum ConversionCases {
    static let all: [ConformanceCase] = [(1, 1, 1), (33, 31, 1), (5, 1000, 1), (5, 1000, 8)].flatMap {
        rows, width, alignment in
        [ElementType.float32, .float16, .bfloat16].flatMap {
            [convert(rows, width, alignment: alignment, $0), clamp(rows, width, alignment: alignment, $0)]
        }
    }

    private static func convert(
        _ rows: Int, _ width: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        ConformanceCase("convert", "rows=\(rows) width=\(width) aligned=\(alignment) \(type.rawValue)") {
            trial throws(ComputeError) in
            let x = special(trial.matrix(rows, width, .float32, range: 100))
            let result = try trial.output(rows, width, type, alignment: alignment)
            try trial.device.convert(try trial.input(x, .float32, alignment: alignment), into: result)
            let want = x.values.map { SixteenBitFloat(type)?.rounded($0) ?? $0 }
            trial.judgement.compareExactly("result", try trial.values(of: result).values, want)
        }
    }

    private static func clamp(
        _ rows: Int, _ width: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        ConformanceCase("clamp", "rows=\(rows) width=\(width) aligned=\(alignment) \(type.rawValue)") {
            trial throws(ComputeError) in
            let x = special(trial.matrix(rows, width, type, range: 3))
            let result = try trial.written(x, type, alignment: alignment)
            try trial.device.clamp(result, to: 1.5)
            let want = x.values.map { $0.isNaN ? $0 : min(max($0, -1.5), 1.5) }
            trial.judgement.compareExactly("x", try trial.values(of: result).values, want)
        }
    }

    /// With both infinities and a NaN among the elements, where there is room.
    private static func special(_ matrix: Matrix) -> Matrix {
        Matrix(matrix.rows, matrix.columns) { row, column in
            switch row * matrix.columns + column {
            case 3: .infinity
            case 7: -.infinity
            case 11: .nan
            default: matrix[row, column]
            }
        }
    }
}
