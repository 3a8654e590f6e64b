public import Compute
public import Tensors

/// Sufficient statistics of pairs (x, t), t being the layer's contribution B = Y - X or its output Y.
///
/// From them come both linearity scores, the linear map and its bias, held-out errors, orthogonal Procrustes, norms
/// and anisotropy. Moments of disjoint rows are added (`adding`), never subtracted: subtraction loses digits where few
/// rows hold most of the norm.
public struct Moments: Sendable {
    public let device: Device
    public let target: MomentTarget
    public let precision: MomentPrecision
    /// Number of rows.
    public let count: Int
    /// Column means of x, (width).
    public let meanX: [Double]
    /// Column means of the target, (width).
    public let meanTarget: [Double]
    /// S_xx = X_cᵀX_c, (width, width) float64, both triangles.
    public let gram: Tensor
    /// S_xt = X_cᵀT_c, (width, width) float64.
    public let cross: Tensor
    /// tr S_tt = ‖T_c‖².
    public let targetSquares: Double

    public var width: Int { meanX.count }

    /// The moments of the rows of all parts: S = Σ Sᵢ + Σ nᵢ δᵢδᵢᵀ with δᵢ the part's mean less the common one, as
    /// Chan, Golub and LeVeque do for two.
    ///
    /// - Precondition: there is at least one part, and all have the same device, target and width.
    public static func sum(_ parts: [Moments]) throws(ComputeError) -> Moments {
        let (device, target, width) = (parts[0].device, parts[0].target, parts[0].width)
        precondition(parts.allSatisfy { $0.target == target && $0.width == width }, "moments of different quantities")
        let count = parts.reduce(0) { $0 + $1.count }
        let meanX = mean(parts.map { ($0.count, $0.meanX) }, width)
        let meanTarget = mean(parts.map { ($0.count, $0.meanTarget) }, width)
        let deltasX = parts.map { deltas($0.meanX, meanX, weight: $0.count) }
        let deltasTarget = parts.map { deltas($0.meanTarget, meanTarget, weight: $0.count) }

        let gram = try device.makeTensor([width, width], .float64, for: "a Gram matrix")
        let cross = try device.makeTensor([width, width], .float64, for: "a cross-product matrix")
        try device.copy(parts[0].gram, to: gram)
        try device.copy(parts[0].cross, to: cross)
        for part in parts.dropFirst() {
            try device.addScaled(part.gram, to: gram)
            try device.addScaled(part.cross, to: cross)
        }
        if parts.count > 1 {
            let shape: Shape = [parts.count, width]
            let rowsX = try device.makeTensor(deltasX.flatMap { $0 }, shape, for: "differences of means")
            let rowsTarget = try device.makeTensor(deltasTarget.flatMap { $0 }, shape, for: "differences of means")
            try device.product(rowsX, rowsX, transposesA: true, accumulates: true, into: gram)
            try device.product(rowsX, rowsTarget, transposesA: true, accumulates: true, into: cross)
        }
        let squares = parts.reduce(0) { $0 + $1.targetSquares }
        return Moments(
            device: device, target: target,
            precision: parts.contains { $0.precision == .float32Blocks } ? .float32Blocks : .float64, count: count,
            meanX: meanX, meanTarget: meanTarget, gram: gram, cross: cross,
            targetSquares: squares + deltasTarget.joined().reduce(0) { $0 + $1 * $1 })
    }

    private static func mean(_ parts: [(count: Int, mean: [Double])], _ width: Int) -> [Double] {
        let total = Double(max(1, parts.reduce(0) { $0 + $1.count }))
        var mean = [Double](repeating: 0, count: width)
        for part in parts where part.count > 0 {
            let share = Double(part.count) / total
            for i in 0..<width { mean[i] += share * part.mean[i] }
        }
        return mean
    }

    /// √n·(mean of a part - common mean).
    private static func deltas(_ mean: [Double], _ common: [Double], weight count: Int) -> [Double] {
        let weight = Double(count).squareRoot()
        return zip(mean, common).map { weight * ($0 - $1) }
    }

    init(
        device: Device, target: MomentTarget, precision: MomentPrecision, count: Int, meanX: [Double],
        meanTarget: [Double], gram: Tensor, cross: Tensor, targetSquares: Double
    ) {
        self.device = device
        self.target = target
        self.precision = precision
        self.count = count
        self.meanX = meanX
        self.meanTarget = meanTarget
        self.gram = gram
        self.cross = cross
        self.targetSquares = targetSquares
    }
}

// MARK: Derived sums of squares

/// ‖X_c‖², ‖Y_c‖² and ‖B_c‖², derived from the moments by S_yy = S_xx + S_xb + S_xbᵀ + S_bb.
public struct CentredNorms: Sendable {
    public let inputSquares: Double
    public let outputSquares: Double
    public let contributionSquares: Double
}

extension Moments {
    /// The squared Frobenius norms of the centred matrices.
    public func centredNorms() throws(ComputeError) -> CentredNorms {
        let inputSquares = try trace(gram)
        let crossTrace = try trace(cross)
        switch target {
        case .contribution:
            return CentredNorms(
                inputSquares: inputSquares, outputSquares: max(0, inputSquares + 2 * crossTrace + targetSquares),
                contributionSquares: targetSquares)
        case .output:
            return CentredNorms(
                inputSquares: inputSquares, outputSquares: targetSquares,
                contributionSquares: max(0, inputSquares - 2 * crossTrace + targetSquares))
        }
    }

    /// Column means of Y.
    public var meanOutput: [Double] {
        target == .output ? meanTarget : zip(meanX, meanTarget).map { $0 + $1 }
    }

    /// Column means of B.
    public var meanContribution: [Double] {
        target == .contribution ? meanTarget : zip(meanTarget, meanX).map { $0 - $1 }
    }

    private func trace(_ matrix: Tensor) throws(ComputeError) -> Double {
        try device.diagonal(of: matrix).reduce(0, +)
    }
}
