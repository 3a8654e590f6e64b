import Compute
import Tensors

/// Copies and zeros between views.
enum MemoryCases {
    static let all: [ConformanceCase] = [ElementType.float32, .float64, .float16, .bfloat16].flatMap { type in
        [(1, 1), (33, 31), (5, 1000)].flatMap { rows, columns in
            [copy(rows, columns, type), fillZero(rows, columns, type)]
        }
    }

    private static func copy(_ rows: Int, _ columns: Int, _ type: ElementType) -> ConformanceCase {
        ConformanceCase("copy", "\(type.rawValue) rows=\(rows) width=\(columns)") { trial throws(ComputeError) in
            let want = trial.matrix(rows, columns, type)
            for (fromStrided, toStrided) in [(true, true), (true, false), (false, true), (false, false)] {
                let result = try trial.output(rows, columns, type, isStrided: toStrided)
                try trial.device.copy(try trial.input(want, type, isStrided: fromStrided), to: result)
                trial.judgement.compareExactly("result", try trial.values(of: result).values, want.values)
            }
        }
    }

    private static func fillZero(_ rows: Int, _ columns: Int, _ type: ElementType) -> ConformanceCase {
        ConformanceCase("fill_zero", "\(type.rawValue) rows=\(rows) width=\(columns)") { trial throws(ComputeError) in
            for isStrided in [false, true] {
                let result = try trial.output(rows, columns, type, isStrided: isStrided)
                try trial.device.fillZero(result)
                let want = Matrix.zeros(rows, columns)
                trial.judgement.compareExactly("result", try trial.values(of: result).values, want.values)
            }
        }
    }
}
