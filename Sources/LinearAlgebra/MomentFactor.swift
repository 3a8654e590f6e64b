public import Compute
public import Tensors

/// The triangular factor of moments, formed of rows without their products.
///
/// Of Z = [1, x, t], rows less a shift, it is L with L·Lᵀ = ZᵀZ: the transposed factor R of a QR factorization. The column
/// of ones leaves centred data to all that follow it, so that with L_xx, L_tx and L_tt the blocks behind the first row
/// and column, S_xx = L_xx·L_xxᵀ, S_xt = L_xx·L_txᵀ and S_tt = L_tx·L_txᵀ + L_tt·L_ttᵀ. Moments square the condition
/// number of X; their factor does not.
public struct MomentFactor: Sendable {
    public let device: Device
    public let target: MomentTarget
    public let count: Int
    public let width: Int
    public let targetWidth: Int
    /// L, (1 + width + targetWidth) square, float64; zeros above the diagonal.
    fileprivate let matrix: Tensor
    fileprivate let shifts: (x: [Double], target: [Double])

    /// The factor of the rows of all parts, which have the same device, target, widths and shifts.
    ///
    /// - Precondition: there is at least one part.
    public static func sum(_ parts: [MomentFactor]) throws(ComputeError) -> MomentFactor {
        let (first, device) = (parts[0], parts[0].device)
        let matrix = try device.makeTensor(first.matrix.shape, .float64, for: "a factor of moments")
        try device.copy(first.matrix, to: matrix)
        for part in parts.dropFirst() {
            // A factor of few rows ends after as many columns.
            let columnCount = min(part.count, part.matrix.columns)
            let columns = try device.makeTensor(
                [part.matrix.rows, columnCount], .float64, for: "a factor of moments")
            try device.copy(part.matrix.columns(0..<columnCount), to: columns)
            try device.updateTriangularFactor(matrix, with: columns, transposesRows: true)
        }
        return MomentFactor(
            device: device, target: first.target, count: parts.reduce(0) { $0 + $1.count }, width: first.width,
            targetWidth: first.targetWidth, matrix: matrix, shifts: first.shifts)
    }

    fileprivate init(
        device: Device, target: MomentTarget, count: Int, width: Int, targetWidth: Int, matrix: Tensor,
        shifts: (x: [Double], target: [Double])
    ) {
        self.device = device
        self.target = target
        self.count = count
        self.width = width
        self.targetWidth = targetWidth
        self.matrix = matrix
        self.shifts = shifts
    }

    private var columnsX: Range<Int> { 1..<1 + width }
    private var columnsTarget: Range<Int> { 1 + width..<1 + width + targetWidth }

    /// A block of L, in memory of its own.
    fileprivate func block(_ part: KeyPath<MomentFactor, (Range<Int>, Range<Int>)>) throws(ComputeError) -> Tensor {
        let (rows, columns) = self[keyPath: part]
        let copy = try device.makeTensor([rows.count, columns.count], .float64, for: "a block of a factor")
        try device.copy(matrix.rows(rows).columns(columns), to: copy)
        return copy
    }

    fileprivate var inputBlock: (Range<Int>, Range<Int>) { (columnsX, columnsX) }
    fileprivate var crossBlock: (Range<Int>, Range<Int>) { (columnsTarget, columnsX) }
    fileprivate var targetBlock: (Range<Int>, Range<Int>) { (columnsTarget, columnsTarget) }
}

// MARK: - Rows

/// Takes rows into a factor, panel by panel.
public struct MomentFactorAccumulator: Sendable {
    private let device: Device
    private let target: MomentTarget
    private let shifts: PanelShifts
    private let matrix: Tensor
    private let sums: Tensor
    private var count = 0

    /// - Parameters:
    ///   - device: Where the factor lives.
    ///   - shifts: Estimates of the column means of x and of the target.
    public init(device: Device, target: MomentTarget, shifts: PanelShifts) throws(ComputeError) {
        let (width, targetWidth) = (shifts.x.columns, shifts.target.columns)
        let order = 1 + width + targetWidth
        self.device = device
        self.target = target
        self.shifts = shifts
        matrix = try device.makeZeros([order, order], .float64, for: "a factor of moments")
        sums = try device.makeZeros([3, max(width, targetWidth)], .float64, for: "column sums")
    }

    /// Adds rows of x and y.
    ///
    /// - Parameters:
    ///   - x: (rows, width), of the shifts' element type.
    ///   - y: (rows, targetWidth).
    ///   - workspace: Of at least as many rows; other accumulators may use it before and afterwards.
    public mutating func add(x: Tensor, y: Tensor, workspace: Workspace) throws(ComputeError) {
        if x.rows == 0 { return }
        let panel = workspace.panel.rows(0..<x.rows)
        let (width, targetWidth) = (x.columns, y.columns)
        try device.copy(workspace.ones.rows(0..<x.rows), to: panel.columns(0..<1))
        try device.gatherPanels(
            StreamPair(x: x, y: y, target: target), rows: Array(workspace.rows[..<x.rows]), shifts: shifts,
            into: Panels(
                x: panel.columns(1..<1 + width), target: panel.columns(1 + width..<1 + width + targetWidth), sums: sums)
        )
        try device.updateTriangularFactor(matrix, with: panel)
        count += x.rows
    }

    /// The factor of the rows added so far. Nothing can be added afterwards.
    public consuming func factor() throws(ComputeError) -> MomentFactor {
        MomentFactor(
            device: device, target: target, count: count, width: shifts.x.columns, targetWidth: shifts.target.columns,
            matrix: matrix, shifts: (try device.numbers(of: shifts.x), try device.numbers(of: shifts.target)))
    }

    /// Memory for the rows that are added at once.
    public struct Workspace: Sendable {
        let panel: Tensor
        let ones: Tensor
        let rows: [Int32]

        public init(device: Device, capacity: Int, width: Int, targetWidth: Int) throws(ComputeError) {
            panel = try device.makeTensor([capacity, 1 + width + targetWidth], .float64, for: "a panel of rows")
            ones = try device.makeTensor(
                [Double](repeating: 1, count: capacity), [capacity, 1], for: "a column of ones")
            rows = (0..<Int32(capacity)).map(\.self)
        }
    }
}

// MARK: - Moments

extension MomentFactor {
    /// The moments of the same rows.
    ///
    /// - Parameter keepsTargetGram: Whether to form S_tt too.
    public func moments(keepsTargetGram: Bool) throws(ComputeError) -> Moments {
        let (input, crossing) = (try block(\.inputBlock), try block(\.crossBlock))
        let gram = try device.makeTensor([width, width], .float64, for: "a Gram matrix")
        let cross = try device.makeTensor([width, targetWidth], .float64, for: "a cross-product matrix")
        try device.product(input, input, transposesB: true, into: gram)
        try device.product(input, crossing, transposesB: true, into: cross)
        var targetGram: Tensor?
        if keepsTargetGram {
            let rest = try block(\.targetBlock)
            let sum = try device.makeTensor([targetWidth, targetWidth], .float64, for: "a Gram matrix of the target")
            try device.product(crossing, crossing, transposesB: true, into: sum)
            try device.product(rest, rest, transposesB: true, accumulates: true, into: sum)
            targetGram = sum
        }
        let means = try means
        return Moments(
            device: device, target: target, precision: .float64, count: count, meanX: means.x,
            meanTarget: means.ofTarget, gram: gram, cross: cross, targetGram: targetGram,
            targetSquares: try targetSquares)
    }

    /// L's first column holds √n and √n times the means, all of one sign.
    fileprivate var means: ColumnMeans {
        get throws(ComputeError) {
            let column = try device.doubles(of: matrix.columns(0..<1))
            func mean(_ range: Range<Int>, _ shift: [Double]) -> [Double] {
                zip(column[range], shift).map { $0 / column[0] + $1 }
            }
            return ColumnMeans(
                target: target, x: mean(columnsX, shifts.x), ofTarget: mean(columnsTarget, shifts.target))
        }
    }

    private var targetSquares: Double {
        get throws(ComputeError) { try squares(block(\.crossBlock)) + squares(block(\.targetBlock)) }
    }

    fileprivate func squares(_ a: Tensor) throws(ComputeError) -> Double { try device.innerProduct(a, a) }

    /// The squared Frobenius norms of the centred matrices.
    private func centredNorms() throws(ComputeError) -> CentredNorms {
        let (input, crossing) = (try block(\.inputBlock), try block(\.crossBlock))
        return CentredNorms(
            target: target, inputSquares: try squares(input),
            crossTrace: width == targetWidth ? try device.innerProduct(input, crossing) : nil,
            targetSquares: try targetSquares)
    }
}

// MARK: - Fit

extension MomentFactor {
    /// Singular values of the column-scaled X_c at or below this share of the largest count as zero: what rounding
    /// leaves in the factor of a matrix of lower rank, with a wide margin.
    public static func rankCutoff(width: Int) -> Double { 64 * Double(width).squareRoot() * Double.ulpOfOne }

    /// The least-squares fit t ≈ x·A + b, with its map.
    ///
    /// A solves R_xx·A = R_xt, with columns of x scaled to unit norm. Where X_c is rank-deficient it is the solution of
    /// minimum norm in scaled columns, by the singular values and vectors of R_xx.
    ///
    /// - Parameter extras: `conditionNumber` asks for the singular values where they are not needed otherwise.
    public func fit(extras: LinearFit.Extras) throws(ComputeError) -> LinearFit {
        let scaled = try block(\.inputBlock)
        let (scales, isConstantFree) = try columnScales(scaled)
        try device.scale(scaled, rows: scales, columns: nil)
        let cutoff = MomentFactor.rankCutoff(width: width)
        guard isConstantFree, try resolvesInverse(of: scaled) else {
            return try fit(bySingularVectorsOf: scaled, scales, cutoff)
        }
        var conditionNumber: Double?
        if extras.contains(.conditionNumber) {
            let copy = try device.makeTensor(scaled.shape, .float64, for: "a scaled factor")
            try device.copy(scaled, to: copy)
            let values = try device.singularValues(copy)
            conditionNumber = values[0] / values[width - 1]
        }
        let map = try device.makeTensor([width, targetWidth], .float64, for: "a map")
        try device.transpose(block(\.crossBlock), into: map)
        try device.solveTriangular(scaled, transposes: true, map)
        try device.scale(map, rows: scales, columns: nil)
        return LinearFit(
            residualSquares: try squares(block(\.targetBlock)), rank: width, rankCutoff: cutoff, map: map,
            conditionNumber: conditionNumber, factor: nil)
    }

    /// Whether the smallest singular value lies so far above the cut-off that none is left out. Columns have unit norm, so
    /// that the largest is at most √width.
    private func resolvesInverse(of scaled: Tensor) throws(ComputeError) -> Bool {
        let pivots = try device.diagonal(of: scaled)
        let limit = 16 * MomentFactor.rankCutoff(width: width) * Double(width).squareRoot()
        guard pivots.allSatisfy({ abs($0) > limit }) else { return false }
        return try InverseIteration.smallestEigenvalue(factor: scaled, device: device).squareRoot() > limit
    }

    private func fit(
        bySingularVectorsOf scaled: Tensor, _ scales: Tensor, _ cutoff: Double
    ) throws(ComputeError) -> LinearFit {
        // D·L_xx = left·diag·right, so that R_xx·D = rightᵀ·diag·leftᵀ.
        let (left, values, right) = try device.singularDecomposition(scaled)
        let rank = values.firstIndex { $0 <= cutoff * values[0] } ?? values.count
        // R_xt in the directions of the singular values.
        let projected = try device.makeTensor([values.count, targetWidth], .float64, for: "projected products")
        try device.product(right, block(\.crossBlock), transposesB: true, into: projected)
        let unexplained = try device.makeTensor([values.count - rank, targetWidth], .float64, for: "a residual")
        try device.copy(projected.rows(rank..<values.count), to: unexplained)
        let map = try device.makeZeros([width, targetWidth], .float64, for: "a map")
        if rank > 0 {
            let kept = projected.rows(0..<rank)
            let inverses = try device.makeTensor(values[..<rank].map { 1 / $0 }, [rank], for: "inverse singular values")
            try device.scale(kept, rows: inverses, columns: nil)
            try device.product(left.columns(0..<rank), kept, into: map)
            try device.scale(map, rows: scales, columns: nil)
        }
        return LinearFit(
            residualSquares: try squares(block(\.targetBlock)) + squares(unexplained), rank: rank, rankCutoff: cutoff,
            map: map, conditionNumber: rank > 0 ? values[0] / values[rank - 1] : nil, factor: nil)
    }

    /// 1/‖column of X_c‖, or 0 for a column without variance.
    private func columnScales(_ input: Tensor) throws(ComputeError) -> (Tensor, isConstantFree: Bool) {
        let means = try means.x
        let resolution = 8 * Double.ulpOfOne * Double(count).squareRoot()
        let elements = try device.doubles(of: input)
        let scales = (0..<width).map { row in
            let squares = elements[row * width..<(row + 1) * width].reduce(0) { $0 + $1 * $1 }
            let norm = squares.squareRoot()
            return norm > resolution * abs(means[row]) && norm > 0 ? 1 / norm : 0
        }
        return (try device.makeTensor(scales, [width], for: "column scales"), scales.allSatisfy { $0 > 0 })
    }

    /// Errors of a map fitted on other rows, from these rows' factor alone: ‖R_tt‖² + ‖R_xt - R_xx·A‖² + n ‖μ_t - μ_x·A -
    /// b‖², with b = μ_t' - μ_x'·A from the training rows.
    ///
    /// - Parameters:
    ///   - map: A, (width, targetWidth) float64, fitted on `training`.
    ///   - training: Factor of the rows it was fitted on.
    public func heldOutErrors(of map: Tensor, fittedOn training: MomentFactor) throws(ComputeError) -> HeldOutErrors {
        let difference = try block(\.crossBlock)
        try device.product(
            map, block(\.inputBlock), transposesA: true, scale: -1, accumulates: true, into: difference)
        let (means, trainingMeans) = (try means, try training.means)
        return HeldOutErrors(
            centredSquares: try squares(block(\.targetBlock)) + squares(difference),
            meanSquares: try means.errorSquares(of: map, fittedOn: trainingMeans, device), norms: try centredNorms(),
            means: means, trainingMeans: trainingMeans, count: count)
    }
}
