import Checkpoints
import Compute
import LinearAlgebra
import Synchronization
import Tensors

/// What a first look at every row tells: that all numbers are finite, the column means, norms and angles of the rows, and
/// the files' fingerprints.
///
/// With the means at hand, all that follows is of centred rows, however far they lie from the origin.
struct EmbeddingSurvey: Sendable {
    var meanX: [Double]
    var meanY: [Double]
    /// Which columns hold more than one number.
    var variesX: [Bool] = []
    var variesY: [Bool] = []
    /// nil where the matrices are of different widths.
    var statistics: TokenStatistics?
    /// Mean of ‖x‖.
    var normMean = 0.0
    var fingerprintX = ""
    var fingerprintY = ""

    /// Rows that are looked at between two steps of the progress.
    private static let stepRowCount = 1 << 14

    /// Reads all rows.
    ///
    /// - Parameter progress: Called with the number of rows seen so far.
    /// - Throws: `LinearityError.notFinite` with the first place of a NaN or an infinity, and what the device throws.
    static func take(_ rows: EmbeddingRows, progress: (Int) -> Void) throws(LinearityError) -> EmbeddingSurvey {
        var surveyor = try comparing { () throws(ComputeError) in try Surveyor(rows) }
        let isOneFile = rows.x.path == rows.y.path
        var fingerprints = (x: FileFingerprint(rows.x.file), y: FileFingerprint(rows.y.file))
        for begin in stride(from: 0, to: rows.count, by: stepRowCount) {
            let range = begin..<min(begin + stepRowCount, rows.count)
            try surveyor.add(range)
            // While the pages are in memory.
            fingerprints.x.advance(to: rows.x.byteCount(throughRow: range.upperBound) ?? 0)
            if !isOneFile { fingerprints.y.advance(to: rows.y.byteCount(throughRow: range.upperBound) ?? 0) }
            rows.release(range)
            progress(range.upperBound)
        }
        var survey = try surveyor.survey()
        try checkMeans(survey.meanX, of: rows.x)
        try checkMeans(survey.meanY, of: rows.y)
        survey.fingerprintX = fingerprints.x.finish()
        survey.fingerprintY = isOneFile ? survey.fingerprintX : fingerprints.y.finish()
        return survey
    }

    /// Differences of huge numbers may not be finite where these are.
    private static func checkMeans(_ means: [Double], of matrix: StoredMatrix) throws(LinearityError) {
        guard let column = means.firstIndex(where: { !$0.isFinite }) else { return }
        throw .magnitude(path: matrix.path, column: column)
    }

    /// The means as shifts in the element type of the rows.
    func shifts(_ target: MomentTarget, _ rows: EmbeddingRows) throws(ComputeError) -> PanelShifts {
        let meanTarget = target == .output ? meanY : zip(meanY, meanX).map { $0 - $1 }
        return PanelShifts(
            x: try rows.device.makeTensor(
                rounding: meanX, [meanX.count], rows.elementType, for: "column means"),
            target: try rows.device.makeTensor(
                rounding: meanTarget, [meanTarget.count], rows.elementType, for: "column means"))
    }
}

/// Adds up what a survey tells, run by run in the order of the rows.
private struct Surveyor {
    private let rows: EmbeddingRows
    /// The first row: near enough to all others that sums of differences lose little.
    private let origin: PanelShifts
    /// The same in plain numbers.
    private let first: (x: [Double], y: [Double])
    private var sumsX: [Double]
    private var sumsY: [Double]
    private var variesX: [Bool]
    private var variesY: [Bool]
    private var statistics: TokenStatistics?
    private var normSum = 0.0

    init(_ rows: EmbeddingRows) throws(ComputeError) {
        self.rows = rows
        let first = try rows.makeStaging(rowCount: 1)
        try rows.read(0..<1, of: rows.x, into: first.x)
        try rows.read(0..<1, of: rows.y, into: first.y)
        origin = PanelShifts(
            x: first.x.reshaped([rows.x.columnCount]), target: first.y.reshaped([rows.y.columnCount]))
        self.first = (try rows.device.numbers(of: first.x), try rows.device.numbers(of: first.y))
        sumsX = [Double](repeating: 0, count: rows.x.columnCount)
        sumsY = [Double](repeating: 0, count: rows.y.columnCount)
        variesX = sumsX.map { _ in false }
        variesY = sumsY.map { _ in false }
        if rows.hasEqualWidths {
            statistics = TokenStatistics()
            statistics?.reserveCapacity(rows.count)
        }
    }

    private struct RunSums: Sendable {
        var x: [Double]
        var y: [Double]
        /// As `Device.rowStatistics` gives them, or ‖x‖² alone.
        var rows: [Double]
        /// Columns that differ from the first row; nil where that was not looked at.
        var variesX: [Bool]?
        var variesY: [Bool]?
    }

    mutating func add(_ range: Range<Int>) throws(LinearityError) {
        let (rows, origin) = (rows, origin)
        // Sums of differences may be 0 where these are not. Mostly the first rows tell all.
        let unknown = (x: variesX.contains(false) ? first.x : nil, y: variesY.contains(false) ? first.y : nil)
        let runs = rows.runs(of: range)
        let found = Mutex([RunSums?](repeating: nil, count: runs.count))
        try rows.device.concurrently(runs.count) { task, _ throws(LinearityError) in
            let sums = try Surveyor.look(at: runs[task], rows, origin, first: unknown)
            found.withLock { $0[task] = sums }
        }
        for sums in found.withLock({ $0 }) {
            guard let sums else { continue }
            for i in sumsX.indices { sumsX[i] += sums.x[i] }
            for i in sumsY.indices { sumsY[i] += sums.y[i] }
            if let varies = sums.variesX { for i in varies.indices where varies[i] { variesX[i] = true } }
            if let varies = sums.variesY { for i in varies.indices where varies[i] { variesY[i] = true } }
            if statistics == nil {
                for square in sums.rows { normSum += square.squareRoot() }
            } else {
                for row in stride(from: 0, to: sums.rows.count, by: 4) {
                    statistics?.add(sums.rows[row..<row + 4])
                    normSum += sums.rows[row]
                }
            }
        }
    }

    private static func look(
        at range: Range<Int>, _ rows: EmbeddingRows, _ origin: PanelShifts, first: (x: [Double]?, y: [Double]?)
    ) throws(LinearityError) -> RunSums {
        let (device, widths) = (rows.device, (x: rows.x.columnCount, y: rows.y.columnCount))
        let staging = try comparing { () throws(ComputeError) in
            let staging = try rows.makeStaging(rowCount: range.count)
            try rows.read(range, of: rows.x, into: staging.x)
            try rows.read(range, of: rows.y, into: staging.y)
            return staging
        }
        for (matrix, tensor) in [(rows.x, staging.x), (rows.y, staging.y)] {
            try checkFinite(tensor, matrix, firstRow: range.lowerBound, device)
        }
        return try comparing { () throws(ComputeError) in
            let variesX = try first.x.map { row throws(ComputeError) in try varyingColumns(staging.x, row, device) }
            let variesY = try first.y.map { row throws(ComputeError) in try varyingColumns(staging.y, row, device) }
            let workspace = try PanelWorkspace(
                device: device, capacity: range.count, width: widths.x, targetWidth: widths.y, precision: .float64)
            let sums = try workspace.columnSums(StreamPair(x: staging.x, y: staging.y, target: .output), about: origin)
            let values: Tensor
            if rows.hasEqualWidths {
                values = try device.makeTensor([range.count, 4], .float64, for: "row statistics")
                try device.rowStatistics(staging.x, staging.y, into: values)
            } else {
                values = try device.makeTensor([range.count], .float64, for: "row norms")
                let zero = try device.makeZeros([widths.x], .float64, for: "an origin")
                try device.squaredDistances(staging.x, from: zero, into: values)
            }
            return RunSums(
                x: sums.x, y: sums.target, rows: try device.doubles(of: values), variesX: variesX, variesY: variesY)
        }
    }

    private static func varyingColumns(
        _ tensor: Tensor, _ first: [Double], _ device: Device
    ) throws(ComputeError) -> [Bool] {
        let elements = try device.numbers(of: tensor)
        var varies = first.map { _ in false }
        for begin in stride(from: 0, to: elements.count, by: first.count) {
            for column in first.indices where elements[begin + column] != first[column] { varies[column] = true }
        }
        return varies
    }

    private static func checkFinite(
        _ tensor: Tensor, _ matrix: StoredMatrix, firstRow: Int, _ device: Device
    ) throws(LinearityError) {
        let place = try comparing { () throws(ComputeError) in
            try device.firstNonFiniteRow(tensor).map { row throws(ComputeError) in
                let values = try device.numbers(of: tensor.rows(row..<row + 1))
                let column = values.firstIndex { !$0.isFinite } ?? 0
                return (row: row, column: column, value: values[column])
            }
        }
        guard let place else { return }
        throw .notFinite(
            path: matrix.path, tensor: matrix.name, row: firstRow + place.row, column: place.column,
            value: place.value)
    }

    func survey() throws(LinearityError) -> EmbeddingSurvey {
        let count = Double(rows.count)
        return try comparing { () throws(ComputeError) in
            var survey = EmbeddingSurvey(
                meanX: zip(try rows.device.numbers(of: origin.x), sumsX).map { $0 + $1 / count },
                meanY: zip(try rows.device.numbers(of: origin.target), sumsY).map { $0 + $1 / count })
            (survey.variesX, survey.variesY) = (variesX, variesY)
            survey.statistics = statistics
            survey.normMean = normSum / count
            return survey
        }
    }
}

/// Runs `body`, and rethrows the device's error as the module's.
func comparing<Result>(_ body: () throws(ComputeError) -> Result) throws(LinearityError) -> Result {
    do { return try body() } catch { throw .compute(error) }
}
