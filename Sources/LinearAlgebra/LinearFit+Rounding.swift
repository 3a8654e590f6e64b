public import Compute
import Tensors

extension LinearFit {
    /// How far rounding in float32 products may move the residual on held-out rows: one standard deviation.
    ///
    /// Held-out residuals are not at a minimum of the map, so that errors of the training moments enter at first order,
    /// and grow where held-out rows stand out in a direction that the training rows hardly have: δE = 2⟨N, W⟩ with
    /// N = δS_xt - δS_xx·A and W = S_xx⁻¹·(S_xx'·A - S_xt' + mean term), the primes naming the held-out rows. Elements of
    /// N are taken as independent, the norm of W is estimated from a few random combinations of its columns: no matrix
    /// product is needed.
    ///
    /// - Parameters:
    ///   - heldOut: Moments of the held-out rows.
    ///   - training: The moments that were fitted.
    /// - Returns: 0 for float64 moments and where the factor is not at hand.
    public func roundingError(on heldOut: Moments, fittedOn training: Moments) throws(ComputeError) -> Double {
        guard training.precision == .float32Blocks, let map, let factor else { return 0 }
        let (device, width) = (training.device, training.width)
        let probeCount = 4
        let probes = try device.makeTensor(
            LinearFit.probes(columnNorms: noiseScales(map, factor.scales, training), probeCount),
            [training.targetWidth, probeCount], for: "probes")
        func make(_ rows: Int) throws(ComputeError) -> Tensor {
            try device.makeTensor([rows, probeCount], .float64, for: "probes")
        }
        // W·z, from right to left.
        let (mapped, gradient, crossed) = (try make(width), try make(width), try make(width))
        try device.product(map, probes, into: mapped)
        try device.product(heldOut.gram, mapped, into: gradient)
        try device.product(heldOut.cross, probes, scale: -1, accumulates: true, into: gradient)

        let deltaX = zip(heldOut.meanX, training.meanX).map { $0 - $1 }
        let deltaTarget = zip(heldOut.meanTarget, training.meanTarget).map { $0 - $1 }
        let rowX = try device.makeTensor(deltaX, [1, width], for: "a difference of means")
        let rowTarget = try device.makeTensor(deltaTarget, [1, training.targetWidth], for: "a difference of means")
        let meanError = try make(1)
        try device.product(rowX, mapped, into: meanError)
        try device.product(rowTarget, probes, scale: -1, accumulates: true, into: meanError)
        try device.addOuterProduct(
            rowX.reshaped([width]), meanError.reshaped([probeCount]), scale: Double(heldOut.count), to: gradient)

        try device.copy(gradient, to: crossed)
        try device.scale(crossed, rows: factor.scales, columns: nil)
        try device.solveTriangular(factor.matrix, transposes: false, crossed)
        try device.solveTriangular(factor.matrix, transposes: true, crossed)
        let squares = try device.innerProduct(crossed, crossed) / Double(probeCount)
        return 2 * LinearFit.elementNoise(rowCount: training.count) * squares.squareRoot()
    }

    /// How far rounding in float32 products may move the prediction of a row: ‖(x - meanX)·W‖ is one standard deviation
    /// along any fixed direction.
    ///
    /// As in `roundingError`, δA = S_xx⁻¹·N with independent elements of N, so that (x - meanX)·δA varies as the norm of
    /// (x - meanX)·S_xx⁻¹, which a few random combinations of its elements estimate.
    ///
    /// - Returns: W, (width, probes) float64; nil for float64 moments and where the factor is not at hand.
    func predictionRounding(fittedOn training: Moments) throws(ComputeError) -> Tensor? {
        guard training.precision == .float32Blocks, let map, let factor else { return nil }
        let probeCount = LinearFit.predictionProbeCount
        let scales = try noiseScales(map, factor.scales, training)
        let mean = (scales.reduce(0) { $0 + $1 * $1 } / Double(scales.count)).squareRoot()
        let noise = LinearFit.elementNoise(rowCount: training.count) * mean / Double(probeCount).squareRoot()
        let probes = try training.device.makeTensor(
            LinearFit.probes(columnNorms: [Double](repeating: noise, count: training.width), probeCount),
            [training.width, probeCount], for: "probes")
        try training.device.solveTriangular(factor.matrix, transposes: false, probes)
        try training.device.solveTriangular(factor.matrix, transposes: true, probes)
        try training.device.scale(probes, rows: factor.scales, columns: nil)
        return probes
    }

    static let predictionProbeCount = 16

    /// Relative error of an element of a moment matrix: at random a quarter of an ulp of the growing sum at each of 512
    /// steps, which makes √(512/3) quarters in a block, and blocks added likewise. Elements that are small sums of large
    /// products err less; the diagonal and correlated columns, which decide, do not.
    static func elementNoise(rowCount: Int) -> Double {
        let blockRowCount = Double(Device.crossProductBlockRowCount)
        let blockCount = max(1, Double(rowCount) / blockRowCount)
        return Double(Float.ulpOfOne) / 4 * (blockRowCount / 3 / blockCount).squareRoot()
    }

    /// The scale of N's columns: √(‖t_j‖² + ‖D⁻¹·A_j‖²), in columns of x scaled to unit norm.
    private func noiseScales(_ map: Tensor, _ scales: Tensor, _ training: Moments) throws(ComputeError) -> [Double] {
        let width = training.targetWidth
        let elements = try training.device.doubles(of: map)
        let factors = try training.device.doubles(of: scales)
        var squares = [Double](repeating: training.targetSquares / Double(width), count: width)
        for row in 0..<training.width where factors[row] > 0 {
            let weight = 1 / (factors[row] * factors[row])
            for column in 0..<width {
                let element = elements[row * width + column]
                squares[column] += weight * element * element
            }
        }
        return squares.map { $0.squareRoot() }
    }

    /// Random signs times the norms, fixed from run to run; (width, count), row by row.
    private static func probes(columnNorms: [Double], _ count: Int) -> [Double] {
        var state: UInt64 = 0x2545_F491_4F6C_DD1D
        return columnNorms.flatMap { norm in
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return state >> 63 == 0 ? norm : -norm
            }
        }
    }
}
