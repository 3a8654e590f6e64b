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
            add(rows, width),
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
