public import Compute
public import Tensors

/// The errors of rows under one map.
public struct RowErrors: Sendable {
    /// In the order of the rows.
    public var errors: [Double] = []
    /// The largest share of an error that rounding in the map's moments may account for, at four standard deviations.
    public var roundingShare = 0.0
}

/// The errors ‖(x - meanX)·A + meanTarget - t‖ of rows under several maps at once.
///
/// The products are float32, of rows and targets that are shifted first. The scale of their rounding errors is known for
/// each row; where they could move an error by more than `tolerance`, that row is computed again in float64.
public struct MapErrors: Sendable {
    /// Relative: what rounding may do to an error before the row is computed again.
    public static let tolerance = 2e-6
    /// Rows that are computed at once.
    public static let blockRowCount = 512

    private let device: Device
    private let shifts: PanelShifts
    private let target: MomentTarget
    private let width: Int
    private let maps: [PreparedMap]
    /// All maps side by side, each with the columns of its rounding: (width, maps·(width + probes)) float32.
    private let matrices: Tensor

    /// A map in its shifted form.
    private struct PreparedMap: Sendable {
        /// A, (width, width) float64.
        let matrix: Tensor
        /// (width) float64.
        let bias: Tensor
        /// Σⱼ Aᵢⱼ² of each row i of A, (width) float64.
        let rowSquares: Tensor
        /// Σᵢ Aᵢⱼ² of each column of A over ‖A‖², (width) float64.
        let columnShares: Tensor
        /// Columns of the joined matrices.
        let columns: Range<Int>
        /// Columns of its rounding; empty where there is none.
        let roundingColumns: Range<Int>
    }

    /// Prepares maps of one target.
    ///
    /// - Parameters:
    ///   - maps: At least one; all have the target of the estimate.
    ///   - estimate: Where the means are about.
    public init(device: Device, maps: [AffineMap], estimate: MomentEstimate) throws(ComputeError) {
        precondition(maps.allSatisfy { $0.target == estimate.target }, "maps of different targets")
        self.device = device
        shifts = estimate.shifts
        target = estimate.target
        width = estimate.shifts.x.columns
        let stride = width + LinearFit.predictionProbeCount
        let joined = try device.makeZeros([width, maps.count * stride], .float32, for: "maps")
        var prepared: [PreparedMap] = []
        for (index, map) in maps.enumerated() {
            let columns = index * stride..<index * stride + width
            let rounded = try MapErrors.rounded(map.matrix, device)
            try device.copy(rounded.matrix, to: joined.columns(columns))
            let probeCount = map.rounding == nil ? 0 : LinearFit.predictionProbeCount
            let roundingColumns = columns.upperBound..<columns.upperBound + probeCount
            if let rounding = map.rounding {
                try device.copy(MapErrors.rounded(rounding, device).matrix, to: joined.columns(roundingColumns))
            }
            prepared.append(
                PreparedMap(
                    matrix: map.matrix,
                    bias: try device.makeTensor(map.bias(device, shifts: estimate.shifts), [width], for: "a bias"),
                    rowSquares: try device.makeTensor(rounded.rowSquares, [width], for: "squares of a map"),
                    columnShares: try device.makeTensor(rounded.columnShares, [width], for: "squares of a map"),
                    columns: columns, roundingColumns: roundingColumns))
        }
        self.maps = prepared
        matrices = joined
    }

    /// A matrix in float32, the squared norms of its rows, and the shares of its columns in the sum of all squares.
    private static func rounded(
        _ matrix: Tensor, _ device: Device
    ) throws(ComputeError) -> (matrix: Tensor, rowSquares: [Double], columnShares: [Double]) {
        let elements = try device.doubles(of: matrix)
        let columns = matrix.columns
        var rowSquares = [Double](repeating: 0, count: matrix.rows)
        var columnSquares = [Double](repeating: 0, count: columns)
        for row in 0..<matrix.rows {
            for column in 0..<columns {
                let square = elements[row * columns + column] * elements[row * columns + column]
                rowSquares[row] += square
                columnSquares[column] += square
            }
        }
        let total = max(rowSquares.reduce(0, +), .leastNormalMagnitude)
        return (
            try device.makeTensor(elements.map { Float($0) }, matrix.shape, for: "a map"), rowSquares,
            columnSquares.map { $0 / total }
        )
    }

    /// Bytes that one lane's workspace takes.
    public static func workspaceByteCount(width: Int, mapCount: Int) -> Int {
        blockRowCount * (width * (4 * (2 + mapCount) + 8 * 3) + 4 * mapCount * LinearFit.predictionProbeCount)
    }

    /// The errors of some rows.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32; `y` likewise.
    ///   - rows: Which tokens; at most `blockRowCount`.
    /// - Returns: For each map the errors of the rows.
    public func errors(x: Tensor, y: Tensor, rows: [Int32]) throws(ComputeError) -> [RowErrors] {
        let pair = StreamPair(x: x, y: y, target: target)
        let panels = try gather(pair, rows, .float32)
        let predictions = try device.makeTensor([rows.count, matrices.columns], .float32, for: "predictions")
        try device.product(panels.x, matrices, into: predictions)
        var results: [RowErrors] = []
        for map in maps {
            let measured = try measure(predictions.columns(map.columns), panels, map)
            var result = RowErrors(errors: measured.map(\.error))
            let uncertain = measured.indices.filter { isUncertain(measured[$0]) }
            if !uncertain.isEmpty {
                let refined = try preciseErrors(pair, uncertain.map { rows[$0] }, map)
                for (index, error) in zip(uncertain, refined) { result.errors[index] = error }
            }
            if !map.roundingColumns.isEmpty {
                let probes = try device.floats(of: predictions.columns(map.roundingColumns))
                result.roundingShare = MapErrors.roundingShare(probes, result.errors)
            }
            results.append(result)
        }
        return results
    }

    private static func roundingShare(_ probes: [Float], _ errors: [Double]) -> Double {
        let probeCount = LinearFit.predictionProbeCount
        var largest = 0.0
        for (row, error) in errors.enumerated() where error > 0 {
            let squares = probes[row * probeCount..<(row + 1) * probeCount].reduce(0) { $0 + Double($1) * Double($1) }
            largest = max(largest, 4 * squares.squareRoot() / error)
        }
        return largest
    }

    /// An error ‖e‖; √Σᵢ xᵢ²·Σⱼ Aᵢⱼ², the scale of rounding in all its elements; √Σⱼ eⱼ²·(share of column j of A).
    private typealias Measured = (error: Double, scale: Double, exposure: Double)

    private func preciseErrors(
        _ pair: StreamPair, _ rows: [Int32], _ map: PreparedMap
    ) throws(ComputeError) -> [Double] {
        let panels = try gather(pair, rows, .float64)
        let prediction = try device.makeTensor([rows.count, width], .float64, for: "predictions")
        try device.product(panels.x, map.matrix, into: prediction)
        return try measure(prediction, panels, map).map(\.error)
    }

    private func gather(_ pair: StreamPair, _ rows: [Int32], _ type: ElementType) throws(ComputeError) -> Panels {
        let panels = Panels(
            x: try device.makeTensor([rows.count, width], type, for: "a panel of x"),
            target: try device.makeTensor([rows.count, width], type, for: "a panel of the target"),
            sums: try device.makeZeros([3, width], .float64, for: "column sums"))
        try device.gatherPanels(pair, rows: rows, shifts: shifts, into: panels)
        return panels
    }

    private func measure(
        _ prediction: Tensor, _ panels: Panels, _ map: PreparedMap
    ) throws(ComputeError) -> [Measured] {
        let result = try device.makeTensor([prediction.rows, 3], .float64, for: "errors")
        try device.predictionErrors(
            prediction, bias: map.bias, target: panels.target, x: panels.x, inputWeights: map.rowSquares,
            outputWeights: map.columnShares, into: result)
        let numbers = try device.doubles(of: result)
        return (0..<prediction.rows).map { (numbers[3 * $0], numbers[3 * $0 + 1], numbers[3 * $0 + 2]) }
    }

    /// Whether rounding may move the error by more than the tolerance.
    ///
    /// An element of the product of k terms errs at random by about a quarter of an ulp of the growing sum at each term,
    /// √(k/3) quarters in all. Together these elements have the norm N, which is spread over them as ‖A‖² is over the
    /// columns of A. The error's norm moves by their component along it, N·exposure/‖e‖, of which four deviations are
    /// allowed for, and by N²/2 over the error.
    private func isUncertain(_ measured: Measured) -> Bool {
        let noise = measured.scale * Double(Float.ulpOfOne) / 4 * (Double(width) / 3).squareRoot()
        let shift = 4 * noise * measured.exposure + noise * noise / 2
        return !(shift <= MapErrors.tolerance * measured.error * measured.error)
    }
}
