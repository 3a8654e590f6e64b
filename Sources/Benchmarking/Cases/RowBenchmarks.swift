import Compute
import Conformance
import Glibc
import Tensors

/// What is done to the rows of the residual stream between the products: each reads and writes memory, and little else.
enum RowBenchmarks {
    static func all(_ scale: BenchmarkScale) -> [BenchmarkCase] {
        let (rows, width) = (scale.rowCount, scale.width)
        return [
            normalize(rows, width), rotate(rows, width, headWidth: scale.heads.width), gatedSiLU(rows, width),
            gelu(rows, width), add(rows, width), tokenScores(rows / 4, 8 * width),
            tokenDivergences(rows / 4, 8 * width), softmax(rows / 4, 8 * width),
        ]
    }

    private static func normalize(_ rows: Int, _ width: Int) -> BenchmarkCase {
        let byteCount = 4 * (2 * rows * width + width)
        return BenchmarkCase(
            "normalize", "root_mean_square rows=\(rows) width=\(width)", .moving(bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let (x, weight) = (
                try Operand(device, rows, width, .float32, &random), try Operand(device, 1, width, .float32, &random)
            )
            let result = try device.makeZeros([rows, width], .float32, for: "a benchmark")
            let (input, factors) = (x.tensor, weight.tensor)
            let epsilon: Float = 1e-5
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.normalize(
                        input, .rootMeanSquare, weight: factors, bias: nil, epsilon: epsilon, groupWidth: nil,
                        accumulates: false, into: result)
                }
            ) { judgement throws(ComputeError) in
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5),
                    Tolerance(.float32, roundings: 4, factor: 1, length: width)
                ) { row in
                    let input = x.row(row)
                    let factor = 1 / (dot(input, input).value / Double(width) + Double(epsilon)).squareRoot()
                    return input.indices.map {
                        let want = input[$0] * factor * weight[0, $0]
                        return (want, abs(want))
                    }
                }
            }
        }
    }

    private static func rotate(_ rows: Int, _ width: Int, headWidth: Int) -> BenchmarkCase {
        let pairCount = headWidth / 2
        let tables = 2 * rows * pairCount
        let byteCount = 4 * (rows * width + tables)
        return BenchmarkCase(
            "rotate", "rows=\(rows) width=\(width) head_width=\(headWidth)",
            .moving(bytes: 4 * (2 * rows * width + tables)), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let x = try Operand(device, rows, width, .float32, &random)
            let angles = (0..<rows * pairCount).map { i in
                Double(i / pairCount) * pow(10_000, -2 * Double(i % pairCount) / Double(headWidth))
            }
            let cosines = try Operand(device, rows, pairCount, angles.map { Float(cos($0)) })
            let sines = try Operand(device, rows, pairCount, angles.map { Float(sin($0)) })
            let (tensor, tables) = (x.tensor, (cosines.tensor, sines.tensor))
            let positions = (0..<Int32(rows)).map { $0 }
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.rotate(
                        tensor, cosines: tables.0, sines: tables.1, positions: positions, headWidth: headWidth,
                        layout: .halves)
                }
            ) { judgement throws(ComputeError) in
                try judgement.compareRows(
                    "x", tensor, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 2)
                ) { row in
                    (0..<width).map { column in
                        let (pair, isSecond) = (column % headWidth % pairCount, column % headWidth >= pairCount)
                        let partner = x[row, isSecond ? column - pairCount : column + pairCount]
                        let kept = x[row, column] * cosines[row, pair]
                        let moved = partner * sines[row, pair]
                        return (isSecond ? kept + moved : kept - moved, abs(kept) + abs(moved))
                    }
                }
            }
        }
    }

    private static func gatedSiLU(_ rows: Int, _ width: Int) -> BenchmarkCase {
        let byteCount = 4 * 3 * rows * width
        return BenchmarkCase(
            "activate", "silu gated rows=\(rows) width=\(width)", .moving(bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let gateUp = try Operand(device, rows, 2 * width, .float32, &random)
            let result = try device.makeZeros([rows, width], .float32, for: "a benchmark")
            let input = gateUp.tensor
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.activate(input, bias: nil, .silu, isGated: true, into: result)
                }
            ) { judgement throws(ComputeError) in
                // The exponential errs by two units, then a sum, a quotient and a product are rounded.
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 4)
                ) { row in
                    (0..<width).map {
                        let z = gateUp[row, $0]
                        let want = z / (1 + exp(-z)) * gateUp[row, width + $0]
                        return (want, abs(want))
                    }
                }
            }
        }
    }

    private static func gelu(_ rows: Int, _ width: Int) -> BenchmarkCase {
        let byteCount = 4 * (2 * rows * width + width)
        return BenchmarkCase(
            "activate", "gelu rows=\(rows) width=\(width)", .moving(bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let x = try Operand(device, rows, width, .float32, &random)
            let bias = try Operand(device, 1, width, .float32, &random)
            let result = try device.makeZeros([rows, width], .float32, for: "a benchmark")
            let (input, addend) = (x.tensor, bias.tensor)
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.activate(input, bias: addend, .gelu, isGated: false, into: result)
                }
            ) { judgement throws(ComputeError) in
                // The sum is rounded; then as the exponential and its polynomial err.
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 8)
                ) { row in
                    (0..<width).map {
                        let z = Double(Float(x[row, $0] + bias[0, $0]))
                        let want = z * erfc(-z / 2.0.squareRoot()) / 2
                        return (want, abs(want) * (1 + z * z / 2))
                    }
                }
            }
        }
    }

    private static func tokenScores(_ rows: Int, _ vocabulary: Int) -> BenchmarkCase {
        let byteCount = 4 * rows * vocabulary
        return BenchmarkCase(
            "token_scores", "rows=\(rows) vocabulary=\(vocabulary)", .moving(bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let logits = try Operand(device, rows, vocabulary, .float32, &random)
            let result = try device.makeZeros([rows, 3], .float64, for: "a benchmark")
            let tensor = logits.tensor
            let targets = (0..<rows).map { Int32($0 * 7919 % vocabulary) }
            return PreparedCall(
                run: { () throws(ComputeError) in try device.tokenScores(tensor, targets: targets, into: result) }
            ) { judgement throws(ComputeError) in
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 4)
                ) { row in
                    let values = logits.row(row)
                    let largest = values.max() ?? 0
                    let logSum = largest + log(values.reduce(0) { $0 + exp($1 - largest) })
                    // The last two are exact: nothing comes near a scale so small.
                    return [
                        (logSum, 1 + largest - (values.min() ?? 0)), (values[Int(targets[row])], 1e-12),
                        (Double(values.firstIndex(of: largest) ?? 0), 1e-12),
                    ]
                }
            }
        }
    }

    private static func tokenDivergences(_ rows: Int, _ vocabulary: Int) -> BenchmarkCase {
        let byteCount = 8 * rows * vocabulary
        return BenchmarkCase(
            "token_divergences", "rows=\(rows) vocabulary=\(vocabulary)", .moving(bytes: byteCount),
            byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let reference = try Operand(device, rows, vocabulary, .float32, &random)
            let logits = try Operand(device, rows, vocabulary, .float32, &random)
            let result = try device.makeZeros([rows, 1], .float64, for: "a benchmark")
            let (tensor, other) = (reference.tensor, logits.tensor)
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.tokenDivergences(reference: tensor, logits: other, into: result)
                }
            ) { judgement throws(ComputeError) in
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 8)
                ) { row in
                    let (a, b) = (reference.row(row), logits.row(row))
                    let (sum, otherSum) = (a.reduce(0) { $0 + exp($1) }, b.reduce(0) { $0 + exp($1) })
                    let divergence = zip(a, b).reduce(0) { total, pair in
                        total + exp(pair.0) / sum * (pair.0 - pair.1 - log(sum / otherSum))
                    }
                    return [(divergence, 1 + divergence)]
                }
            }
        }
    }

    private static func softmax(_ rows: Int, _ vocabulary: Int) -> BenchmarkCase {
        let byteCount = 8 * rows * vocabulary
        return BenchmarkCase(
            "softmax", "rows=\(rows) vocabulary=\(vocabulary)", .moving(bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let logits = try Operand(device, rows, vocabulary, .float32, &random)
            let result = try device.makeTensor([rows, vocabulary], .float32, for: "a benchmark")
            let tensor = logits.tensor
            return PreparedCall(
                run: { () throws(ComputeError) in try device.softmax(tensor, into: result) }
            ) { judgement throws(ComputeError) in
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 8)
                ) { row in
                    let values = logits.row(row)
                    let sum = values.reduce(0) { $0 + exp($1) }
                    return values.map { (exp($0) / sum, exp($0) / sum) }
                }
            }
        }
    }

    private static func add(_ rows: Int, _ width: Int) -> BenchmarkCase {
        let byteCount = 4 * 3 * rows * width
        return BenchmarkCase(
            "add", "rows=\(rows) width=\(width)", .moving(bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let (a, b) = (
                try Operand(device, rows, width, .float32, &random),
                try Operand(device, rows, width, .float32, &random)
            )
            let result = try device.makeZeros([rows, width], .float32, for: "a benchmark")
            let (left, right) = (a.tensor, b.tensor)
            return PreparedCall(run: { () throws(ComputeError) in try device.add(left, right, into: result) }) {
                judgement throws(ComputeError) in
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(rows, 5), Tolerance(.float32, roundings: 0.5)
                ) { row in (0..<width).map { (a[row, $0] + b[row, $0], abs(a[row, $0] + b[row, $0])) } }
            }
        }
    }
}
