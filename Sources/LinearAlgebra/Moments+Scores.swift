public import Compute
public import Tensors

extension Moments {
    /// Orthogonal Procrustes similarity ν², ν the nuclear norm of X̃ᵀỸ: how well Y is X times one scale and one
    /// orthogonal matrix, between 0 and 1. Nil where X or Y has no variance, or they are of different widths.
    public func orthogonalProcrustes() throws(ComputeError) -> Double? {
        let norms = try centredNorms()
        guard norms.inputSquares > 0, norms.outputSquares > 0, width == targetWidth else { return nil }
        let nuclearNorm = try NuclearNorm.of(try crossOutput(), device)
        return nuclearNorm * nuclearNorm / (norms.inputSquares * norms.outputSquares)
    }

    /// X_cᵀY_c, in memory of its own.
    func crossOutput() throws(ComputeError) -> Tensor {
        let matrix = try device.makeTensor(cross.shape, .float64, for: "a cross-product matrix")
        try device.copy(cross, to: matrix)
        if target == .contribution { try device.addScaled(gram, to: matrix) }
        return matrix
    }

    /// The largest eigenvalue of cov(X) over its trace; nil where X has no variance.
    public func anisotropy() throws(ComputeError) -> Double? {
        let trace = try centredNorms().inputSquares
        guard trace > 0 else { return nil }
        let x = try device.makeTensor([width], .float64, for: "a Lanczos vector")
        let y = try device.makeTensor([width], .float64, for: "a Lanczos vector")
        let largest = try Lanczos.largestEigenvalue(width: width, device: device) { vector throws(ComputeError) in
            try device.write(vector, to: x)
            try device.symmetricProduct(gram, x, into: y)
            return try device.doubles(of: y)
        }
        return largest / trace
    }

    /// Errors of a map fitted on other rows, from these rows' moments alone.
    ///
    /// E = tr S_tt - 2 tr(AᵀS_xt) + tr(AᵀS_xx A) + n ‖μ_t - μ_x A - b‖², with b = μ_t' - μ_x' A from the training rows.
    ///
    /// - Parameters:
    ///   - map: A, (width, targetWidth) float64, fitted on `training`.
    ///   - training: Moments of the rows it was fitted on.
    public func heldOutErrors(of map: Tensor, fittedOn training: Moments) throws(ComputeError) -> HeldOutErrors {
        let image = try device.makeTensor(map.shape, .float64, for: "a map's image")
        try device.product(gram, map, into: image)
        let quadratic = try device.innerProduct(map, image)
        let linear = try device.innerProduct(map, cross)

        return HeldOutErrors(
            centredSquares: targetSquares - 2 * linear + quadratic,
            meanSquares: try means.errorSquares(of: map, fittedOn: training.means, device), norms: try centredNorms(),
            means: means, trainingMeans: training.means, count: count)
    }
}

extension ColumnMeans {
    /// ‖μ_t - μ_x·A - b‖² of a map A whose bias b = μ_t' - μ_x'·A was fitted on rows of other means.
    func errorSquares(of map: Tensor, fittedOn training: ColumnMeans, _ device: Device) throws(ComputeError) -> Double {
        let difference = zip(x, training.x).map { $0 - $1 }
        let row = try device.makeTensor(difference, [1, x.count], for: "a difference of means")
        let image = try device.makeTensor([1, ofTarget.count], .float64, for: "a mapped mean")
        try device.product(row, map, into: image)
        let mapped = try device.doubles(of: image)
        return zip(zip(ofTarget, training.ofTarget), mapped).reduce(0) { sum, means in
            let error = means.0.0 - means.0.1 - means.1
            return sum + error * error
        }
    }
}

/// Sums of squares over held-out rows.
public struct HeldOutErrors: Sendable {
    /// Σ ‖t - x·A - b‖², with A and b from the training rows.
    public let residualSquares: Double
    /// Σ ‖y - ȳ‖², with the mean of the training rows.
    public let outputSquares: Double
    /// Σ ‖b - b̄‖², with the mean of the training rows; nil where x and y are of different widths.
    public let contributionSquares: Double?

    /// - Parameters:
    ///   - centredSquares: Σ ‖t_c - x_c·A‖² of the held-out rows about their own means.
    ///   - meanSquares: ‖μ_t - μ_x·A - b‖².
    ///   - norms: Of the held-out rows, as `means` and `count` are.
    init(
        centredSquares: Double, meanSquares: Double, norms: CentredNorms, means: ColumnMeans,
        trainingMeans: ColumnMeans, count: Int
    ) {
        func squaredDistance(_ a: [Double], _ b: [Double]) -> Double {
            zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        let count = Double(count)
        residualSquares = max(0, centredSquares + count * meanSquares)
        outputSquares = norms.outputSquares + count * squaredDistance(means.output, trainingMeans.output)
        if let squares = norms.contributionSquares, let mean = means.contribution,
            let trainingMean = trainingMeans.contribution
        {
            contributionSquares = squares + count * squaredDistance(mean, trainingMean)
        } else {
            contributionSquares = nil
        }
    }

    private init(residualSquares: Double, outputSquares: Double, contributionSquares: Double?) {
        self.residualSquares = residualSquares
        self.outputSquares = outputSquares
        self.contributionSquares = contributionSquares
    }

    /// Of another map on the same rows.
    func replacingResidual(_ squares: Double) -> HeldOutErrors {
        HeldOutErrors(
            residualSquares: max(0, squares), outputSquares: outputSquares, contributionSquares: contributionSquares)
    }
}
