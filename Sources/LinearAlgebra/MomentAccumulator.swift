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
    private let sums: Tensor
    private var rowCount = 0

    /// Sums of no rows.
    ///
    /// - Parameters:
    ///   - device: Where the sums live.
    ///   - shifts: Estimates of the column means of x and of the target.
    public init(device: Device, target: MomentTarget, shifts: PanelShifts) throws(ComputeError) {
        let width = shifts.x.columns
        self.device = device
        self.target = target
        self.shifts = shifts
        gram = try device.makeZeros([width, width], .float64, for: "a Gram matrix")
        cross = try device.makeZeros([width, width], .float64, for: "a cross-product matrix")
        sums = try device.makeZeros([3, width], .float64, for: "column sums")
    }

    /// Adds the given rows of x and y. Rows of different precisions may be added to the same sums.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32, the stream entering the layer; `y` likewise, leaving it.
    ///   - rows: Indices of the rows to add, at most the panels' capacity.
    ///   - panels: Workspace of the precision to form the products in.
    public mutating func add(x: Tensor, y: Tensor, rows: [Int32], panels: PanelWorkspace) throws(ComputeError) {
        if rows.isEmpty { return }
        let pair = StreamPair(x: x, y: y, target: target)
        let operands = Panels(x: panels.x, target: panels.target, sums: sums)
        try device.gatherPanels(pair, rows: rows, shifts: shifts, into: operands)
        try device.addCrossProducts(operands, rowCount: rows.count, gram: gram, cross: cross)
        rowCount += rows.count
        if panels.precision == .float32Blocks { precision = .float32Blocks }
    }

    /// The centred moments of the rows added so far. The sums are consumed: nothing can be added afterwards.
    public consuming func moments() throws(ComputeError) -> Moments {
        let width = shifts.x.columns
        let totals = try device.doubles(of: sums)
        let count = Double(max(rowCount, 1))
        let meanX = totals[..<width].map { $0 / count }
        let meanTarget = totals[width..<2 * width].map { $0 / count }
        let vectorX = try device.makeTensor(meanX, [width], for: "column means")
        let vectorTarget = try device.makeTensor(meanTarget, [width], for: "column means")
        try device.addOuterProduct(vectorX, vectorX, scale: -Double(rowCount), to: gram)
        try device.addOuterProduct(vectorX, vectorTarget, scale: -Double(rowCount), to: cross)
        try device.mirrorUpperTriangle(gram)
        var targetSquares = 0.0
        for i in 0..<width { targetSquares += totals[2 * width + i] - count * meanTarget[i] * meanTarget[i] }
        let shiftX = try device.floats(of: shifts.x)
        let shiftTarget = try device.floats(of: shifts.target)
        return Moments(
            device: device, target: target, precision: precision, count: rowCount,
            meanX: zip(meanX, shiftX).map { $0 + Double($1) },
            meanTarget: zip(meanTarget, shiftTarget).map { $0 + Double($1) },
            gram: gram, cross: cross, targetSquares: max(0, targetSquares))
    }
}

/// Panels that accumulators of one precision share, one after another.
public struct PanelWorkspace: Sendable {
    public let precision: MomentPrecision
    let x: Tensor
    let target: Tensor

    /// Rows that can be added at once.
    public var capacity: Int { x.rows }

    /// Panels of `capacity` rows.
    public init(device: Device, capacity: Int, width: Int, precision: MomentPrecision) throws(ComputeError) {
        self.precision = precision
        x = try device.makeTensor([capacity, width], precision.elementType, for: "a panel of x")
        target = try device.makeTensor([capacity, width], precision.elementType, for: "a panel of the target")
    }
}
