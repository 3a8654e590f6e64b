import Compute
import Tensors

/// Rotary embeddings of whole and partly rotated heads, in both layouts.
enum RotationCases {
    static let all: [ConformanceCase] = [ElementType.float32, .float16, .bfloat16].flatMap { type in
        [RotaryLayout.halves, .interleaved].flatMap { layout in
            [
                (1, 1, 2, 1, 1), (33, 9, 64, 32, 1), (7, 3, 80, 16, 1), (5, 2, 31, 15, 1), (31, 1, 33, 1, 1),
                (33, 9, 64, 32, 8), (7, 5, 80, 16, 8), (3, 4, 72, 12, 8), (3, 17, 128, 64, 8),
            ].map { rows, heads, width, pairs, alignment in
                rotate(rows, heads, width, pairs, alignment: alignment, layout, type)
            }
        }
    }

    private static func rotate(
        _ rows: Int, _ heads: Int, _ width: Int, _ pairs: Int, alignment: Int, _ layout: RotaryLayout,
        _ type: ElementType
    ) -> ConformanceCase {
        let sizes =
            "\(layout) \(type.rawValue) rows=\(rows) heads=\(heads)x\(width) pairs=\(pairs) aligned=\(alignment)"
        return ConformanceCase("rotate", sizes) { trial throws(ComputeError) in
            let x = trial.matrix(rows, heads * width, type)
            let (cosines, sines) = (trial.matrix(101, pairs, .float32), trial.matrix(101, pairs, .float32))
            let positions = (0..<rows).map { _ in Int32(trial.random.index(101)) }
            let result = try trial.written(x, type, alignment: alignment)
            try trial.device.rotate(
                result, cosines: try trial.input(cosines, .float32, alignment: alignment),
                sines: try trial.input(sines, .float32, alignment: alignment),
                positions: positions, headWidth: width, layout: layout)
            var (want, scales) = (x, Matrix.zeros(rows, x.columns))
            for row in 0..<rows {
                for head in 0..<heads {
                    for pair in 0..<pairs {
                        let first = head * width + (layout == .halves ? pair : 2 * pair)
                        let second = first + (layout == .halves ? pairs : 1)
                        let (a, b) = (x[row, first], x[row, second])
                        let (c, s) = (cosines[Int(positions[row]), pair], sines[Int(positions[row]), pair])
                        (want[row, first], want[row, second]) = (a * c - b * s, b * c + a * s)
                        scales[row, first] = abs(a * c) + abs(b * s) + Tolerance.leastScale(type)
                        scales[row, second] = abs(b * c) + abs(a * s) + Tolerance.leastScale(type)
                    }
                }
            }
            // Two products and a sum. Elements that are not rotated have the scale 0: they must not change at all.
            trial.judgement.compare(
                "x", try trial.values(of: result).values, want.values, scales: scales.values,
                Tolerance(.float32, roundings: 2).rounded(to: type))
        }
    }
}
