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
        + ruled(.float32) + [1, 40].map(unvisited)
        + [ElementType.float16, .bfloat16].flatMap { ofSixteenBits($0) + ruled($0) }

    /// Windows that end within, at and beyond tiles, caps that scores reach, slopes that matter; each alone, and all.
    private static func ruled(_ type: ElementType) -> [ConformanceCase] {
        let shape = AttentionShape(type, [1, 150, 0, 31, 33], (4, 2, 24), alignment: 8)
        let windowed = [1, 2, 31, 64, 65, 95, 1000].map { AttentionOptions(window: $0) }
        let scored = [
            AttentionOptions(softCap: 5), AttentionOptions(hasSlopes: true),
            AttentionOptions(softCap: 0.01, hasSlopes: true),
        ]
        let both = [
            AttentionOptions(window: 31, softCap: 5), AttentionOptions(window: 2, hasSlopes: true),
            AttentionOptions(window: 64, softCap: 5, hasSlopes: true),
        ]
        let wide: [([Int], (Int, Int, Int), AttentionOptions)] = [
            ([1000], (1, 1, 64), AttentionOptions(window: 64, softCap: 20, hasSlopes: true)),
            ([1000, 31], (2, 1, 13), AttentionOptions(window: 200)),
            ([1, 230], (3, 1, 128), AttentionOptions(window: 64)),
            ([130, 33], (2, 2, 96), AttentionOptions(window: 31, softCap: 20)),
            ([33, 100], (2, 1, 256), AttentionOptions(window: 33, softCap: 20, hasSlopes: true)),
        ]
        // Where nothing is capped weights are nearly alike, so that a key too many or too few shows.
        let cases =
            (windowed + scored + both).map { (shape, $0) }
            + wide.map { (AttentionShape(type, $0, $1, alignment: 8), $2) }
        return cases.map { attention($0, range: $1.softCap == nil ? 1 : 4, options: $1) }
    }

    /// Weights of 0 let a NaN through where operands are float32, so that it shows which keys are visited: none that are
    /// farther beyond the window, or ahead, than a block of tokens.
    private static func unvisited(window: Int) -> ConformanceCase {
        let (rows, width, spoilt, blockTokenCount) = (400, 16, 150, 64)
        return ConformanceCase("attention", "lengths=\(rows) window=\(window) visits no farther block") {
            trial throws(ComputeError) in
            var joint = trial.matrix(rows, 3 * width, .float32)
            for column in 2 * width..<3 * width { joint[spoilt, column] = .nan }
            let operand = try trial.input(joint, .float32)
            let result = try trial.output(rows, width, .float32)
            let heads = AttentionHeads(queryCount: 1, keyCount: 1, width: width)
            let rule = AttentionRule(scale: 0.25, window: window)
            try trial.device.attention(
                query: operand.columns(0..<width), key: operand.columns(width..<2 * width),
                value: operand.columns(2 * width..<3 * width), lengths: [rows], heads: heads, rule: rule, into: result)
            let got = try trial.values(of: result)
            let judge = AttentionJudge(
                query: joint.columns(0..<width), key: joint.columns(width..<2 * width),
                value: joint.columns(2 * width..<3 * width), heads: heads, rule: rule, type: .float32)
            for token in 0..<rows where !(spoilt - blockTokenCount + 1..<spoilt).contains(token) {
                if (spoilt + window..<spoilt + window + blockTokenCount - 1).contains(token) { continue }
                judge.judge(got, token, 0, sequenceBegin: 0, &trial.judgement)
            }
        }
    }

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
        let specialOptions = [
            AttentionOptions(window: 1), AttentionOptions(window: 31), AttentionOptions(window: 64, softCap: 5),
            AttentionOptions(window: 31, hasSlopes: true),
        ]
        return shapes.flatMap { lengths, heads in
            [
                attention(AttentionShape(type, lengths, heads, alignment: 8)),
                attention(AttentionShape(type, lengths, heads)),
                attention(AttentionShape(type, lengths, heads, alignment: 8), range: 16),
            ]
        }
            + special.map { attention(AttentionShape(type, $0, $1, alignment: 8), hasSpecialRows: true) }
            + zip(special, specialOptions).map { special, options in
                attention(
                    AttentionShape(type, special.0, special.1, alignment: 8), hasSpecialRows: true, options: options)
            }
            // Only the first element of a row is out of place, or only the distance of rows.
            + [(8, 1), (4, 0)].map {
                attention(AttentionShape(type, [70, 5], (2, 1, 24), alignment: $0, offset: $1))
            }
            + [-0.5, 0].flatMap { scale in
                [AttentionOptions(), AttentionOptions(window: 31, softCap: 5, hasSlopes: true)].map {
                    attention(AttentionShape(type, [70, 5], (2, 1, 24), alignment: 8), scale: scale, options: $0)
                }
            }
    }

    private static func attention(
        _ shape: AttentionShape, range: Double = 1, scale: Float? = nil, hasSpecialRows: Bool = false,
        options: AttentionOptions = AttentionOptions()
    ) -> ConformanceCase {
        let (heads, type) = (shape.heads, shape.type)
        let scale = scale ?? Float(1 / Double(heads.width).squareRoot())
        let sizes =
            "\(shape) range=\(Int(range))" + (scale > 0 ? "" : " scale=\(scale)")
            + options.description + (hasSpecialRows ? " with infinities and NaN" : "")
        let rule = AttentionRule(
            scale: scale, window: options.window, softCap: options.softCap,
            slopes: options.hasSlopes ? (0..<heads.queryCount).map { 0.5 / Float($0 + 1) } : [])
        return ConformanceCase("attention", sizes) { trial throws(ComputeError) in
            let rows = shape.lengths.reduce(0, +)
            let (queryWidth, keyWidth) = (heads.queryCount * heads.width, heads.keyCount * heads.width)
            let offset = shape.offset
            var joint = trial.matrix(rows, queryWidth + 2 * keyWidth, type, range: range)
            if hasSpecialRows { shape.addSpecialRows(to: &joint) }
            let framed = Matrix(rows, offset + joint.columns) { $1 < offset ? .nan : joint[$0, $1 - offset] }
            let operand = try trial.input(framed, type, alignment: shape.alignment).columns(offset..<framed.columns)
            let result = try trial.output(rows, queryWidth, type, alignment: shape.alignment)
            try trial.device.attention(
                query: operand.columns(0..<queryWidth), key: operand.columns(queryWidth..<queryWidth + keyWidth),
                value: operand.columns(queryWidth + keyWidth..<joint.columns), lengths: shape.lengths, heads: heads,
                rule: rule, into: result)
            let got = try trial.values(of: result)
            let judge = AttentionJudge(
                query: joint.columns(0..<queryWidth), key: joint.columns(queryWidth..<queryWidth + keyWidth),
                value: joint.columns(queryWidth + keyWidth..<joint.columns), heads: heads, rule: rule, type: type)
            var begin = 0
            for length in shape.lengths {
                for token in begin..<begin + length {
                    for head in 0..<heads.queryCount {
                        judge.judge(got, token, head, sequenceBegin: begin, &trial.judgement)
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
    /// Columns between the aligned one and the first operand.
    let offset: Int

    init(_ type: ElementType, _ lengths: [Int], _ heads: (Int, Int, Int), alignment: Int = 1, offset: Int = 0) {
        self.type = type
        self.lengths = lengths
        self.heads = AttentionHeads(queryCount: heads.0, keyCount: heads.1, width: heads.2)
        self.alignment = alignment
        self.offset = offset
    }

    var description: String {
        let list = lengths.map(String.init).joined(separator: ",")
        return (type == .float32 ? "" : "\(type.rawValue) ")
            + "lengths=\(list) heads=\(heads.queryCount)/\(heads.keyCount) width=\(heads.width)"
            + (alignment == 1 ? "" : " alignment=\(alignment)") + (offset == 0 ? "" : "+\(offset)")
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

/// What a rule has beside its scale.
private struct AttentionOptions: Sendable, CustomStringConvertible {
    var window: Int?
    var softCap: Float?
    var hasSlopes = false

    var description: String {
        (window.map { " window=\($0)" } ?? "") + (softCap.map { " cap=\($0)" } ?? "") + (hasSlopes ? " slopes" : "")
    }
}

/// Plain softmax attention of one token and head.
private struct AttentionJudge {
    let query: Matrix
    let key: Matrix
    let value: Matrix
    let heads: AttentionHeads
    let rule: AttentionRule
    let type: ElementType

    func judge(_ got: Matrix, _ token: Int, _ head: Int, sequenceBegin: Int, _ judgement: inout Judgement) {
        let keys = max(sequenceBegin, rule.window.map { token - $0 + 1 } ?? sequenceBegin)...token
        let slope = rule.slopes.isEmpty ? 0 : Double(rule.slopes[head])
        let queryColumn = head * heads.width
        let keyColumn = head / heads.groupCount * heads.width
        var (scores, largestSum): ([Double], Double) = ([], 0)
        for other in keys {
            var (score, sum) = (0.0, 0.0)
            for i in 0..<heads.width {
                let term = query[token, queryColumn + i] * key[other, keyColumn + i] * Double(rule.scale)
                score += term
                sum += abs(term)
            }
            if let cap = rule.softCap.map(Double.init) { score = cap * (1 - 2 / (exponential(2 * score / cap) + 1)) }
            scores.append(score + slope * Double(other - token))
            largestSum = max(largestSum, sum)
        }
        let maximum = scores.max() ?? 0
        let weights = scores.map { exponential($0 - maximum) }
        let total = weights.reduce(0, +)
        // What slopes add errs too, but where it is large its weight is small.
        let added = zip(weights, keys).reduce(0.0) { $0 + $1.0 / total * slope * Double(token - $1.1) }
        for i in 0..<heads.width {
            var (want, mean, largest) = (0.0, 0.0, 0.0)
            for (weight, other) in zip(weights, keys) {
                let term = weight / total * value[other, keyColumn + i]
                want += term
                mean += abs(term)
                largest = max(largest, abs(value[other, keyColumn + i]))
            }
            // A score errs by √width roundings of its terms, and the exponential makes that a relative error.
            let inFloat32 = Tolerance(.float32, roundings: roundings, factor: 1, length: heads.width + keys.count)
            let scaleOfFloat32 = (1 + largestSum + 2 * abs(added)) * largest
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

    /// A hyperbolic tangent takes a few more, and some 2⁻¹⁸ of itself where operands have 16 bits.
    private var roundings: Double { rule.softCap == nil ? 6 : type == .float32 ? 12 : 38 }
}
