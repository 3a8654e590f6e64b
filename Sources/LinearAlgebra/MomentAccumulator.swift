public import Compute
public import Tensors

/// How the products of a moment matrix are formed; the sums are float64 either way.
public enum MomentPrecision: Sendable, Hashable {
    /// Float32 products over blocks of 512 rows of shifted data: fast, scores right to about 2e-7 where the data is
    /// well conditioned.
    case float32Blocks
    /// Float64 products of exact differences.
    case float64

    var elementType: ElementType { self == .float64 ? .float64 : .float32 }
}

/// Running sums over rows of (x, target) pairs, from which `Moments` are made.
///
/// All sums are about `shifts`, a first estimate of the means, so that centring in the end cancels few digits.
public struct MomentAccumulator: Sendable {
    public let target: MomentTarget
    /// The coarser of the precisions of the rows added so far.
    public private(set) var precision = MomentPrecision.float64
    private let device: Device
    private let shifts: PanelShifts
    private let gram: Tensor
    private let cross: Tensor
    private let targetGram: Tensor?
    private let sums: Tensor
    private var rowCount = 0

    /// Sums of no rows.
    ///
    /// - Parameters:
    ///   - device: Where the sums live.
    ///   - shifts: Estimates of the column means of x and of the target.
    ///   - keepsTargetGram: Whether to form S_tt too.
    public init(
        device: Device, target: MomentTarget, shifts: PanelShifts, keepsTargetGram: Bool = false
    ) throws(ComputeError) {
        let (width, targetWidth) = (shifts.x.columns, shifts.target.columns)
        self.device = device
        self.target = target
        self.shifts = shifts
        gram = try device.makeZeros([width, width], .float64, for: "a Gram matrix")
        cross = try device.makeZeros([width, targetWidth], .float64, for: "a cross-product matrix")
        targetGram =
            try keepsTargetGram
            ? device.makeZeros([targetWidth, targetWidth], .float64, for: "a Gram matrix of the target") : nil
        sums = try device.makeZeros([3, max(width, targetWidth)], .float64, for: "column sums")
    }

    /// Adds the given rows of x and y. Rows of different precisions may be added to the same sums.
    ///
    /// - Parameters:
    ///   - x: (tokens, width), the stream entering the layer, of the shifts' element type.
    ///   - y: (tokens, targetWidth), the stream leaving it.
    ///   - rows: Indices of the rows to add, at most the panels' capacity.
    ///   - panels: Workspace of the precision to form the products in.
    public mutating func add(x: Tensor, y: Tensor, rows: [Int32], panels: PanelWorkspace) throws(ComputeError) {
        if rows.isEmpty { return }
        let pair = StreamPair(x: x, y: y, target: target)
        let operands = Panels(x: panels.x, target: panels.target, sums: sums)
        try device.gatherPanels(pair, rows: rows, shifts: shifts, into: operands)
        try device.addCrossProducts(
            operands, rowCount: rows.count, gram: gram, cross: cross, targetGram: targetGram)
        rowCount += rows.count
        if panels.precision == .float32Blocks { precision = .float32Blocks }
    }

    /// The centred moments of the rows added so far. The sums are consumed: nothing can be added afterwards.
    public consuming func moments() throws(ComputeError) -> Moments {
        let (width, targetWidth) = (shifts.x.columns, shifts.target.columns)
        let count = Double(max(rowCount, 1))
        let meanX = try device.doubles(of: sums.rows(0..<1).columns(0..<width)).map { $0 / count }
        let meanTarget = try device.doubles(of: sums.rows(1..<2).columns(0..<targetWidth)).map { $0 / count }
        let squares = try device.doubles(of: sums.rows(2..<3).columns(0..<targetWidth))
        let vectorX = try device.makeTensor(meanX, [width], for: "column means")
        let vectorTarget = try device.makeTensor(meanTarget, [targetWidth], for: "column means")
        try device.addOuterProduct(vectorX, vectorX, scale: -Double(rowCount), to: gram)
        try device.addOuterProduct(vectorX, vectorTarget, scale: -Double(rowCount), to: cross)
        try device.mirrorUpperTriangle(gram)
        if let targetGram {
            try device.addOuterProduct(vectorTarget, vectorTarget, scale: -Double(rowCount), to: targetGram)
            try device.mirrorUpperTriangle(targetGram)
        }
        var targetSquares = 0.0
        for i in 0..<targetWidth { targetSquares += squares[i] - count * meanTarget[i] * meanTarget[i] }
        return Moments(
            device: device, target: target, precision: precision, count: rowCount,
            meanX: zip(meanX, try device.numbers(of: shifts.x)).map(+),
            meanTarget: zip(meanTarget, try device.numbers(of: shifts.target)).map(+),
            gram: gram, cross: cross, targetGram: targetGram, targetSquares: max(0, targetSquares))
    }
}

/// Panels that accumulators of one precision share, one after another.
public struct PanelWorkspace: Sendable {
    public let precision: MomentPrecision
    private let device: Device
    let x: Tensor
    let target: Tensor

    /// Rows that can be added at once.
    public var capacity: Int { x.rows }

    /// Panels of `capacity` rows.
    ///
    /// - Parameter targetWidth: nil where it is that of x.
    public init(
        device: Device, capacity: Int, width: Int, targetWidth: Int? = nil, precision: MomentPrecision
    ) throws(ComputeError) {
        self.precision = precision
        self.device = device
        let type = precision.elementType
        x = try device.makeTensor([capacity, width], type, for: "a panel of x")
        target = try device.makeTensor([capacity, targetWidth ?? width], type, for: "a panel of the target")
    }

    /// Sums over all rows of a pair, at most the panels' capacity: the columns of x, of the target and of the target's
    /// squares, each less its shift.
    public func columnSums(
        _ pair: StreamPair, about shifts: PanelShifts
    ) throws(ComputeError) -> (x: [Double], target: [Double], targetSquares: [Double]) {
        let (width, targetWidth) = (pair.x.columns, pair.y.columns)
        let sums = try device.makeZeros([3, max(width, targetWidth)], .float64, for: "column sums")
        try device.gatherPanels(
            pair, rows: (0..<Int32(pair.x.rows)).map(\.self), shifts: shifts,
            into: Panels(x: x, target: target, sums: sums))
        return (
            try device.doubles(of: sums.rows(0..<1).columns(0..<width)),
            try device.doubles(of: sums.rows(1..<2).columns(0..<targetWidth)),
            try device.doubles(of: sums.rows(2..<3).columns(0..<targetWidth))
        )
    }
}
