import Compute
import Glibc
import Tensors

/// The logarithm of a sum of exponentials, the target's logit, and the place of the largest.
enum TokenScoreCases {
    static let all: [ConformanceCase] =
        [(1, 1), (33, 31), (5, 33), (7, 1000), (2, 5003)].flatMap { rows, vocabulary in
            [0.01, 10, 1e4].flatMap { range in
                [1, 8].map { tokenScores(rows, vocabulary, range: range, alignment: $0) }
            }
        } + [ties, extremes]

    private static func tokenScores(
        _ rows: Int, _ vocabulary: Int, range: Double, alignment: Int
    ) -> ConformanceCase {
        let sizes = "rows=\(rows) vocabulary=\(vocabulary) range=\(range) aligned=\(alignment)"
        return ConformanceCase("token_scores", sizes) { trial throws(ComputeError) in
            try judge(trial.matrix(rows, vocabulary, .float32, range: range), alignment: alignment, &trial)
        }
    }

    /// The largest number stands at several places: next to each other, far apart, at the ends.
    private static let ties = ConformanceCase("token_scores", "ties") { trial throws(ComputeError) in
        let places = [[0, 1], [1, 2], [998, 999], [0, 999], [30, 512, 700], [255, 256], [511, 767], [3, 3]]
        for alignment in [1, 8] {
            var logits = trial.matrix(places.count, 1000, .float32)
            for (row, columns) in places.enumerated() { for column in columns { logits[row, column] = 1.5 } }
            try judge(logits, alignment: alignment, &trial)
            try judge(Matrix(3, 1000) { row, _ in Double(row) - 1 }, alignment: alignment, &trial)
        }
    }

    private static let extremes = ConformanceCase("token_scores", "extremes") { trial throws(ComputeError) in
        for (width, alignment) in [(3, 1), (33, 1), (1000, 8)] {
            var logits = trial.matrix(10, width, .float32, range: 3)
            logits[0, width - 1] = .nan
            logits[1, 1] = .infinity
            (logits[2, 0], logits[2, width - 1]) = (.infinity, .infinity)
            for column in 0..<width { logits[3, column] = -.infinity }
            for column in 0..<width { logits[4, column] = .nan }
            for column in 0..<width - 1 { logits[5, column] = -.infinity }
            (logits[6, 0], logits[6, 2]) = (.nan, .infinity)
            (logits[7, 0], logits[7, width - 1]) = (3e38, -3e38)
            for column in 0..<width { logits[8, column] = column == 1 ? .nan : -.infinity }
            (logits[9, 0], logits[9, 1]) = (-200, -100)
            logits.values = logits.values.map { Double(Float($0)) }
            try judge(logits, alignment: alignment, &trial)
        }
    }

    private static func judge(_ logits: Matrix, alignment: Int, _ trial: inout Trial) throws(ComputeError) {
        let targets = (0..<logits.rows).map { _ in Int32(trial.random.index(logits.columns)) }
        let result = try trial.output(logits.rows, 3, .float64)
        try trial.device.tokenScores(
            try trial.input(logits, .float32, alignment: alignment), targets: targets, into: result)
        let got = try trial.values(of: result)
        for row in 0..<logits.rows {
            let values = (0..<logits.columns).map { logits[row, $0] }
            let hasNaN = values.contains { $0.isNaN }
            let largest = values.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
            let place = largest > -.infinity ? values.firstIndex(of: largest) ?? 0 : 0
            let (logSum, scale) = hasNaN ? (.nan, 1) : logSumOfExponentials(values, largest)
            trial.judgement.compare(
                got[row, 0], logSum, scale: scale, Tolerance(.float32, roundings: 4), "log Σ exp of row \(row)")
            trial.judgement.compare(
                got[row, 1], hasNaN ? .nan : values[Int(targets[row])], scale: 1, .exact, "the target of row \(row)")
            trial.judgement.compare(got[row, 2], Double(place), scale: 1, .exact, "the largest place of row \(row)")
        }
    }

    /// The logarithm, and its size: exponentials err by units of themselves and by the rounding of what is below the
    /// largest.
    private static func logSumOfExponentials(_ values: [Double], _ largest: Double) -> (Double, scale: Double) {
        guard largest.isFinite else { return (largest, 1) }
        var (sum, moved) = (0.0, 0.0)
        for value in values where value > -.infinity {
            let term = exponential(value - largest)
            sum += term
            moved += term * (largest - value)
        }
        return (largest + log(sum), 1 + moved / sum + abs(largest) * 0x1p-29)
    }
}
