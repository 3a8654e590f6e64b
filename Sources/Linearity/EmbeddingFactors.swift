import Compute
import LinearAlgebra
import Synchronization
import Tensors

/// Forms the triangular factor of the moments of every fold of two matrices, in one pass over their rows.
struct EmbeddingFactors {
    private let moments: EmbeddingMoments
    private let runs: [Run]

    /// Rows that are factored at once.
    static let panelRowCount = 512
    /// Rows of each run that are taken in between two steps of the progress.
    private static let stepRowCount = 2048
    /// Bytes of factors, beside those of the folds, that are worth more work for the lanes.
    private static let runByteCount = 256 << 20

    /// Rows of one fold that are factored by themselves, whatever the number of lanes.
    private struct Run: Sendable {
        let fold: Int
        let rows: Range<Int>
    }

    /// For each fold its factor, and the norms of the centred rows of all.
    struct Groups {
        var folds: [MomentFactor]
        var rowSquares: RowSquares
    }

    init(_ moments: EmbeddingMoments) {
        self.moments = moments
        let (folds, rows) = (moments.folds, moments.rows)
        let count = EmbeddingFactors.runCount(
            order: 1 + rows.x.columnCount + rows.y.columnCount, foldRowCount: rows.count / folds.foldCount,
            foldCount: folds.foldCount)
        runs = (0..<folds.foldCount).flatMap { fold in
            let range = folds.rows(ofFold: fold)
            return (0..<count).map { run in
                let (begin, end) = (run * range.count / count, (run + 1) * range.count / count)
                return Run(fold: fold, rows: range.lowerBound + begin..<range.lowerBound + end)
            }
        }
    }

    /// Runs of one fold: up to eight, of rows enough that joining their factors is little of the work.
    static func runCount(order: Int, foldRowCount: Int, foldCount: Int) -> Int {
        max(1, min(8, runByteCount / (8 * order * order * foldCount), foldRowCount / (8 * order)))
    }

    /// What one run has gathered so far.
    private struct State: Sendable {
        var accumulator: MomentFactorAccumulator
        var rowSquares = RowSquares()
    }

    /// Memory of one lane.
    private struct Workspace: Sendable {
        let staging: (x: Tensor, y: Tensor)
        let panel: MomentFactorAccumulator.Workspace
        let meter: CentredRowMeter

        init(_ rows: EmbeddingRows, _ survey: EmbeddingSurvey, rowCount: Int) throws(ComputeError) {
            staging = try rows.makeStaging(rowCount: rowCount)
            panel = try MomentFactorAccumulator.Workspace(
                device: rows.device, capacity: rowCount, width: rows.x.columnCount, targetWidth: rows.y.columnCount)
            meter = try CentredRowMeter(rows, survey, rowCount: rowCount)
        }
    }

    /// - Parameter progress: Called with the number of rows added so far.
    func gather(progress: (Int) -> Void) throws(ComputeError) -> Groups {
        let (device, rows) = (moments.rows.device, moments.rows)
        let shifts = try moments.survey.shifts(moments.target, rows)
        let workspaces = try (0..<device.laneCount).map { _ throws(ComputeError) in
            try Workspace(rows, moments.survey, rowCount: EmbeddingFactors.panelRowCount)
        }
        let states = Mutex(
            try runs.map { _ throws(ComputeError) in
                State(
                    accumulator: try MomentFactorAccumulator(device: device, target: moments.target, shifts: shifts))
            })
        let longest = runs.map(\.rows.count).max() ?? 0
        for begin in stride(from: 0, to: longest, by: EmbeddingFactors.stepRowCount) {
            let end = begin + EmbeddingFactors.stepRowCount
            try device.concurrently(runs.count) { [runs] run, lane throws(ComputeError) in
                let range = runs[run].rows
                let step =
                    min(range.lowerBound + begin, range.upperBound)..<min(range.lowerBound + end, range.upperBound)
                var state = states.withLock { $0[run] }
                try EmbeddingFactors.add(step, of: rows, to: &state, workspaces[lane])
                states.withLock { [state] in $0[run] = state }
            }
            progress(runs.reduce(0) { $0 + min(end, $1.rows.count) })
        }
        return try groups(states.withLock { $0 })
    }

    private static func add(
        _ range: Range<Int>, of rows: EmbeddingRows, to state: inout State, _ workspace: Workspace
    ) throws(ComputeError) {
        for begin in stride(from: range.lowerBound, to: range.upperBound, by: panelRowCount) {
            let block = begin..<min(begin + panelRowCount, range.upperBound)
            let (x, y) = (workspace.staging.x.rows(0..<block.count), workspace.staging.y.rows(0..<block.count))
            try rows.read(block, of: rows.x, into: x)
            try rows.read(block, of: rows.y, into: y)
            rows.release(block)
            try state.accumulator.add(x: x, y: y, workspace: workspace.panel)
            let squares = try workspace.meter.squares(x: x, y: y)
            state.rowSquares.add(input: squares.x, output: squares.y)
        }
    }

    private func groups(_ states: [State]) throws(ComputeError) -> Groups {
        var rowSquares = RowSquares()
        for state in states { rowSquares.add(state.rowSquares) }
        let folds = Mutex<[Int: MomentFactor]>([:])
        try moments.rows.device.concurrently(moments.folds.foldCount) { [runs] fold, _ throws(ComputeError) in
            let factors = try runs.indices.filter { runs[$0].fold == fold }.map { run throws(ComputeError) in
                try states[run].accumulator.factor()
            }
            let sum = try factors.count == 1 ? factors[0] : MomentFactor.sum(factors)
            folds.withLock { $0[fold] = sum }
        }
        let sums = folds.withLock { $0 }
        return Groups(folds: (0..<moments.folds.foldCount).compactMap { sums[$0] }, rowSquares: rowSquares)
    }
}
