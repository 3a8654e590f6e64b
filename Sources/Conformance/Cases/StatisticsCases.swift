import Compute
import Tensors

/// Norms and inner products of single rows.
enum StatisticsCases {
    static let all: [ConformanceCase] = [(1, 1), (33, 31), (300, 33), (5, 1000)].flatMap { rows, width in
        [1e-30, 1, 1e30].map { rowStatistics(rows, width, range: $0) }
    }

    private static func rowStatistics(_ rows: Int, _ width: Int, range: Double) -> ConformanceCase {
        ConformanceCase("row_statistics", "rows=\(rows) width=\(width) range=\(range)") { trial throws(ComputeError) in
            let x = trial.matrix(rows, width, .float32, range: range)
            let y = trial.matrix(rows, width, .float32, range: range)
            let result = try trial.output(rows, 4, .float64)
            try trial.device.rowStatistics(try trial.input(x, .float32), try trial.input(y, .float32), into: result)
            let got = try trial.values(of: result)
            let tolerance = Tolerance(.float64, roundings: 4, factor: 2, length: width)
            for row in 0..<rows {
                var (squares, inner, scale) = ([0.0, 0, 0], 0.0, 0.0)
                for i in 0..<width {
                    let (a, b) = (x[row, i], y[row, i])
                    squares[0] += a * a
                    squares[1] += b * b
                    squares[2] += (b - a) * (b - a)
                    inner += a * b
                    scale += abs(a * b)
                }
                for i in 0..<3 {
                    let want = squares[i].squareRoot()
                    trial.judgement.compare(got[row, i], want, scale: want, tolerance, "norm \(i) of row \(row)")
                }
                trial.judgement.compare(got[row, 3], inner, scale: scale, tolerance, "inner product of row \(row)")
            }
        }
    }
}
