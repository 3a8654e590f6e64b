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
    private let meter: TokenErrorMeter
    private let measuresTokenErrors: Bool
    private let extent: Extent
    /// How moments are formed, and then again where that was not exact enough.
    private let precisions: [MomentPrecision]
    /// Seconds spent on moments so far, token statistics included.
    public private(set) var momentSeconds = 0.0
    /// Seconds spent on factorizations, fits and spectra so far.
    public private(set) var solveSeconds = 0.0
    /// Seconds spent on the errors of tokens so far.
    public private(set) var tokenErrorSeconds = 0.0

    /// What is measured, besides the norms and angles of tokens.
    public enum Extent: Sendable {
        case everything
        /// The scores that layers are chosen by: in-sample ones of every view, and held-out ones of the last. The other figures
        /// that take long are absent.
        case scores
    }

    /// What was measured of a step in one view.
    public struct Result: Sendable {
        public let figures: LayerFigures
        /// nil where they were not asked for, or the view has no map.
        public let tokenErrors: TokenErrors?

        public init(figures: LayerFigures, tokenErrors: TokenErrors?) {
            self.figures = figures
            self.tokenErrors = tokenErrors
        }
    }

    /// - Parameters:
    ///   - folds: For the held-out scores.
    ///   - skippedTokenCount: First tokens of each sequence that the second view leaves out; 0 for one view only.
    ///   - stages: Whether streams may be elsewhere than in the device's memory.
    ///   - measuresTokenErrors: Whether to measure every token's error too, for which there must be everything.
    public init(
        device: Device, layout: SequenceLayout, folds: FoldLayout, skippedTokenCount: Int, width: Int, stages: Bool,
        extent: Extent = .everything, measuresTokenErrors: Bool = false
    ) throws(TransformerError) {
        precondition(extent == .everything || !measuresTokenErrors, "errors of tokens need the maps of all folds")
        self.device = device
        self.layout = layout
        self.extent = extent
        self.measuresTokenErrors = measuresTokenErrors
        views = [.allTokens] + (skippedTokenCount > 0 ? [.withoutFirstTokens(skipping: skippedTokenCount)] : [])
        gatherer = try computing { () throws(ComputeError) in
            try MomentGatherer(
                device: device, layout: layout, folds: folds, maskedTokenCount: skippedTokenCount, width: width,
                stages: stages)
        }
        let isPrecise =
            measuresTokenErrors && layout.tokenCount <= TokenErrorMeter.preciseTokenCountPerColumn * width
        precisions = isPrecise ? [.float64] : [.float32Blocks, .float64]
        meter = TokenErrorMeter(device: device, layout: layout, folds: folds, views: views, gatherer: gatherer)
    }

    /// Bytes taken besides the streams, at most.
    public static func byteCount(
        width: Int, foldCount: Int, laneCount: Int, measuresTokenErrors: Bool
    ) -> Int {
        let matrix = width * width * 8
        let groups = 4 * foldCount * matrix
        let totals = 2 * 2 * matrix
        let solving = laneCount * 7 * matrix
        let panels = MomentGatherer.panelByteCount(width: width)
        // The maps are kept beside the moments until all are solved.
        let maps = measuresTokenErrors ? 2 * (foldCount + 1) * matrix : 0
        let tokenErrors = measuresTokenErrors ? TokenErrorMeter.byteCount(width: width, laneCount: laneCount) : 0
        return max(groups + totals + solving, tokenErrors) + maps + panels
    }

    /// What is to be said of the step from x to y, one for each view.
    public func measure(x: Stream, y: Stream) throws(TransformerError) -> [Result] {
        let estimate = try gatherer.estimate(x: x, y: y)
        var tokens = [TokenStatistics](repeating: TokenStatistics(), count: views.count)
        for view in views.indices { tokens[view].reserveCapacity(layout.tokenCount) }
        for precision in precisions {
            let solutions = try solve(x, y, estimate, precision) { rows, statistics in
                if precision == precisions[0] { addStatistics(rows, statistics, to: &tokens) }
            }
            guard let solutions, let errors = try errors(x, y, estimate, solutions) else { continue }
            return views.indices.map {
                Result(figures: solutions[$0].figures(tokens[$0], precision: precision), tokenErrors: errors[$0])
            }
        }
        return []
    }

    /// The errors of tokens in all views, none where they are not asked for; nil where the moments are not exact enough.
    private func errors(
        _ x: Stream, _ y: Stream, _ estimate: MomentEstimate, _ solutions: [ViewSolution]
    ) throws(TransformerError) -> [TokenErrors?]? {
        guard measuresTokenErrors else { return Array(repeating: nil, count: views.count) }
        var stopwatch = Stopwatch()
        defer { tokenErrorSeconds += stopwatch.lap() }
        return try meter.measure(x: x, y: y, estimate, solutions)
    }

    /// Forms the moments of all groups and solves them; nil where the precision does not resolve the data.
    private func solve(
        _ x: Stream, _ y: Stream, _ estimate: MomentEstimate, _ precision: MomentPrecision,
        visit: (_ rows: Range<Int>, _ statistics: [Double]) -> Void = { _, _ in }
    ) throws(TransformerError) -> [ViewSolution]? {
        var stopwatch = Stopwatch()
        let groups = try gatherer.gather(x: x, y: y, estimate, precision: precision, visit: visit)
        momentSeconds += stopwatch.lap()
        let solutions = try solve(groups)
        solveSeconds += stopwatch.lap()
        return solutions
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
            guard !groups.masked.isEmpty else {
                return try ViewSolution.solve(
                    views: [groups.kept], keepsMaps: measuresTokenErrors, extent: extent, device: device)
            }
            let all = Mutex<[Int: Moments]>([:])
            try device.concurrently(groups.kept.count) { fold, _ throws(ComputeError) in
                let sum = try Moments.sum([groups.kept[fold], groups.masked[fold]])
                all.withLock { $0[fold] = sum }
            }
            let folds = all.withLock { sums in groups.kept.indices.compactMap { sums[$0] } }
            return try ViewSolution.solve(
                views: [folds, groups.kept], keepsMaps: measuresTokenErrors, extent: extent, device: device)
        }
    }
}
