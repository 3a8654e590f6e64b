import Compute
public import Tensors

/// A map y ≈ x + x·M + b of some kind, fitted to moments.
public struct MapFit: Sendable {
    /// With the alpha or the rank it was fitted with.
    public let kind: MapKind
    /// M, (width, width) float64; I + M is the matrix A of y ≈ x·A + b.
    public let matrix: Tensor
    /// b = μ_y - μ_x·(I + M), (width).
    public let bias: [Double]
    /// Rows that were fitted.
    public let count: Int
    /// ‖E‖², the squared residual: that of B and of Y.
    public let residualSquares: Double
    /// Of the rows that were fitted.
    public let norms: CentredNorms
    /// Numerical rank of X_c; nil where the kind does not ask for it.
    public let rank: Int?
    /// σmax/σmin of the column-scaled X_c, with √alpha·I beneath it for a ridge; nil where the kind does not need it.
    public let conditionNumber: Double?

    /// A as a map of the moments' own target: M for B, I + M for Y.
    func targetMap(_ moments: Moments) throws(ComputeError) -> Tensor {
        try MapFit.targetMap(matrix, moments)
    }

    static func targetMap(_ matrix: Tensor, _ moments: Moments) throws(ComputeError) -> Tensor {
        if moments.target == .contribution { return matrix }
        let device = moments.device
        let map = try device.makeTensor(matrix.shape, .float64, for: "a map of the output")
        try device.copy(matrix, to: map)
        try device.addIdentity(to: map)
        return map
    }
}

// MARK: - Fitting

extension MapFit {
    /// Fits a map to moments. Whether they hold B or Y makes no difference but for rounding. Where X does not vary, the map
    /// is the identity: M is the solution of smallest norm.
    ///
    /// - Parameter kind: Not an open one; alpha and K of those are chosen by `ValidatedMap`.
    /// - Returns: nil where `.float32Blocks` moments do not resolve the data: the caller forms them in float64.
    /// - Throws: `MapError`.
    public static func fit(_ moments: Moments, kind: MapKind) throws(MapError) -> MapFit? {
        try check(moments, kind)
        guard try moments.isInRange() else { return nil }
        let (device, width) = (moments.device, moments.width)
        switch kind {
        case .leastSquares:
            guard let fit = try LeastSquaresMap(moments, alpha: 0) else { return nil }
            return try MapFit(kind, moments, fit.matrix, rank: fit.rank, conditionNumber: fit.conditionNumber)
        case .ridge(let alpha):
            guard let alpha else { throw .choice(kind, reason: "it was to be fitted as it is") }
            guard let fit = try LeastSquaresMap(moments, alpha: alpha) else { return nil }
            return try MapFit(kind, moments, fit.matrix, conditionNumber: fit.conditionNumber)
        case .lowRank(let rank):
            guard let rank else { throw .choice(kind, reason: "it was to be fitted as it is") }
            guard let solution = try ReducedRankSolution(moments) else { return nil }
            let matrix = try mapping { () throws(ComputeError) in try solution.matrix(rank: rank) }
            let fit = solution.leastSquares
            return try MapFit(kind, moments, matrix, rank: fit.rank, conditionNumber: fit.conditionNumber)
        case .diagonal:
            let matrix = try mapping { () throws(ComputeError) in try moments.diagonalMap() }
            return try MapFit(kind, moments, matrix)
        case .orthogonal:
            let fit = try mapping { () throws(ComputeError) in try moments.orthogonalFit() }
            if moments.precision == .float32Blocks, let fit, !fit.isResolved(width: width) { return nil }
            let matrix = try mapping { () throws(ComputeError) in try moments.orthogonalMap(fit, device) }
            return try MapFit(kind, moments, matrix)
        }
    }

    private init(
        _ kind: MapKind, _ moments: Moments, _ matrix: Tensor, rank: Int? = nil, conditionNumber: Double? = nil
    ) throws(MapError) {
        let device = moments.device
        let (residual, norms, image) = try mapping { () throws(ComputeError) in
            let map = try MapFit.targetMap(matrix, moments)
            let row = try device.makeTensor(moments.meanX, [1, moments.width], for: "a mean")
            let image = try device.makeTensor([1, moments.width], .float64, for: "a mapped mean")
            try device.product(row, map, into: image)
            return (
                try moments.heldOutErrors(of: map, fittedOn: moments).residualSquares, try moments.centredNorms(),
                try device.doubles(of: image)
            )
        }
        self.kind = kind
        self.matrix = matrix
        bias = zip(moments.meanTarget, image).map { $0 - $1 }
        count = moments.count
        residualSquares = residual
        self.norms = norms
        self.rank = rank
        self.conditionNumber = conditionNumber
        let squares = try mapping { () throws(ComputeError) in try device.innerProduct(matrix, matrix) }
        guard squares.isFinite, bias.allSatisfy(\.isFinite), residual.isFinite else {
            throw .notFinite(what: "the \(kind) map")
        }
    }

    /// Refuses what no map can be fitted to.
    static func check(_ moments: Moments, _ kind: MapKind) throws(MapError) {
        guard moments.width == moments.targetWidth else { throw .widths(x: moments.width, y: moments.targetWidth) }
        try kind.check(count: moments.count, width: moments.width)
        let squares = try mapping { () throws(ComputeError) in try moments.device.diagonal(of: moments.gram) }
        guard squares.allSatisfy(\.isFinite) else { throw .notFinite(what: "‖X‖², of what enters the map,") }
        guard moments.targetSquares.isFinite else { throw .notFinite(what: "‖Y‖², of what the map is to give,") }
    }
}

/// ‖B_c - X_c·M‖² + alpha·‖M‖² at its smallest.
struct LeastSquaresMap {
    let matrix: Tensor
    let rank: Int
    let conditionNumber: Double?
    private let fit: LinearFit
    private let fitted: Moments

    /// - Parameter alpha: 0 for least squares.
    /// - Returns: nil where the moments do not resolve the data.
    init?(_ moments: Moments, alpha: Double) throws(MapError) {
        let solved = try mapping { () throws(ComputeError) -> (Moments, LinearFit, Tensor)? in
            let fitted = try moments.contributionForm(adding: alpha)
            guard let fit = try LinearFit.fit(fitted, extras: [.map, .conditionNumber]), let map = fit.map else {
                return nil
            }
            return (fitted, fit, map)
        }
        guard let (fitted, fit, map) = solved else { return nil }
        (self.fitted, self.fit, matrix) = (fitted, fit, map)
        (rank, conditionNumber) = (fit.rank, fit.conditionNumber)
    }

    /// How far rounding in float32 products may move the residual on held-out rows: one standard deviation.
    func roundingError(on heldOut: Moments) throws(ComputeError) -> Double {
        try fit.roundingError(on: try heldOut.contributionForm(), fittedOn: fitted)
    }
}

extension OrthogonalFit {
    /// Whether float32 products tell all singular values from nothing.
    fileprivate func isResolved(width: Int) -> Bool {
        smallestShare >= LinearFit.smallestPivot(width: width, precision: .float32Blocks)
    }
}

extension Moments {
    /// Whether float32 products, where they were used, were of numbers whose squares float32 holds: it takes those below
    /// for columns that do not vary.
    func isInRange() throws(MapError) -> Bool {
        if precision == .float64 { return true }
        let smallest = 1e-30 * Double(count)
        let squares = try mapping { () throws(ComputeError) in try device.diagonal(of: gram) }
        return squares.allSatisfy { $0 >= smallest } && targetSquares >= smallest * Double(targetWidth)
    }

    /// The moments of B, whatever the target, with alpha added to the diagonal of S_xx. Sums of squares of B lose digits
    /// where Y is much smaller than X.
    func contributionForm(adding alpha: Double = 0) throws(ComputeError) -> Moments {
        if target == .contribution && alpha == 0 { return self }
        var (gram, cross) = (gram, cross)
        if target == .output {
            cross = try copy(self.cross)
            try device.addScaled(gram, scale: -1, to: cross)
        }
        if alpha > 0 {
            gram = try copy(self.gram)
            try device.addIdentity(scale: alpha, to: gram)
            // Columns that do not vary seem to now: their products are rounding.
            let varying = zip(try device.diagonal(of: self.gram), meanX).map {
                Moments.varies(squares: $0, mean: $1, count: count) ? 1.0 : 0
            }
            if target == .contribution { cross = try copy(self.cross) }
            try device.scale(
                cross, rows: try device.makeTensor(varying, [width], for: "varying columns"), columns: nil)
        }
        return Moments(
            device: device, target: .contribution, precision: precision, count: count, meanX: meanX,
            meanTarget: means.contribution ?? meanTarget, gram: gram, cross: cross, targetGram: nil,
            targetSquares: try centredNorms().contributionSquares ?? targetSquares)
    }

    /// M with (I + M)ⱼⱼ = S_xyⱼⱼ/S_xxⱼⱼ, and 0 for a column that does not vary.
    fileprivate func diagonalMap() throws(ComputeError) -> Tensor {
        let products = try device.diagonal(of: cross)
        let scales = zip(try device.diagonal(of: gram), meanX).enumerated().map { column, moments -> Double in
            let (squares, mean) = moments
            guard Moments.varies(squares: squares, mean: mean, count: count) else { return 0 }
            return products[column] / squares - (target == .output ? 1 : 0)
        }
        var elements = [Double](repeating: 0, count: width * width)
        for (column, scale) in scales.enumerated() { elements[column * width + column] = scale }
        return try device.makeTensor(elements, [width, width], for: "a diagonal map")
    }

    /// M with I + M = s·Q; the identity where X does not vary, and nothing where Y does not.
    fileprivate func orthogonalMap(_ fit: OrthogonalFit?, _ device: Device) throws(ComputeError) -> Tensor {
        let map = try device.makeZeros([width, width], .float64, for: "an orthogonal map")
        if let fit {
            try device.addScaled(fit.rotation, scale: fit.scale, to: map)
        } else if try centredNorms().inputSquares == 0 {
            return map
        }
        try device.addIdentity(scale: -1, to: map)
        return map
    }

    /// Whether the squares of a centred column are more than rounding leaves of a constant.
    static func varies(squares: Double, mean: Double, count: Int) -> Bool {
        let resolution = 64 * Double.ulpOfOne * Double.ulpOfOne * Double(max(count, 1))
        return squares > resolution * mean * mean && squares > 0
    }

    private func copy(_ matrix: Tensor) throws(ComputeError) -> Tensor {
        let copy = try device.makeTensor(matrix.shape, .float64, for: "moments of a contribution")
        try device.copy(matrix, to: copy)
        return copy
    }
}

extension Device {
    /// a += scale·I, for a contiguous square matrix of float64.
    func addIdentity(scale: Double = 1, to a: Tensor) throws(ComputeError) {
        let identity = try makeZeros(a.shape, .float64, for: "an identity matrix")
        try fillDiagonal(of: identity, with: scale)
        try addScaled(identity, to: a)
    }
}
