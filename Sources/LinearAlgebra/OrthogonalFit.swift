public import Compute
public import Tensors

/// The orthogonal matrix Q and the scale s that take X_c nearest to Y_c: ‖s·X_cQ - Y_c‖ is smallest (Schönemann 1966).
///
/// With X_cᵀY_c = U·diag(σ)·Vᵀ they are Q = U·Vᵀ, a reflection where that fits better than a rotation, and
/// s = Σσ/‖X_c‖².
public struct OrthogonalFit: Sendable {
    /// Q, (width, width) float64.
    public let rotation: Tensor
    public let scale: Double
    /// ν² = (Σσ)²/(‖X_c‖²·‖Y_c‖²): 1 less the share of ‖Y_c‖² that is left over.
    public let similarity: Double
    /// σmin/σmax: near 0 it leaves Q to chance in some directions, which hardly matter for the fit.
    let smallestShare: Double

    /// - Parameters:
    ///   - cross: X_cᵀY_c, (width, width) float64; overwritten.
    ///   - inputSquares: ‖X_c‖², above 0.
    ///   - outputSquares: ‖Y_c‖², above 0.
    init(
        device: Device, cross: Tensor, inputSquares: Double, outputSquares: Double
    ) throws(ComputeError) {
        let (left, values, right) = try device.singularDecomposition(cross)
        let nuclearNorm = values.reduce(0, +)
        rotation = try device.makeTensor(cross.shape, .float64, for: "a rotation")
        try device.product(left, right, into: rotation)
        scale = nuclearNorm / inputSquares
        smallestShare = values[0] > 0 ? values[values.count - 1] / values[0] : 0
        similarity = nuclearNorm / inputSquares * (nuclearNorm / outputSquares)
    }
}

extension Moments {
    /// The orthogonal fit; nil where X or Y has no variance, or they are of different widths.
    public func orthogonalFit() throws(ComputeError) -> OrthogonalFit? {
        let norms = try centredNorms()
        guard norms.inputSquares > 0, norms.outputSquares > 0, width == targetWidth else { return nil }
        return try OrthogonalFit(
            device: device, cross: try crossOutput(), inputSquares: norms.inputSquares,
            outputSquares: norms.outputSquares)
    }
}
