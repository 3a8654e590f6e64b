import Compute
import Tensors

/// One addition or subtraction an element: rounded once, and so the same bits everywhere.
enum ElementwiseCases {
    static let all: [ConformanceCase] =
        extents.flatMap(sums)
        + [ElementType.float32, .float64, .float16, .bfloat16].flatMap { type in
            [(1, 1, 1), (33, 31, 1), (300, 8, 1), (300, 8, 8), (5, 1000, 1), (5, 1000, 8), (3, 2056, 8)].map {
                firstNonFiniteRow($0, $1, alignment: $2, type)
            }
        }

    /// Rows, columns, and what the places of rows are multiples of.
    private static let extents = [(1, 1, 1), (33, 31, 1), (5, 1000, 1), (7, 33, 8), (5, 1000, 8), (3, 2056, 8)]

    private static func sums(_ rows: Int, _ width: Int, alignment: Int) -> [ConformanceCase] {
        [ElementType.float32, .float16, .bfloat16].map { addBias(rows, width, alignment: alignment, $0) } + [
            sum(rows, width, alignment: alignment, isDifference: false),
            sum(rows, width, alignment: alignment, isDifference: true), scale(rows, width, alignment: alignment),
        ]
    }

    private static func addBias(
        _ rows: Int, _ width: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        ConformanceCase("add_bias", "rows=\(rows) width=\(width) aligned=\(alignment) \(type.rawValue)") {
            trial throws(ComputeError) in
            let (x, bias) = (trial.matrix(rows, width, type), trial.matrix(1, width, .float32, range: 100))
            let result = try trial.written(x, type, alignment: alignment)
            try trial.device.addBias(try trial.input(bias, .float32, alignment: alignment), to: result)
            // A float32 sum, and of sixteen bits what it is rounded to.
            let want = Matrix(rows, width) {
                let sum = Double(Float(x[$0, $1] + bias[0, $1]))
                return SixteenBitFloat(type)?.rounded(sum) ?? sum
            }
            trial.judgement.compareExactly("x", try trial.values(of: result).values, want.values)
        }
    }

    private static func sum(_ rows: Int, _ width: Int, alignment: Int, isDifference: Bool) -> ConformanceCase {
        let name = isDifference ? "subtract" : "add"
        return ConformanceCase(name, "rows=\(rows) width=\(width) aligned=\(alignment)") { trial throws(ComputeError) in
            let (a, b) = (trial.matrix(rows, width, .float32), trial.matrix(rows, width, .float32, range: 1e-3))
            let want = a.combined(b) { Double(Float(isDifference ? $0 - $1 : $0 + $1)) }
            let (left, right) = (
                try trial.input(a, .float32, alignment: alignment), try trial.input(b, .float32, alignment: alignment)
            )
            let inPlaceOfLeft = try trial.written(a, .float32, alignment: alignment)
            let inPlaceOfRight = try trial.written(b, .float32, alignment: alignment)
            let other = try trial.output(rows, width, .float32, isStrided: false)
            for (first, second, result) in [
                (left, right, other), (inPlaceOfLeft, right, inPlaceOfLeft), (left, inPlaceOfRight, inPlaceOfRight),
            ] {
                if isDifference {
                    try trial.device.subtract(first, second, into: result)
                } else {
                    try trial.device.add(first, second, into: result)
                }
                trial.judgement.compareExactly("result", try trial.values(of: result).values, want.values)
            }
        }
    }

    private static func scale(_ rows: Int, _ width: Int, alignment: Int) -> ConformanceCase {
        ConformanceCase("scale_elements", "rows=\(rows) width=\(width) aligned=\(alignment)") {
            trial throws(ComputeError) in
            let x = trial.matrix(rows, width, .float32)
            for factor: Float in [-0.7, 3e38, 0] {
                for isStrided in [false, true] {
                    let result = try trial.written(x, .float32, isStrided: isStrided, alignment: alignment)
                    try trial.device.scale(result, by: factor)
                    let want = x.values.map { Double(Float($0 * Double(factor))) }
                    trial.judgement.compareExactly("x", try trial.values(of: result).values, want)
                }
            }
        }
    }

    /// NaN stands all around the matrix, and must not be found there.
    private static func firstNonFiniteRow(
        _ rows: Int, _ width: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        ConformanceCase("first_non_finite_row", "rows=\(rows) width=\(width) aligned=\(alignment) \(type.rawValue)") {
            trial throws(ComputeError) in
            // Finite, but their sum is not.
            let largest = largestNumber(type)
            var x = Matrix(rows, width) { _, _ in largest }
            let nothing = try trial.device.firstNonFiniteRow(try trial.input(x, type, alignment: alignment))
            trial.judgement.expect(nothing == nil, "row \(nothing ?? 0) was found where all are finite")
            for (row, column, value) in [
                (rows - 1, width - 1, Double.nan), (rows / 2, 0, -.infinity), (rows / 3, width / 2, .infinity),
            ] {
                x[row, column] = value
                let found = try trial.device.firstNonFiniteRow(try trial.input(x, type, alignment: alignment))
                trial.judgement.expect(found == row, "\(found ?? -1) was found instead of row \(row)")
            }
        }
    }

    private static func largestNumber(_ type: ElementType) -> Double {
        switch type {
        case .float64: .greatestFiniteMagnitude
        case .float16: 65504
        case .bfloat16: 0x1.FEp127
        default: Double(Float.greatestFiniteMagnitude)
        }
    }
}
