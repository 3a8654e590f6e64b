public import Compute
public import Tensors

/// The least-squares fit t ≈ x·A + b of moments, from one factorization of the scaled S_xx.
///
/// S_xx is scaled to a unit diagonal and factored by Cholesky. Where a pivot falls below the resolution of the moments,
/// or the smallest eigenvalue is lost in their errors, its eigenvalues are computed instead, and those under the cut-off
/// are left out: the minimum-norm solution in scaled columns.
public struct LinearFit: Sendable {
    /// ‖E‖², the squared residual. It is the same for B and for Y.
    public let residualSquares: Double
    /// Numerical rank of X_c.
    public let rank: Int
    /// Singular values of the column-scaled X_c at or below this share of the largest count as zero.
    public let rankCutoff: Double
    /// A for the moments' target, (width, targetWidth) float64; nil where it was not asked for.
    public let map: Tensor?
    /// σmax/σmin of the column-scaled X_c over the `rank` singular values that were kept; nil where it was not asked
    /// for.
    public let conditionNumber: Double?

    /// The Cholesky factor of the scaled S_xx and the scales; nil without a map, or where eigenvalues were used.
    let factor: (matrix: Tensor, scales: Tensor)?

    /// What a fit computes besides the residual.
    public struct Extras: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        public static let map = Extras(rawValue: 1)
        public static let conditionNumber = Extras(rawValue: 2)
    }

    /// The smallest pivot of the unit-diagonal S_xx that moments of this precision resolve.
    ///
    /// Float64 moments: 64·width·ε. Float32 products over blocks of 512 rows err by about 1e-8 of the norms an element
    /// and at random, so that their matrix errs by about √width of that; the limit is a hundredfold above it, and what
    /// falls below is computed again in float64.
    public static func smallestPivot(width: Int, precision: MomentPrecision) -> Double {
        switch precision {
        case .float64: 64 * Double(width) * Double.ulpOfOne
        case .float32Blocks: 1e-6 * Double(width).squareRoot()
        }
    }

    /// The smallest eigenvalue that is told from the errors of moments of this precision, d·ε or about 1e-8·√d.
    ///
    /// Large pivots do not bound the smallest eigenvalue: a triangular factor with -16 beside a diagonal of ones has
    /// pivots of 4e-3 and, in eleven columns, an eigenvalue of 2e-25.
    public static func smallestEigenvalue(width: Int, precision: MomentPrecision) -> Double {
        smallestPivot(width: width, precision: precision) / 64
    }

    /// Fits the moments.
    ///
    /// - Parameters:
    ///   - moments: Moments of at least one row.
    ///   - extras: What to compute besides the residual.
    /// - Returns: nil where `.float32Blocks` moments do not resolve the data: the caller forms them in float64.
    /// - Throws: `ComputeError`.
    public static func fit(_ moments: Moments, extras: Extras) throws(ComputeError) -> LinearFit? {
        let problem = try ScaledProblem(moments)
        let smallestPivot = smallestPivot(width: moments.width, precision: moments.precision)
        let factor = try problem.copyOfGram()
        let failedMinor = try moments.device.choleskyFactor(factor)
        let pivots = try moments.device.diagonal(of: factor).map { $0 * $0 }
        if failedMinor == 0, let pivot = pivots.min(), pivot >= smallestPivot,
            try InverseIteration.smallestEigenvalue(factor: factor, device: moments.device)
                >= smallestEigenvalue(width: moments.width, precision: moments.precision)
        {
            let fit = try problem.fit(byCholesky: factor, extras: extras)
            // Singular values under the stated cut-off are never kept.
            guard let conditionNumber = fit.conditionNumber, conditionNumber * problem.cutoff >= 1 else { return fit }
        }
        if moments.precision == .float32Blocks { return nil }
        // Anew: the other way has overwritten its right-hand sides.
        return try ScaledProblem(moments).fit(byEigenvalues: factor, extras: extras)
    }
}

/// Moments with columns of x scaled to unit norm; columns of x without variance are set apart.
private struct ScaledProblem {
    let moments: Moments
    let device: Device
    /// 1/‖column of X_c‖, or 0 for a column without variance.
    let scales: Tensor
    let constantColumnCount: Int
    /// D·S_xx·D, with a unit diagonal.
    let gram: Tensor
    /// D·S_xt.
    let cross: Tensor

    init(_ moments: Moments) throws(ComputeError) {
        self.moments = moments
        device = moments.device
        let width = moments.width
        let variances = try device.diagonal(of: moments.gram)
        let factors = zip(variances, moments.meanX).map { variance, mean in
            Moments.varies(squares: variance, mean: mean, count: moments.count) ? 1 / variance.squareRoot() : 0
        }
        constantColumnCount = factors.count { $0 == 0 }
        scales = try device.makeTensor(factors, [width], for: "column scales")
        gram = try device.makeTensor([width, width], .float64, for: "a scaled Gram matrix")
        try device.copy(moments.gram, to: gram)
        try device.scale(gram, rows: scales, columns: scales)
        cross = try device.makeTensor(moments.cross.shape, .float64, for: "a scaled cross-product matrix")
        try device.copy(moments.cross, to: cross)
        try device.scale(cross, rows: scales, columns: nil)
        // A constant column becomes a unit vector of its own: it explains nothing, and its row of the map is zero.
        try device.fillDiagonal(of: gram, with: 1)
    }

    var cutoff: Double {
        LinearFit.smallestPivot(width: moments.width, precision: .float64).squareRoot()
    }

    func copyOfGram() throws(ComputeError) -> Tensor {
        let copy = try device.makeTensor(gram.shape, .float64, for: "a factor")
        try device.copy(gram, to: copy)
        return copy
    }

    func fit(byCholesky factor: Tensor, extras: LinearFit.Extras) throws(ComputeError) -> LinearFit {
        try device.solveTriangular(factor, transposes: false, cross)
        let explained = try device.innerProduct(cross, cross)
        var conditionNumber: Double?
        if extras.contains(.conditionNumber) { conditionNumber = try self.conditionNumber(factor) }
        if extras.contains(.map) {
            try device.solveTriangular(factor, transposes: true, cross)
            try device.scale(cross, rows: scales, columns: nil)
        }
        return LinearFit(
            residualSquares: max(0, moments.targetSquares - explained), rank: moments.width - constantColumnCount,
            rankCutoff: cutoff, map: extras.contains(.map) ? cross : nil, conditionNumber: conditionNumber,
            factor: extras.contains(.map) ? (factor, scales) : nil)
    }

    func fit(byEigenvalues vectors: Tensor, extras: LinearFit.Extras) throws(ComputeError) -> LinearFit {
        try device.copy(gram, to: vectors)
        let eigenvalues = try device.symmetricEigen(vectors)
        let largest = eigenvalues.last ?? 0
        // Ascending: the kept ones are the last.
        let firstKept = eigenvalues.firstIndex { $0 > cutoff * cutoff * largest } ?? eigenvalues.count
        let kept = firstKept..<eigenvalues.count
        guard !kept.isEmpty else {
            return LinearFit(
                residualSquares: moments.targetSquares, rank: 0, rankCutoff: cutoff,
                map: extras.contains(.map) ? try device.makeZeros(cross.shape, .float64, for: "a map") : nil,
                conditionNumber: nil, factor: nil)
        }
        let keptVectors = vectors.rows(kept)
        let projected = try device.makeTensor([kept.count, cross.columns], .float64, for: "projected products")
        try device.product(keptVectors, cross, into: projected)
        let weights = try device.makeTensor(
            eigenvalues[kept].map { 1 / $0.squareRoot() }, [kept.count], for: "inverse singular values")
        try device.scale(projected, rows: weights, columns: nil)
        let explained = try device.innerProduct(projected, projected)
        if extras.contains(.map) {
            try device.scale(projected, rows: weights, columns: nil)
            try device.product(keptVectors, projected, transposesA: true, into: cross)
            try device.scale(cross, rows: scales, columns: nil)
        }
        return LinearFit(
            residualSquares: max(0, moments.targetSquares - explained), rank: kept.count - constantColumnCount,
            rankCutoff: cutoff, map: extras.contains(.map) ? cross : nil,
            conditionNumber: (largest / eigenvalues[firstKept]).squareRoot(), factor: nil)
    }

    /// √(λmax/λmin) of the scaled S_xx, by Lanczos iterations with the matrix and with its inverse.
    private func conditionNumber(_ factor: Tensor) throws(ComputeError) -> Double {
        let largest = try largestEigenvalue(width: moments.width) { vector throws(ComputeError) in
            let x = try device.makeTensor(vector, [vector.count], for: "a Lanczos vector")
            let y = try device.makeTensor([vector.count], .float64, for: "a Lanczos vector")
            try device.symmetricProduct(gram, x, into: y)
            return try device.doubles(of: y)
        }
        let largestInverse = try largestEigenvalue(width: moments.width) { vector throws(ComputeError) in
            let x = try device.makeTensor(vector, [vector.count, 1], for: "a Lanczos vector")
            try device.solveTriangular(factor, transposes: false, x)
            try device.solveTriangular(factor, transposes: true, x)
            return try device.doubles(of: x)
        }
        return (largest * largestInverse).squareRoot()
    }

    private func largestEigenvalue(
        width: Int, _ multiply: ([Double]) throws(ComputeError) -> [Double]
    ) throws(ComputeError) -> Double {
        try Lanczos.largestEigenvalue(width: width, device: device, multiply)
    }
}
