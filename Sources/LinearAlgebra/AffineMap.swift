public import Compute
public import Tensors

/// An affine map of rows, t ≈ (x - meanX)·A + meanTarget.
public struct AffineMap: Sendable {
    /// Whether t is the contribution B or the output Y.
    public let target: MomentTarget
    /// A, (width, targetWidth) float64.
    public let matrix: Tensor
    /// Column means of x over the fitted rows, (width).
    public let meanX: [Double]
    /// Column means of the target over the fitted rows, (targetWidth).
    public let meanTarget: [Double]
    /// What rounding in the moments may do to a prediction; see `LinearFit.predictionRounding`.
    let rounding: Tensor?

    /// The map of a fit; nil where the fit was made without `Extras.map`.
    public init?(_ fit: LinearFit, of moments: Moments) throws(ComputeError) {
        guard let matrix = fit.map else { return nil }
        target = moments.target
        self.matrix = matrix
        meanX = moments.meanX
        meanTarget = moments.meanTarget
        rounding = try fit.predictionRounding(fittedOn: moments)
    }

    /// What is to be added to (x - shift of x)·A for the target less its shift, (width).
    func bias(_ device: Device, shifts: PanelShifts) throws(ComputeError) -> [Double] {
        let width = meanX.count
        let distances = zip(try device.floats(of: shifts.x), meanX).map { Double($0) - $1 }
        let row = try device.makeTensor(distances, [1, width], for: "a distance from the mean")
        let image = try device.makeTensor([1, width], .float64, for: "a bias")
        try device.product(row, matrix, into: image)
        let offsets = zip(meanTarget, try device.floats(of: shifts.target)).map { $0 - Double($1) }
        return zip(offsets, try device.doubles(of: image)).map(+)
    }
}
