import Compute
import Tensors

/// Causal attention over packed sequences.
enum AttentionCases {
    static let all: [ConformanceCase] =
        [
            ([1], (1, 1, 1)), ([1, 31, 2, 33], (9, 3, 64)), ([31, 0, 1, 1], (4, 4, 31)), ([100, 7], (8, 1, 16)),
            ([65, 64, 63], (3, 3, 33)), ([1000], (2, 1, 32)), ([2100], (1, 1, 8)),
        ].flatMap { lengths, heads in
            [1.0, 6.0].map { attention(AttentionShape(.float32, lengths, heads), range: $0) }
        }
        + [ElementType.float16, .bfloat16].flatMap(ofSixteenBits)

    /// Every width that kernels pad to, just filled and not; rows that can and cannot be read in wide pieces.
    private static func ofSixteenBits(_ type: ElementType) -> [ConformanceCase] {
        let shapes: [([Int], (Int, Int, Int))] = [
            ([1], (1, 1, 1)), ([1, 31, 33, 64, 65, 127], (3, 1, 64)), ([31, 0, 130], (8, 1, 8)),
            ([1, 65], (3, 3, 40)), ([33, 127], (2, 2, 80)), ([129, 65], (3, 1, 128)), ([33, 100], (2, 1, 256)),
            ([64, 33], (2, 2, 13)), ([140], (1, 1, 100)), ([1000], (1, 1, 64)),
        ]
        let special: [([Int], (Int, Int, Int))] = [
            ([1, 150, 31], (3, 1, 64)), ([150, 33], (2, 2, 96)), ([150, 33], (2, 1, 128)), ([90, 33], (1, 1, 256)),
            ([150, 33], (2, 1, 20)),
        ]
        return shapes.flatMap { lengths, heads in
            [
                attention(AttentionShape(type, lengths, heads, alignment: 8)),
                attention(AttentionShape(type, lengths, heads)),
                attention(AttentionShape(type, lengths, heads, alignment: 8), range: 16),
            ]
        }
            + special.map { attention(AttentionShape(type, $0, $1, alignment: 8), hasSpecialRows: true) }
            + [-0.5, 0].map { attention(AttentionShape(type, [70, 5], (2, 1, 24), alignment: 8), scale: $0) }
    }

    private static func attention(
        _ shape: AttentionShape, range: Double = 1, scale: Float? = nil, hasSpecialRows: Bool = false
    ) -> ConformanceCase {
        let (heads, type) = (shape.heads, shape.type)
        let scale = scale ?? Float(1 / Double(heads.width).squareRoot())
        let sizes =
            "\(shape) range=\(Int(range))" + (scale > 0 ? "" : " scale=\(scale)")
            + (hasSpecialRows ? " with infinities and NaN" : "")
        return ConformanceCase("attention", sizes) { trial throws(ComputeError) in
            let rows = shape.lengths.reduce(0, +)
            let (queryWidth, keyWidth) = (heads.queryCount * heads.width, heads.keyCount * heads.width)
            var joint = trial.matrix(rows, queryWidth + 2 * keyWidth, type, range: range)
            if hasSpecialRows { shape.addSpecialRows(to: &joint) }
            let operand = try trial.input(joint, type, alignment: shape.alignment)
            let result = try trial.output(rows, queryWidth, type, alignment: shape.alignment)
            try trial.device.attention(
                query: operand.columns(0..<queryWidth), key: operand.columns(queryWidth..<queryWidth + keyWidth),
                value: operand.columns(queryWidth + keyWidth..<joint.columns), lengths: shape.lengths, heads: heads,
                scale: scale, into: result)
            let got = try trial.values(of: result)
            let judge = AttentionJudge(
                query: joint.columns(0..<queryWidth), key: joint.columns(queryWidth..<queryWidth + keyWidth),
                value: joint.columns(queryWidth + keyWidth..<joint.columns), heads: heads, scale: Double(scale),
                type: type)
            var begin = 0
            for length in shape.lengths {
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

/// Sequences, heads, and how their elements are stored.
private struct AttentionShape: Sendable, CustomStringConvertible {
    let type: ElementType
    let lengths: [Int]
    let heads: AttentionHeads
    let alignment: Int

    init(_ type: ElementType, _ lengths: [Int], _ heads: (Int, Int, Int), alignment: Int = 1) {
        self.type = type
        self.lengths = lengths
        self.heads = AttentionHeads(queryCount: heads.0, keyCount: heads.1, width: heads.2)
        self.alignment = alignment
    }

    var description: String {
        let list = lengths.map(String.init).joined(separator: ",")
        return (type == .float32 ? "" : "\(type.rawValue) ")
            + "lengths=\(list) heads=\(heads.queryCount)/\(heads.keyCount) width=\(heads.width)"
            + (alignment == 1 ? "" : " alignment=\(alignment)")
    }

    /// Rows that spoil what sees them: a query, a key and two values in the middle of the longest sequence.
    func addSpecialRows(to joint: inout Matrix) {
        let longest = lengths.max() ?? 0
        let begin = lengths.prefix { $0 < longest }.reduce(0, +)
        let (keyColumn, valueColumn) = (
            heads.queryCount * heads.width, (heads.queryCount + heads.keyCount) * heads.width
        )
        joint[begin + 7, heads.width / 2] = .nan
        joint[begin + 20, valueColumn] = .infinity
        joint[begin + longest / 2 + 1, valueColumn + heads.width - 1] = .nan
        joint[begin + longest / 2 + 6, valueColumn + heads.width / 2] = -.infinity
        joint[begin + longest - 9, keyColumn + 1] = .nan
    }
}

/// Plain softmax attention of one token and head.
private struct AttentionJudge {
    let query: Matrix
    let key: Matrix
    let value: Matrix
    let heads: AttentionHeads
    let scale: Double
    let type: ElementType

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
            var (want, mean, largest) = (0.0, 0.0, 0.0)
            for (weight, other) in zip(weights, keys) {
                let term = weight / total * value[other, keyColumn + i]
                want += term
                mean += abs(term)
                largest = max(largest, abs(value[other, keyColumn + i]))
            }
            // A score errs by √width roundings of its terms, and the exponential makes that a relative error.
            let inFloat32 = Tolerance(.float32, roundings: 6, factor: 1, length: heads.width + keys.count)
            let scaleOfFloat32 = (1 + largestSum) * largest
            let place = "token \(token), head \(head), element \(i)"
            guard let format = SixteenBitFloat(type) else {
                judgement.compare(got[token, queryColumn + i], want, scale: scaleOfFloat32, inFloat32, place)
                continue
            }
            // Weights and result are rounded to half a unit of the type each, tiny results to half of its spacing.
            let tolerance = Tolerance(type, roundings: 1)
            let rest = inFloat32.value * scaleOfFloat32 + format.leastSpacing / 2
            judgement.compare(
                got[token, queryColumn + i], want, scale: mean + rest / tolerance.value, tolerance, place)
        }
    }
}
