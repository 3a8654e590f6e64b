public import Compute
public import Tensors

/// Sufficient statistics of pairs (x, t), t being the layer's contribution B = Y - X or its output Y; or of rows of any
/// two matrices, whose target is Y and may be of another width.
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
    /// Column means of the target, (targetWidth).
    public let meanTarget: [Double]
    /// S_xx = X_cᵀX_c, (width, width) float64, both triangles.
    public let gram: Tensor
    /// S_xt = X_cᵀT_c, (width, targetWidth) float64.
    public let cross: Tensor
    /// S_tt = T_cᵀT_c, (targetWidth, targetWidth) float64, both triangles; nil where it was not asked for.
    public let targetGram: Tensor?
    /// tr S_tt = ‖T_c‖².
    public let targetSquares: Double

    public var width: Int { meanX.count }
    public var targetWidth: Int { meanTarget.count }

    /// The moments of the rows of all parts: S = Σ Sᵢ + Σ nᵢ δᵢδᵢᵀ with δᵢ the part's mean less the common one, as
    /// Chan, Golub and LeVeque do for two.
    ///
    /// - Precondition: there is at least one part, and all have the same device, target and width.
    public static func sum(_ parts: [Moments]) throws(ComputeError) -> Moments {
        let (device, target) = (parts[0].device, parts[0].target)
        let (width, targetWidth) = (parts[0].width, parts[0].targetWidth)
        precondition(
            parts.allSatisfy { $0.target == target && $0.width == width && $0.targetWidth == targetWidth },
            "moments of different quantities")
        let count = parts.reduce(0) { $0 + $1.count }
        let meanX = mean(parts.map { ($0.count, $0.meanX) }, width)
        let meanTarget = mean(parts.map { ($0.count, $0.meanTarget) }, targetWidth)
        let deltasX = parts.map { deltas($0.meanX, meanX, weight: $0.count) }
        let deltasTarget = parts.map { deltas($0.meanTarget, meanTarget, weight: $0.count) }

        let gram = try sum(parts.map(\.gram), device)
        let cross = try sum(parts.map(\.cross), device)
        let targetGrams = parts.compactMap(\.targetGram)
        let targetGram = try targetGrams.count == parts.count ? sum(targetGrams, device) : nil
        if parts.count > 1 {
            let rowsX = try device.makeTensor(
                deltasX.flatMap { $0 }, [parts.count, width], for: "differences of means")
            let rowsTarget = try device.makeTensor(
                deltasTarget.flatMap { $0 }, [parts.count, targetWidth], for: "differences of means")
            try device.product(rowsX, rowsX, transposesA: true, accumulates: true, into: gram)
            try device.product(rowsX, rowsTarget, transposesA: true, accumulates: true, into: cross)
            if let targetGram {
                try device.product(rowsTarget, rowsTarget, transposesA: true, accumulates: true, into: targetGram)
            }
        }
        let squares = parts.reduce(0) { $0 + $1.targetSquares }
        return Moments(
            device: device, target: target,
            precision: parts.contains { $0.precision == .float32Blocks } ? .float32Blocks : .float64, count: count,
            meanX: meanX, meanTarget: meanTarget, gram: gram, cross: cross, targetGram: targetGram,
            targetSquares: squares + deltasTarget.joined().reduce(0) { $0 + $1 * $1 })
    }

    /// The moments about zero in the place of the means: of these a fit has no intercept. Sums of such moments are likewise.
    public func aboutZero() throws(ComputeError) -> Moments {
        let (gram, cross) = (try Moments.sum([gram], device), try Moments.sum([cross], device))
        let targetGram = try targetGram.map { matrix throws(ComputeError) in try Moments.sum([matrix], device) }
        let (n, x) = (Double(count), try device.makeTensor(meanX, [width], for: "column means"))
        let t = try device.makeTensor(meanTarget, [targetWidth], for: "column means")
        try device.addOuterProduct(x, x, scale: n, to: gram)
        try device.addOuterProduct(x, t, scale: n, to: cross)
        if let targetGram { try device.addOuterProduct(t, t, scale: n, to: targetGram) }
        return Moments(
            device: device, target: target, precision: precision, count: count,
            meanX: [Double](repeating: 0, count: width), meanTarget: [Double](repeating: 0, count: targetWidth),
            gram: gram, cross: cross, targetGram: targetGram,
            targetSquares: targetSquares + n * meanTarget.reduce(0) { $0 + $1 * $1 })
    }

    private static func sum(_ matrices: [Tensor], _ device: Device) throws(ComputeError) -> Tensor {
        let sum = try device.makeTensor(matrices[0].shape, .float64, for: "a sum of moments")
        try device.copy(matrices[0], to: sum)
        for matrix in matrices.dropFirst() { try device.addScaled(matrix, to: sum) }
        return sum
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
        meanTarget: [Double], gram: Tensor, cross: Tensor, targetGram: Tensor?, targetSquares: Double
    ) {
        self.device = device
        self.target = target
        self.precision = precision
        self.count = count
        self.meanX = meanX
        self.meanTarget = meanTarget
        self.gram = gram
        self.cross = cross
        self.targetGram = targetGram
        self.targetSquares = targetSquares
    }
}

// MARK: Derived sums of squares

/// Column means of x and of the target, and those that follow from them.
struct ColumnMeans: Sendable {
    let target: MomentTarget
    let x: [Double]
    let ofTarget: [Double]

    /// Of Y.
    var output: [Double] {
        target == .output ? ofTarget : zip(x, ofTarget).map { $0 + $1 }
    }

    /// Of B; nil where X and Y are of different widths.
    var contribution: [Double]? {
        guard x.count == ofTarget.count else { return nil }
        return target == .contribution ? ofTarget : zip(ofTarget, x).map { $0 - $1 }
    }
}

/// ‖X_c‖², ‖Y_c‖² and ‖B_c‖², derived from the moments by S_yy = S_xx + S_xb + S_xbᵀ + S_bb.
public struct CentredNorms: Sendable {
    public let inputSquares: Double
    public let outputSquares: Double
    /// nil where X and Y are of different widths.
    public let contributionSquares: Double?

    /// - Parameters:
    ///   - inputSquares: tr S_xx.
    ///   - crossTrace: tr S_xt; nil where X and Y are of different widths.
    ///   - targetSquares: tr S_tt.
    init(target: MomentTarget, inputSquares: Double, crossTrace: Double?, targetSquares: Double) {
        self.inputSquares = inputSquares
        switch (target, crossTrace) {
        case (.contribution, let crossTrace):
            outputSquares = max(0, inputSquares + 2 * (crossTrace ?? 0) + targetSquares)
            contributionSquares = targetSquares
        case (.output, let crossTrace):
            outputSquares = targetSquares
            contributionSquares = crossTrace.map { max(0, inputSquares - 2 * $0 + targetSquares) }
        }
    }
}

extension Moments {
    /// The squared Frobenius norms of the centred matrices.
    public func centredNorms() throws(ComputeError) -> CentredNorms {
        CentredNorms(
            target: target, inputSquares: try trace(gram), crossTrace: width == targetWidth ? try trace(cross) : nil,
            targetSquares: targetSquares)
    }

    /// Column means of Y.
    public var meanOutput: [Double] { means.output }

    var means: ColumnMeans { ColumnMeans(target: target, x: meanX, ofTarget: meanTarget) }

    private func trace(_ matrix: Tensor) throws(ComputeError) -> Double {
        try device.diagonal(of: matrix).reduce(0, +)
    }
}
