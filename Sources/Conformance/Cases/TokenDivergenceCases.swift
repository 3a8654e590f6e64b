import Compute
import Glibc
import Tensors

/// KL(P || Q) of the rows of two matrices of logits.
enum TokenDivergenceCases {
    static let all: [ConformanceCase] =
        [(1, 1), (33, 31), (5, 33), (7, 1000), (2, 5003)].flatMap { rows, vocabulary in
            [0.01, 10, 1e4].flatMap { range in
                [nil, 0.3, 1e-4].flatMap { difference in
                    [(1, 1), (8, 8), (8, 1)].map {
                        divergences(rows, vocabulary, range: range, difference: difference, alignments: $0)
                    }
                }
            }
        } + [extremes]

    /// - Parameter difference: Of logits that are nearly those of the reference, but for a constant; nil for others.
    private static func divergences(
        _ rows: Int, _ vocabulary: Int, range: Double, difference: Double?, alignments: (Int, Int)
    ) -> ConformanceCase {
        let sizes =
            "rows=\(rows) vocabulary=\(vocabulary) range=\(range) difference=\(difference ?? range) "
            + "aligned=\(alignments.0),\(alignments.1)"
        return ConformanceCase("token_divergences", sizes) { trial throws(ComputeError) in
            let reference = trial.matrix(rows, vocabulary, .float32, range: range)
            var logits = trial.matrix(rows, vocabulary, .float32, range: difference ?? range)
            if difference != nil {
                logits = logits.combined(reference) { Double(Float($0 + $1 + 3)) }
            }
            try judge(reference, logits, alignments: alignments, &trial)
            if difference == nil { try judge(reference, reference, alignments: alignments, &trial) }
        }
    }

    private static let extremes = ConformanceCase("token_divergences", "extremes") { trial throws(ComputeError) in
        for (width, alignments) in [(3, (1, 1)), (33, (1, 8)), (1000, (8, 8))] {
            var reference = trial.matrix(12, width, .float32, range: 3)
            var logits = trial.matrix(12, width, .float32, range: 3)
            reference[0, width - 1] = .nan
            logits[1, 0] = .nan
            reference[2, 1] = .infinity
            logits[3, width - 1] = .infinity
            for column in 0..<width { reference[4, column] = -.infinity }
            for column in 0..<width { logits[5, column] = -.infinity }
            logits[6, 1] = -.infinity
            reference[7, 1] = -.infinity
            (reference[8, 0], logits[8, 0]) = (-.infinity, -.infinity)
            // Probabilities that are 1, and far below the smallest number.
            (reference[9, 0], logits[9, width - 1]) = (300, 300)
            (reference[10, 0], logits[10, 0]) = (1e30, -1e30)
            (reference[11, 0], logits[11, 0]) = (-200, -.infinity)
            reference.values = reference.values.map { Double(Float($0)) }
            logits.values = logits.values.map { Double(Float($0)) }
            try judge(reference, logits, alignments: alignments, &trial)
        }
    }

    private static func judge(
        _ reference: Matrix, _ logits: Matrix, alignments: (Int, Int), _ trial: inout Trial
    ) throws(ComputeError) {
        let result = try trial.output(logits.rows, 1, .float64)
        try trial.device.tokenDivergences(
            reference: try trial.input(reference, .float32, alignment: alignments.0),
            logits: try trial.input(logits, .float32, alignment: alignments.1), into: result)
        let got = try trial.values(of: result)
        for row in 0..<logits.rows {
            let (want, scale) = divergence(
                (0..<logits.columns).map { reference[row, $0] }, (0..<logits.columns).map { logits[row, $0] })
            trial.judgement.compare(
                got[row, 0], want, scale: scale, Tolerance(.float32, roundings: 8), "the divergence of row \(row)")
        }
    }

    /// The divergence, and the size of what rounds. Logarithms of the sums that are wrong by δ move it by δ² only: what the
    /// terms gain one by one, the sum of all p - q loses.
    private static func divergence(_ a: [Double], _ b: [Double]) -> (Double, scale: Double) {
        let largest = (a.reduce(-.infinity) { max($0, $1) }, b.reduce(-.infinity) { max($0, $1) })
        guard !(a + b).contains(where: \.isNaN), largest.0.isFinite, largest.1.isFinite else { return (.nan, 1) }
        let logSum = (logSumOfExponentials(a, largest.0), logSumOfExponentials(b, largest.1))
        let shift = logSum.0 - logSum.1
        var (total, scale) = (CompensatedSum(0), 1e-6)
        for (x, y) in zip(a, b) {
            if y == -.infinity, x > -.infinity { return (.infinity, 1) }
            let (p, q) = (exp(x - logSum.0), exp(y - logSum.1))
            guard p > 0 else {
                total.add(q)
                scale += q > 0 ? q * (1 + largest.1 - y) : 0
                continue
            }
            let r = y - logSum.1 - (x - logSum.0)
            let term = abs(r) < 1 ? p * (expm1(r) - r) : q - p - p * r
            let size = abs(y - x) + abs(shift)
            total.add(term)
            scale += term * (1 + largest.0 - x) + abs(q - p) * size + p * size * size * 0x1p-24
            if abs(r) > 0.4 { scale += q * (1 + largest.1 - y) + p * (1 + abs(r)) }
        }
        return (total.value, scale)
    }

    private static func logSumOfExponentials(_ values: [Double], _ largest: Double) -> Double {
        var sum = CompensatedSum(0)
        for value in values { sum.add(exp(value - largest)) }
        return largest + log(sum.value)
    }
}
