public import Compute
public import Tensors

extension Moments {
    /// Orthogonal Procrustes similarity ν², ν the nuclear norm of X̃ᵀỸ: how well Y is X times one scale and one
    /// orthogonal matrix, between 0 and 1. Nil where X or Y has no variance, or they are of different widths.
    public func orthogonalProcrustes() throws(ComputeError) -> Double? {
        let norms = try centredNorms()
        guard norms.inputSquares > 0, norms.outputSquares > 0, width == targetWidth else { return nil }
        let nuclearNorm = try device.singularValues(try crossOutput()).reduce(0, +)
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

        let deltaX = zip(meanX, training.meanX).map { $0 - $1 }
        let row = try device.makeTensor(deltaX, [1, width], for: "a difference of means")
        let mapped = try device.makeTensor([1, targetWidth], .float64, for: "a mapped mean")
        try device.product(row, map, into: mapped)
        let mappedMeans = try device.doubles(of: mapped)
        var meanError = 0.0
        for i in 0..<targetWidth {
            let difference = meanTarget[i] - training.meanTarget[i] - mappedMeans[i]
            meanError += difference * difference
        }
        let norms = try centredNorms()
        let residual = targetSquares - 2 * linear + quadratic + Double(count) * meanError
        var contributionSquares = norms.contributionSquares
        if let mean = meanContribution, let trainingMean = training.meanContribution {
            contributionSquares? += Double(count) * squaredDistance(mean, trainingMean)
        }
        return HeldOutErrors(
            residualSquares: max(0, residual),
            outputSquares: norms.outputSquares + Double(count) * squaredDistance(meanOutput, training.meanOutput),
            contributionSquares: contributionSquares)
    }

    private func squaredDistance(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
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
}
