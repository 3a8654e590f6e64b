import Checkpoints
import Compute
import LinearAlgebra
import Tensors

/// Forms the moments of every fold of two matrices, in one pass over their rows.
struct EmbeddingMoments {
    let rows: EmbeddingRows
    let survey: EmbeddingSurvey
    let folds: FoldLayout
    let target: MomentTarget

    /// Rows whose products are formed at once.
    static let panelRowCount = 2048

    /// For each fold its moments, S_tt among them, and the norms of the centred rows of all.
    struct Groups {
        var folds: [Moments] = []
        var rowSquares = RowSquares()
    }

    /// - Parameter progress: Called with the number of rows added so far.
    func gather(_ precision: MomentPrecision, progress: (Int) -> Void) throws(ComputeError) -> Groups {
        let device = rows.device
        let capacity = min(EmbeddingMoments.panelRowCount, rows.count)
        let staging = try rows.makeStaging(rowCount: capacity)
        let panels = try PanelWorkspace(
            device: device, capacity: capacity, width: rows.x.columnCount, targetWidth: rows.y.columnCount,
            precision: precision)
        let shifts = try survey.shifts(target, rows)
        let meter = try CentredRowMeter(rows, survey, rowCount: capacity)
        let indices = (0..<Int32(capacity)).map(\.self)
        var groups = Groups()
        for fold in 0..<folds.foldCount {
            var accumulator = try MomentAccumulator(
                device: device, target: target, shifts: shifts, keepsTargetGram: true)
            let foldRows = folds.rows(ofFold: fold)
            for begin in stride(from: foldRows.lowerBound, to: foldRows.upperBound, by: capacity) {
                let range = begin..<min(begin + capacity, foldRows.upperBound)
                let panel = try rows.read(range, into: staging)
                rows.prefetch(range.upperBound..<range.upperBound + capacity)
                try accumulator.add(x: panel.x, y: panel.y, rows: Array(indices[..<range.count]), panels: panels)
                let squares = try meter.squares(x: panel.x, y: panel.y)
                groups.rowSquares.add(input: squares.x, output: squares.y)
                progress(range.upperBound)
            }
            groups.folds.append(try accumulator.moments())
        }
        return groups
    }
}

/// Measures ‖x_c‖² and ‖y_c‖² of rows.
struct CentredRowMeter: Sendable {
    private let device: Device
    private let centers: (x: Tensor, y: Tensor)
    private let results: (x: Tensor, y: Tensor)

    /// - Parameter rowCount: Rows that are measured at once, at most.
    init(_ rows: EmbeddingRows, _ survey: EmbeddingSurvey, rowCount: Int) throws(ComputeError) {
        device = rows.device
        centers = (
            try device.makeTensor(survey.meanX, [survey.meanX.count], for: "column means"),
            try device.makeTensor(survey.meanY, [survey.meanY.count], for: "column means")
        )
        results = (
            try device.makeTensor([1, rowCount], .float64, for: "row norms"),
            try device.makeTensor([1, rowCount], .float64, for: "row norms")
        )
    }

    func squares(x: Tensor, y: Tensor) throws(ComputeError) -> (x: [Double], y: [Double]) {
        let places = (results.x.columns(0..<x.rows), results.y.columns(0..<y.rows))
        try device.squaredDistances(x, from: centers.x, into: places.0)
        try device.squaredDistances(y, from: centers.y, into: places.1)
        return (try device.doubles(of: places.0), try device.doubles(of: places.1))
    }
}

extension EmbeddingRows {
    /// Which of B = Y - X and Y varies less on a sample of rows: the other is derived from it, and would lose digits the
    /// other way round. Y where there is no B, or B lies so far from zero that Y is lost in its rounding.
    func target(_ survey: EmbeddingSurvey) throws(ComputeError) -> MomentTarget {
        guard hasEqualWidths else { return .output }
        let (runCount, runRowCount) = (min(16, count), 32)
        let staging = try makeStaging(rowCount: runRowCount)
        let workspace = try PanelWorkspace(
            device: device, capacity: runRowCount, width: x.columnCount, precision: .float64)
        var squares: [MomentTarget: Double] = [:]
        var sampleCount = 0
        for run in 0..<runCount {
            let begin = run * count / runCount
            let panel = try read(begin..<min(begin + runRowCount, count), into: staging)
            sampleCount += panel.x.rows
            for target in [MomentTarget.contribution, .output] {
                let sums = try workspace.columnSums(
                    StreamPair(x: panel.x, y: panel.y, target: target), about: survey.shifts(target, self))
                squares[target, default: 0] += sums.targetSquares.reduce(0, +)
            }
        }
        let (contribution, output) = (squares[.contribution, default: 0], squares[.output, default: 0])
        let meanSquares = zip(survey.meanX, survey.meanY).reduce(0) { $0 + ($1.1 - $1.0) * ($1.1 - $1.0) }
        // The difference is rounded, to float64, before its mean is taken off.
        let loss = Double.ulpOfOne * Double.ulpOfOne * Double(sampleCount) * meanSquares
        return contribution < output && loss <= EmbeddingRows.allowedLoss * output ? .contribution : .output
    }

    /// Of the squares of Y_c, to the rounding of Y - X.
    private static let allowedLoss = 1e-17
}
