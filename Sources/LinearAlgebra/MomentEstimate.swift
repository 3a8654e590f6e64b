public import Compute
public import Tensors

/// What a sample of rows says beforehand: which of B and Y is the smaller, and where the means are about.
public struct MomentEstimate: Sendable {
    /// The one of smaller centred norm: the other is derived from it, and would lose digits the other way round.
    public let target: MomentTarget
    /// The sample's column means of x and of the target, rounded to float32.
    public let shifts: PanelShifts

    /// Looks at a sample.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32; `y` likewise.
    ///   - rows: The sample, at least one row.
    public init(device: Device, x: Tensor, y: Tensor, rows: [Int32]) throws(ComputeError) {
        let contribution = try Sample(device, StreamPair(x: x, y: y, target: .contribution), rows)
        let output = try Sample(device, StreamPair(x: x, y: y, target: .output), rows)
        let best = contribution.centredSquares < output.centredSquares ? contribution : output
        target = best.target
        shifts = PanelShifts(
            x: try device.makeTensor(best.meanX, [x.columns], for: "shifts"),
            target: try device.makeTensor(best.meanTarget, [x.columns], for: "shifts"))
    }

    private struct Sample {
        let target: MomentTarget
        var meanX: [Float] = []
        var meanTarget: [Float] = []
        /// ‖T_c‖² over the sample.
        var centredSquares = 0.0

        init(_ device: Device, _ pair: StreamPair, _ rows: [Int32]) throws(ComputeError) {
            target = pair.target
            let width = pair.x.columns
            let zero = try device.makeZeros([width], .float32, for: "shifts")
            let workspace = try PanelWorkspace(device: device, capacity: rows.count, width: width, precision: .float64)
            let sums = try device.makeZeros([3, width], .float64, for: "column sums")
            try device.gatherPanels(
                pair, rows: rows, shifts: PanelShifts(x: zero, target: zero),
                into: Panels(x: workspace.x, target: workspace.target, sums: sums))
            let totals = try device.doubles(of: sums)
            let count = Double(rows.count)
            for i in 0..<width {
                let mean = totals[width + i] / count
                meanX.append(Float(totals[i] / count))
                meanTarget.append(Float(mean))
                centredSquares += max(0, totals[2 * width + i] - count * mean * mean)
            }
        }
    }
}
