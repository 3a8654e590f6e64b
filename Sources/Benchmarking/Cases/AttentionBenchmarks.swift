import Compute
import Conformance
import Glibc
import Tensors

/// Causal attention, over one long sequence and over many short ones.
enum AttentionBenchmarks {
    /// The mean length of the sequences of a much used corpus of short texts.
    private static let raggedLength = 165

    static func all(_ scale: BenchmarkScale) -> [BenchmarkCase] {
        [
            attention(lengths: [scale.sequenceLength], scale.heads),
            attention(lengths: Array(repeating: raggedLength, count: scale.raggedCount), scale.heads),
        ]
    }

    private static func attention(lengths: [Int], _ heads: AttentionHeads) -> BenchmarkCase {
        let tokens = lengths.reduce(0, +)
        let (queryWidth, keyWidth) = (heads.queryCount * heads.width, heads.keyCount * heads.width)
        let byteCount = 4 * tokens * (2 * queryWidth + 2 * keyWidth)
        // A product with each visible key, and one with its value.
        let pairs = lengths.reduce(0.0) { $0 + Double($1) * Double($1 + 1) / 2 }
        return BenchmarkCase(
            "attention",
            "sequences=\(lengths.count)x\(lengths.first ?? 0) heads=\(heads.queryCount)/\(heads.keyCount) width=\(heads.width)",
            .computing(4 * pairs * Double(queryWidth), in: .float32, bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let query = try Operand(device, tokens, queryWidth, .float32, &random)
            let key = try Operand(device, tokens, keyWidth, .float32, &random)
            let value = try Operand(device, tokens, keyWidth, .float32, &random)
            let result = try device.makeZeros([tokens, queryWidth], .float32, for: "a benchmark")
            let operands = (query.tensor, key.tensor, value.tensor)
            let scale = 1 / Float(heads.width).squareRoot()
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.attention(
                        query: operands.0, key: operands.1, value: operands.2, lengths: lengths, heads: heads,
                        rule: AttentionRule(scale: scale), into: result)
                }
            ) { judgement throws(ComputeError) in
                for sequence in Set([0, lengths.count - 1]) {
                    let begin = lengths[..<sequence].reduce(0, +)
                    for position in Places.spread(lengths[sequence], 5) {
                        try judge(
                            begin, begin + position, heads, query, key, value, Double(scale), result, device,
                            &judgement)
                    }
                }
            }
        }
    }

    /// All heads of one token, whose sequence begins at `begin`.
    private static func judge(
        _ begin: Int, _ token: Int, _ heads: AttentionHeads, _ query: Operand, _ key: Operand, _ value: Operand,
        _ scale: Double, _ result: Tensor, _ device: Device, _ judgement: inout Judgement
    ) throws(ComputeError) {
        let got = try device.numbers(of: result.rows(token..<token + 1))
        let keys = begin..<token + 1
        for head in 0..<heads.queryCount {
            let (queryColumn, keyColumn) = (head * heads.width, head / heads.groupCount * heads.width)
            var (scores, largestSum) = ([Double](), 0.0)
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
            let weights = scores.map { exp($0 - maximum) }
            let total = weights.reduce(0, +)
            for i in 0..<heads.width {
                var (want, largest) = (0.0, 0.0)
                for (weight, other) in zip(weights, keys) {
                    want += weight / total * value[other, keyColumn + i]
                    largest = max(largest, abs(value[other, keyColumn + i]))
                }
                // A score errs by √width roundings of its terms, and the exponential makes that a relative error.
                judgement.compare(
                    got[queryColumn + i], want, scale: (1 + largestSum) * largest,
                    Tolerance(.float32, roundings: 6, factor: 1, length: heads.width + keys.count),
                    "result[\(token), \(queryColumn + i)]")
            }
        }
    }
}
