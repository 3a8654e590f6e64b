public import Compute
import LinearAlgebra
import Synchronization
public import Transformers

/// Measures one layer's step from the streams that enter and leave it.
///
/// Rows fall into disjoint groups, fold × masked or kept. Each group's moments are formed once; every view and every
/// training set is a sum of groups.
public final class LayerMeasurement {
    private let device: Device
    private let layout: SequenceLayout
    private let views: [View]
    private let gatherer: MomentGatherer
    /// Seconds spent on moments so far, token statistics included.
    public private(set) var momentSeconds = 0.0
    /// Seconds spent on factorizations, fits and spectra so far.
    public private(set) var solveSeconds = 0.0

    /// - Parameters:
    ///   - folds: For the held-out scores.
    ///   - skippedTokenCount: First tokens of each sequence that the second view leaves out; 0 for one view only.
    ///   - stages: Whether streams may be in a scratch file.
    public init(
        device: Device, layout: SequenceLayout, folds: FoldLayout, skippedTokenCount: Int, width: Int, stages: Bool
    ) throws(TransformerError) {
        self.device = device
        self.layout = layout
        views = [.allTokens] + (skippedTokenCount > 0 ? [.withoutFirstTokens(skipping: skippedTokenCount)] : [])
        gatherer = try computing { () throws(ComputeError) in
            try MomentGatherer(
                device: device, layout: layout, folds: folds, maskedTokenCount: skippedTokenCount, width: width,
                stages: stages)
        }
    }

    /// Bytes taken besides the streams, at most.
    public static func byteCount(width: Int, foldCount: Int, laneCount: Int) -> Int {
        let matrix = width * width * 8
        let groups = 4 * foldCount * matrix
        let totals = 2 * 2 * matrix
        let solving = laneCount * 7 * matrix
        let panels = MomentGatherer.panelRowCount * width * (2 * 4 + 2 * 4 + 2 * 8)
        return groups + totals + solving + panels
    }

    /// Figures of the step from x to y, one for each view.
    public func measure(x: Stream, y: Stream) throws(TransformerError) -> [LayerFigures] {
        var stopwatch = Stopwatch()
        let estimate = try gatherer.estimate(x: x, y: y)
        var tokens = [TokenStatistics](repeating: TokenStatistics(), count: views.count)
        for view in views.indices { tokens[view].reserveCapacity(layout.tokenCount) }
        var groups = try gatherer.gather(x: x, y: y, estimate, precision: .float32Blocks) { rows, statistics in
            addStatistics(rows, statistics, to: &tokens)
        }
        momentSeconds += stopwatch.lap()
        var solutions = try solve(groups)
        solveSeconds += stopwatch.lap()
        if solutions == nil {
            groups = try gatherer.gather(x: x, y: y, estimate, precision: .float64)
            momentSeconds += stopwatch.lap()
            solutions = try solve(groups)
            solveSeconds += stopwatch.lap()
        }
        return zip(solutions ?? [], tokens).map { $0.figures($1, precision: groups.precision) }
    }

    private func addStatistics(_ rows: Range<Int>, _ values: [Double], to tokens: inout [TokenStatistics]) {
        var sequence = layout.sequence(ofRow: rows.lowerBound)
        for (index, row) in rows.enumerated() {
            while row >= layout.offsets[sequence + 1] { sequence += 1 }
            let position = row - layout.offsets[sequence]
            for (view, description) in views.enumerated() where position >= description.skippedTokenCount {
                tokens[view].add(values[4 * index..<4 * index + 4])
            }
        }
    }

    private func solve(_ groups: MomentGroups) throws(TransformerError) -> [ViewSolution]? {
        try computing { () throws(ComputeError) in
            guard !groups.masked.isEmpty else { return try ViewSolution.solve(views: [groups.kept], device: device) }
            let all = Mutex<[Int: Moments]>([:])
            try device.concurrently(groups.kept.count) { fold, _ throws(ComputeError) in
                let sum = try Moments.sum([groups.kept[fold], groups.masked[fold]])
                all.withLock { $0[fold] = sum }
            }
            let folds = all.withLock { sums in groups.kept.indices.compactMap { sums[$0] } }
            return try ViewSolution.solve(views: [folds, groups.kept], device: device)
        }
    }
}
