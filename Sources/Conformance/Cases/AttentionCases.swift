import Compute
import Tensors

/// Causal attention over packed sequences.
enum AttentionCases {
    static let all: [ConformanceCase] = [
        ([1], (1, 1, 1)), ([1, 31, 2, 33], (9, 3, 64)), ([31, 0, 1, 1], (4, 4, 31)), ([100, 7], (8, 1, 16)),
        ([65, 64, 63], (3, 3, 33)), ([1000], (2, 1, 32)), ([2100], (1, 1, 8)),
    ].flatMap { lengths, heads in
        [1.0, 6.0].map { range in
            attention(
                lengths, AttentionHeads(queryCount: heads.0, keyCount: heads.1, width: heads.2), range: range)
        }
    }

    private static func attention(_ lengths: [Int], _ heads: AttentionHeads, range: Double) -> ConformanceCase {
        let list = lengths.map(String.init).joined(separator: ",")
        let sizes =
            "lengths=\(list) heads=\(heads.queryCount)/\(heads.keyCount) width=\(heads.width) range=\(Int(range))"
        return ConformanceCase("attention", sizes) { trial throws(ComputeError) in
            let rows = lengths.reduce(0, +)
            let (queryWidth, keyWidth) = (heads.queryCount * heads.width, heads.keyCount * heads.width)
            let joint = trial.matrix(rows, queryWidth + 2 * keyWidth, .float32, range: range)
            let operand = try trial.input(joint, .float32)
            let result = try trial.output(rows, queryWidth, .float32)
            let scale = Float(1 / Double(heads.width).squareRoot())
            try trial.device.attention(
                query: operand.columns(0..<queryWidth), key: operand.columns(queryWidth..<queryWidth + keyWidth),
                value: operand.columns(queryWidth + keyWidth..<joint.columns), lengths: lengths, heads: heads,
                scale: scale, into: result)
            let got = try trial.values(of: result)
            let judge = AttentionJudge(
                query: joint.columns(0..<queryWidth), key: joint.columns(queryWidth..<queryWidth + keyWidth),
                value: joint.columns(queryWidth + keyWidth..<joint.columns), heads: heads, scale: Double(scale))
            var begin = 0
            for length in lengths {
                for token in begin..<begin + length {
                    for head in 0..<heads.queryCount {
                        judge.judge(got, token, head, keys: begin...token, &trial.judgement)
                    }
                }
                begin += length
            }
        }
    }
}

/// Plain softmax attention of one token and head.
private struct AttentionJudge {
    let query: Matrix
    let key: Matrix
    let value: Matrix
    let heads: AttentionHeads
    let scale: Double

    func judge(_ got: Matrix, _ token: Int, _ head: Int, keys: ClosedRange<Int>, _ judgement: inout Judgement) {
        let queryColumn = head * heads.width
        let keyColumn = head / heads.groupCount * heads.width
        var (scores, largestSum): ([Double], Double) = ([], 0)
        for other in keys {
            var (score, sum) = (0.0, 0.0)
            for i in 0..<heads.width {
                let term = query[token, queryColumn + i] * key[other, keyColumn + i] * scale
                score += term
                sum += abs(term)
            }
            scores.append(score)
            largestSum = max(largestSum, sum)
        }
        let maximum = scores.max() ?? 0
        let weights = scores.map { exponential($0 - maximum) }
        let total = weights.reduce(0, +)
        for i in 0..<heads.width {
            var (want, largest) = (0.0, 0.0)
            for (weight, other) in zip(weights, keys) {
                want += weight / total * value[other, keyColumn + i]
                largest = max(largest, abs(value[other, keyColumn + i]))
            }
            // A score errs by √width roundings of its terms, and the exponential makes that a relative error.
            judgement.compare(
                got[token, queryColumn + i], want, scale: (1 + largestSum) * largest,
                Tolerance(.float32, roundings: 6, factor: 1, length: heads.width + keys.count),
                "token \(token), head \(head), element \(i)")
        }
    }
}
