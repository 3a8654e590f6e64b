import Compute
import Conformance
import Tensors

/// Gathering rows of the stream into panels, and the products of panels.
enum PanelBenchmarks {
    /// The stream has so many times the rows of a panel.
    private static let streamFactor = 4

    static func all(_ scale: BenchmarkScale) -> [BenchmarkCase] {
        [
            gather(scale.panel), crossProducts(scale.panel, .float32), crossProducts(scale.panel, .float64),
        ]
    }

    private static func gather(_ panel: BenchmarkScale.Extent) -> BenchmarkCase {
        let (count, width) = (panel.rows, panel.width)
        let tokens = streamFactor * count
        return BenchmarkCase(
            "gather_panels", "rows=\(count) width=\(width)", .moving(bytes: 4 * 4 * count * width),
            byteCount: 4 * (2 * tokens + 2 * count) * width, isPerLane: false
        ) { device, random throws(ComputeError) in
            let (x, y) = (
                try Operand(device, tokens, width, .float32, &random),
                try Operand(device, tokens, width, .float32, &random)
            )
            let (shiftX, shiftTarget) = (
                try Operand(device, 1, width, .float32, &random), try Operand(device, 1, width, .float32, &random)
            )
            let rows = (0..<count).map { _ in Int32(random.index(tokens)) }
            let panels = try zeroPanels(panel, .float32, device)
            let pair = StreamPair(x: x.tensor, y: y.tensor, target: .contribution)
            let shifts = PanelShifts(x: shiftX.tensor, target: shiftTarget.tensor)
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.gatherPanels(pair, rows: rows, shifts: shifts, into: panels)
                }
            ) { judgement throws(ComputeError) in
                let tolerance = Tolerance(.float32, roundings: 0.5)
                let places = Places.spread(count, 5)
                try judgement.compareRows("x", panels.x, device, places: places, tolerance) { i in
                    (0..<width).map {
                        let want = x[Int(rows[i]), $0] - shiftX[0, $0]
                        return (want, abs(want))
                    }
                }
                try judgement.compareRows("target", panels.target, device, places: places, tolerance) { i in
                    (0..<width).map {
                        let want = y[Int(rows[i]), $0] - x[Int(rows[i]), $0] - shiftTarget[0, $0]
                        return (want, abs(want))
                    }
                }
                try judgeSums(panels, device, &judgement)
            }
        }
    }

    /// The sums are those of the numbers in the panels.
    private static func judgeSums(
        _ panels: Panels, _ device: Device, _ judgement: inout Judgement
    ) throws(ComputeError) {
        let tolerance = Tolerance(.float64, roundings: 2, factor: 2, length: panels.x.rows)
        for column in Places.spread(panels.x.columns, 3) {
            let x = try device.numbers(of: panels.x.columns(column..<column + 1))
            let target = try device.numbers(of: panels.target.columns(column..<column + 1))
            let got = try device.doubles(of: panels.sums.columns(column..<column + 1))
            let ones = [Double](repeating: 1, count: x.count)
            for (row, want) in [dot(x, ones), dot(target, ones), dot(target, target)].enumerated() {
                judgement.compare(
                    got[row], want.value, scale: want.scale, tolerance, "sums[\(row), \(column)]")
            }
        }
    }

    private static func crossProducts(_ panel: BenchmarkScale.Extent, _ type: ElementType) -> BenchmarkCase {
        let (count, width) = (panel.rows, panel.width)
        // The upper triangle of one product, and the whole other.
        let operations = Double(count) * (Double(width) * Double(width + 1) + 2 * Double(width) * Double(width))
        let byteCount = 2 * count * width * type.blockByteCount + 2 * 8 * width * width
        return BenchmarkCase(
            "add_cross_products", "\(type.rawValue) rows=\(count) width=\(width)",
            .computing(operations, in: type, bytes: byteCount + 2 * 8 * width * width), byteCount: byteCount,
            isPerLane: false
        ) { device, random throws(ComputeError) in
            let (x, target) = (
                try Operand(device, count, width, type, &random), try Operand(device, count, width, type, &random)
            )
            let panels = Panels(
                x: x.tensor, target: target.tensor,
                sums: try device.makeZeros([3, width], .float64, for: "a benchmark")
            )
            let gram = try device.makeZeros([width, width], .float64, for: "a benchmark")
            let cross = try device.makeZeros([width, width], .float64, for: "a benchmark")
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try device.addCrossProducts(panels, rowCount: count, gram: gram, cross: cross)
                }
            ) { judgement throws(ComputeError) in
                let length = type == .float32 ? min(count, Device.crossProductBlockRowCount) : count
                let tolerance = Tolerance(type, roundings: 4, factor: type == .float64 ? 2 : 1, length: length)
                for i in Places.spread(width, 3) {
                    let left = x.column(i)
                    let got = (
                        try device.doubles(of: gram.rows(i..<i + 1)), try device.doubles(of: cross.rows(i..<i + 1))
                    )
                    for j in Places.spread(width, 61) {
                        let (square, mixed) = (dot(left, x.column(j)), dot(left, target.column(j)))
                        if j >= i {
                            judgement.compare(
                                got.0[j], square.value, scale: square.scale, tolerance, "gram[\(i), \(j)]")
                        }
                        judgement.compare(got.1[j], mixed.value, scale: mixed.scale, tolerance, "cross[\(i), \(j)]")
                    }
                }
            }
        }
    }

    private static func zeroPanels(
        _ panel: BenchmarkScale.Extent, _ type: ElementType, _ device: Device
    ) throws(ComputeError) -> Panels {
        Panels(
            x: try device.makeZeros([panel.rows, panel.width], type, for: "a benchmark"),
            target: try device.makeZeros([panel.rows, panel.width], type, for: "a benchmark"),
            sums: try device.makeZeros([3, panel.width], .float64, for: "a benchmark"))
    }
}
