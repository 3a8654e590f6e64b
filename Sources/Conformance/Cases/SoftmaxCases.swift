import Compute
import Tensors

/// Probabilities of the rows of a matrix of logits.
enum SoftmaxCases {
    static let all: [ConformanceCase] =
        [(1, 1), (33, 31), (5, 33), (7, 1000), (2, 5003)].flatMap { rows, vocabulary in
            [0.01, 10, 100, 1e4].flatMap { range in
                [(1, 1), (8, 8), (8, 1)].map { softmax(rows, vocabulary, range: range, alignments: $0) }
            }
        } + [extremes]

    private static func softmax(
        _ rows: Int, _ vocabulary: Int, range: Double, alignments: (Int, Int)
    ) -> ConformanceCase {
        let sizes = "rows=\(rows) vocabulary=\(vocabulary) range=\(range) aligned=\(alignments.0),\(alignments.1)"
        return ConformanceCase("softmax", sizes) { trial throws(ComputeError) in
            try judge(trial.matrix(rows, vocabulary, .float32, range: range), alignments: alignments, &trial)
        }
    }

    private static let extremes = ConformanceCase("softmax", "extremes") { trial throws(ComputeError) in
        for (width, alignments) in [(3, (1, 1)), (33, (1, 8)), (1000, (8, 8))] {
            var x = trial.matrix(11, width, .float32, range: 3)
            x[0, width - 1] = .nan
            x[1, 1] = .infinity
            for column in 0..<width { x[2, column] = -.infinity }
            x[3, 1] = -.infinity
            // One that has all.
            for column in 0..<width - 1 { x[4, column] = -.infinity }
            x[5, 0] = 1e30
            x[6, width - 1] = -1e30
            (x[7, 0], x[7, 1]) = (3e38, -3e38)
            // At the end of what is not 0.
            (x[8, 0], x[8, 1], x[8, 2]) = (40, -20, -20.00001)
            (x[9, 0], x[9, 1]) = (.nan, .infinity)
            for column in 0..<width { x[10, column] = 7 }
            x.values = x.values.map { Double(Float($0)) }
            try judge(x, alignments: alignments, &trial)
        }
    }

    /// Into another matrix, and in place.
    private static func judge(_ x: Matrix, alignments: (Int, Int), _ trial: inout Trial) throws(ComputeError) {
        let input = try trial.input(x, .float32, alignment: alignments.0)
        let result = try trial.output(x.rows, x.columns, .float32, alignment: alignments.1)
        let inPlace = try trial.written(x, .float32, alignment: alignments.1)
        try trial.device.softmax(input, into: result)
        try trial.device.softmax(inPlace, into: inPlace)
        for (name, tensor) in [("result", result), ("result in place", inPlace)] {
            let got = try trial.values(of: tensor)
            for row in 0..<x.rows {
                let want = probabilities((0..<x.columns).map { x[row, $0] })
                for column in 0..<x.columns {
                    trial.judgement.compare(
                        got[row, column], want[column].value, scale: want[column].scale,
                        Tolerance(.float32, roundings: 6), "row \(row), column \(column) of the \(name)")
                }
            }
        }
    }

    /// Each probability and its size: an exponential errs by units of itself and by the rounding of what is below the
    /// largest, and the sum as its terms do on average.
    private static func probabilities(_ values: [Double]) -> [(value: Double, scale: Double)] {
        let largest = values.reduce(-.infinity) { max($0, $1) }
        guard !values.contains(where: \.isNaN), largest.isFinite else { return values.map { _ in (.nan, 1) } }
        let terms = values.map { exponential($0 - largest) }
        var (sum, moved) = (CompensatedSum(0), 0.0)
        for (value, term) in zip(values, terms) where value > -.infinity {
            sum.add(term)
            moved += term * (largest - value)
        }
        return zip(values, terms).map { value, term in
            // As the difference is rounded, so it is compared.
            if Float(value) - Float(largest) < -60 { return (0, 0) }
            let probability = term / sum.value
            return (probability, probability * (1 + largest - value + moved / sum.value))
        }
    }
}
