package import Compute
package import LinearAlgebra
import Tensors
package import Transformers

/// Moments of disjoint groups of rows, fold × kept or masked, of one layer's step.
package struct MomentGroups {
    /// For each fold, the rows that every view sees.
    package var kept: [Moments]
    /// For each fold, the rows that only the view of all tokens sees; empty without masked rows.
    var masked: [Moments]
    var precision: MomentPrecision
}

/// Walks the rows of a corpus in panels, and forms the moments of each group once.
///
/// Panels do not depend on slabs or lanes, so that results do not either.
package struct MomentGatherer {
    let device: Device
    let layout: SequenceLayout
    let folds: FoldLayout
    /// First tokens of each sequence that are masked.
    let maskedTokenCount: Int
    let width: Int
    /// Where rows of a stream that is not in the device's memory are copied to.
    private let staging: (x: Tensor, y: Tensor)?
    private let statistics: Tensor

    /// Rows gathered at once.
    static let panelRowCount = 2048

    /// Bytes of panels, of either precision, and of rows that are copied.
    package static func panelByteCount(width: Int) -> Int { panelRowCount * width * (2 * 4 + 2 * 4 + 2 * 8) }

    /// Rows from which the means are first estimated.
    private static let sampleRowCount = 512

    package init(
        device: Device, layout: SequenceLayout, folds: FoldLayout, maskedTokenCount: Int, width: Int, stages: Bool
    ) throws(ComputeError) {
        self.device = device
        self.layout = layout
        self.folds = folds
        self.maskedTokenCount = maskedTokenCount
        self.width = width
        let capacity = min(MomentGatherer.panelRowCount, layout.tokenCount)
        let shape: Shape = [capacity, width]
        statistics = try device.makeTensor([capacity, 4], .float64, for: "token statistics")
        staging =
            try stages
            ? (
                x: device.makeTensor(shape, .float32, for: "rows of the stream"),
                y: device.makeTensor(shape, .float32, for: "rows of the stream")
            ) : nil
    }

    /// Looks at the first panel, to choose what to accumulate and about which shifts.
    package func estimate(x: Stream, y: Stream) throws(TransformerError) -> MomentEstimate {
        let rows = 0..<min(MomentGatherer.panelRowCount, layout.tokenCount)
        let (kept, masked) = split(rows)
        let candidates = kept.isEmpty ? masked : kept
        let count = min(MomentGatherer.sampleRowCount, candidates.count)
        let sample = (0..<count).map { candidates[$0 * candidates.count / count] }
        let panels = try panels(rows, x: x, y: y)
        return try computing { () throws(ComputeError) in
            try MomentEstimate(device: device, x: panels.x, y: panels.y, rows: sample)
        }
    }

    /// The given rows of both streams, at most `panelRowCount`; valid until the next are asked for.
    func panels(_ rows: Range<Int>, x: Stream, y: Stream) throws(TransformerError) -> (x: Tensor, y: Tensor) {
        (try x.rows(rows, staging: staging?.x), try y.rows(rows, staging: staging?.y))
    }

    /// Forms the moments of all groups.
    ///
    /// - Parameters:
    ///   - precision: Of the kept rows; the few masked ones, whose norms stand far out, are multiplied in float64.
    ///   - gathersMasked: Whether the masked rows' moments are wanted.
    ///   - visit: Called with every panel's packed rows and their statistics, four numbers a row; see
    ///     `Device.rowStatistics`.
    package func gather(
        x: Stream, y: Stream, _ estimate: MomentEstimate, precision: MomentPrecision, gathersMasked: Bool = true,
        visit: (_ rows: Range<Int>, _ statistics: [Double]) -> Void = { _, _ in }
    ) throws(TransformerError) -> MomentGroups {
        let precisePanels = try workspace(.float64)
        let panels = try precision == .float64 ? precisePanels : workspace(precision)
        var groups = MomentGroups(kept: [], masked: [], precision: precision)
        for fold in 0..<folds.foldCount {
            var kept = try accumulator(estimate)
            var masked = try maskedTokenCount > 0 && gathersMasked ? accumulator(estimate) : nil
            let foldRows = folds.rows(ofFold: fold)
            for begin in stride(from: foldRows.lowerBound, to: foldRows.upperBound, by: MomentGatherer.panelRowCount) {
                let rows = begin..<min(begin + MomentGatherer.panelRowCount, foldRows.upperBound)
                let (keptRows, maskedRows) = split(rows)
                let streams = try self.panels(rows, x: x, y: y)
                try computing { () throws(ComputeError) in
                    let statistics = try rowStatistics(streams.x, streams.y)
                    try kept.add(x: streams.x, y: streams.y, rows: keptRows, panels: panels)
                    try masked?.add(x: streams.x, y: streams.y, rows: maskedRows, panels: precisePanels)
                    visit(rows, statistics)
                }
            }
            try computing { () throws(ComputeError) in
                groups.kept.append(try kept.moments())
                if let moments = try masked?.moments() { groups.masked.append(moments) }
            }
        }
        return groups
    }

    /// Indices within a range of packed rows: those every view sees, and those at the start of their sequence.
    func split(_ rows: Range<Int>) -> (kept: [Int32], masked: [Int32]) {
        var (kept, masked): ([Int32], [Int32]) = ([], [])
        kept.reserveCapacity(rows.count)
        var sequence = layout.sequence(ofRow: rows.lowerBound)
        for row in rows {
            while row >= layout.offsets[sequence + 1] { sequence += 1 }
            if row - layout.offsets[sequence] < maskedTokenCount {
                masked.append(Int32(row - rows.lowerBound))
            } else {
                kept.append(Int32(row - rows.lowerBound))
            }
        }
        return (kept, masked)
    }

    private func rowStatistics(_ x: Tensor, _ y: Tensor) throws(ComputeError) -> [Double] {
        let result = statistics.rows(0..<x.rows)
        try device.rowStatistics(x, y, into: result)
        return try device.doubles(of: result)
    }

    private func workspace(_ precision: MomentPrecision) throws(TransformerError) -> PanelWorkspace {
        let capacity = min(MomentGatherer.panelRowCount, layout.tokenCount)
        return try computing { () throws(ComputeError) in
            try PanelWorkspace(device: device, capacity: capacity, width: width, precision: precision)
        }
    }

    private func accumulator(_ estimate: MomentEstimate) throws(TransformerError) -> MomentAccumulator {
        try computing { () throws(ComputeError) in
            try MomentAccumulator(
                device: device, target: estimate.target, shifts: estimate.shifts)
        }
    }
}

/// Runs `body`, and rethrows the device's error as the engine's.
func computing<Result>(_ body: () throws(ComputeError) -> Result) throws(TransformerError) -> Result {
    do { return try body() } catch { throw .compute(error) }
}
