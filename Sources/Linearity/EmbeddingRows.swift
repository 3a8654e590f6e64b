import Checkpoints
import Compute
import Synchronization
import Tensors

/// Two matrices in files whose rows belong together, and the device that their rows are read to.
struct EmbeddingRows: Sendable {
    let x: StoredMatrix
    let y: StoredMatrix
    let device: Device
    /// What the rows are read as: float64 where either matrix is, else float32, which holds the smaller types exactly.
    let elementType: ElementType

    var count: Int { x.rowCount }
    var hasEqualWidths: Bool { x.columnCount == y.columnCount }

    init(x: StoredMatrix, y: StoredMatrix, device: Device) {
        self.x = x
        self.y = y
        self.device = device
        elementType = x.elementType == .float64 || y.elementType == .float64 ? .float64 : .float32
    }

    /// Rows that one lane reads at once. Of a column-major matrix every column is touched for them, and more are worth it.
    private var runRowCount: Int { x.isColumnMajor || y.isColumnMajor ? 1024 : 256 }

    /// Ranges that cover `rows`, for one lane each; they do not depend on the number of lanes.
    func runs(of rows: Range<Int>) -> [Range<Int>] {
        stride(from: rows.lowerBound, to: rows.upperBound, by: runRowCount).map {
            $0..<min($0 + runRowCount, rows.upperBound)
        }
    }

    /// Memory for rows of both matrices.
    func makeStaging(rowCount: Int) throws(ComputeError) -> (x: Tensor, y: Tensor) {
        (
            try device.makeTensor([rowCount, x.columnCount], elementType, for: "rows of X"),
            try device.makeTensor([rowCount, y.columnCount], elementType, for: "rows of Y")
        )
    }

    /// Reads rows on all lanes, and gives the files' pages back.
    ///
    /// - Parameter staging: Of at least as many rows.
    /// - Returns: The rows that were read.
    func read(_ rows: Range<Int>, into staging: (x: Tensor, y: Tensor)) throws(ComputeError) -> (x: Tensor, y: Tensor) {
        let runs = runs(of: rows)
        try device.concurrently(2 * runs.count) { task, _ throws(ComputeError) in
            let run = runs[task / 2]
            let place = run.lowerBound - rows.lowerBound..<run.upperBound - rows.lowerBound
            try task % 2 == 0
                ? read(run, of: x, into: staging.x.rows(place)) : read(run, of: y, into: staging.y.rows(place))
        }
        release(rows)
        return (staging.x.rows(0..<rows.count), staging.y.rows(0..<rows.count))
    }

    /// Reads rows of one of the matrices on the calling lane.
    func read(_ rows: Range<Int>, of matrix: StoredMatrix, into tensor: Tensor) throws(ComputeError) {
        let bytes = matrix.bytes(ofRows: rows)
        try bytes.withRawSpan { bytes throws(ComputeError) in
            try device.decode(bytes, elementType: matrix.elementType, into: tensor)
        }
    }

    func release(_ rows: Range<Int>) {
        x.release(rows: rows)
        y.release(rows: rows)
    }

    func prefetch(_ rows: Range<Int>) {
        let rows = rows.clamped(to: 0..<count)
        if rows.isEmpty { return }
        x.prefetch(rows: rows)
        y.prefetch(rows: rows)
    }
}
