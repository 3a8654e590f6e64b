import Compute
import Tensors

/// Reduced-rank regression of B on X for every rank at once: M_ls·V·Vᵀ, with M_ls the least-squares map and V the first
/// right singular vectors of the fitted values X_c·M_ls (Izenman 1975).
struct ReducedRankSolution {
    let leastSquares: LeastSquaresMap
    private let moments: Moments
    private let device: Device
    /// Eigenvectors of M_lsᵀ·S_xx·M_ls, (width, width), a row each; those of the largest eigenvalues last.
    private let vectors: Tensor

    /// - Returns: nil where the moments do not resolve the data.
    init?(_ moments: Moments) throws(MapError) {
        guard let leastSquares = try LeastSquaresMap(moments, alpha: 0) else { return nil }
        self.leastSquares = leastSquares
        self.moments = moments
        device = moments.device
        vectors = try mapping { () throws(ComputeError) in
            // M_lsᵀ·S_xx·M_ls = S_xbᵀ·M_ls, since the residual is orthogonal to X.
            let fitted = try moments.device.makeTensor(
                moments.gram.shape, .float64, for: "a Gram matrix of fitted values")
            try moments.device.product(
                moments.contributionForm().cross, leastSquares.matrix, transposesA: true, into: fitted)
            _ = try moments.device.symmetricEigen(fitted)
            return fitted
        }
    }

    /// M of at most this rank, (width, width) float64.
    func matrix(rank: Int) throws(ComputeError) -> Tensor {
        let width = moments.width
        let kept = vectors.rows(width - rank..<width)
        let coefficients = try device.makeTensor([width, rank], .float64, for: "coefficients of a map")
        try device.product(leastSquares.matrix, kept, transposesB: true, into: coefficients)
        let matrix = try device.makeTensor([width, width], .float64, for: "a map of low rank")
        try device.product(coefficients, kept, into: matrix)
        return matrix
    }

    /// Errors of the maps of these ranks on rows that were not fitted.
    ///
    /// Directions V are orthogonal, so that each adds its own to the error: with N = M_ls·V, and moments about the fitted
    /// rows' means, nₖᵀ·S_xx·nₖ - 2·nₖᵀ·S_xb·vₖ.
    func heldOutErrors(on heldOut: Moments, ranks: [Int]) throws(ComputeError) -> [HeldOutErrors] {
        let width = moments.width
        let full = try heldOut.heldOutErrors(
            of: MapFit.targetMap(leastSquares.matrix, heldOut), fittedOn: moments)
        let (gram, cross) = try heldOut.productsAboutMeans(of: moments)
        let coefficients = try device.makeTensor([width, width], .float64, for: "coefficients of a map")
        let image = try device.makeTensor([width, width], .float64, for: "images of coefficients")
        try device.product(leastSquares.matrix, vectors, transposesB: true, into: coefficients)
        try device.product(gram, coefficients, into: image)
        try device.product(cross, vectors, transposesB: true, scale: -2, accumulates: true, into: image)
        let changes = try device.columnProducts(coefficients, image)
        return ranks.map { rank in
            full.replacingResidual(full.residualSquares - changes.prefix(width - rank).reduce(0, +))
        }
    }
}

extension Moments {
    /// S_xx and S_xb of these rows about the means of other rows, in memory of their own.
    func productsAboutMeans(of training: Moments) throws(ComputeError) -> (gram: Tensor, cross: Tensor) {
        let form = try contributionForm()
        let means = (training.means.contribution ?? training.meanTarget, form.meanTarget)
        let deltaX = zip(meanX, training.meanX).map { $0 - $1 }
        let deltaTarget = zip(means.1, means.0).map { $0 - $1 }
        let gram = try device.makeTensor([width, width], .float64, for: "moments about other means")
        let cross = try device.makeTensor([width, width], .float64, for: "moments about other means")
        try device.copy(form.gram, to: gram)
        try device.copy(form.cross, to: cross)
        let rowX = try device.makeTensor(deltaX, [width], for: "a difference of means")
        let rowTarget = try device.makeTensor(deltaTarget, [width], for: "a difference of means")
        try device.addOuterProduct(rowX, rowX, scale: Double(count), to: gram)
        try device.addOuterProduct(rowX, rowTarget, scale: Double(count), to: cross)
        return (gram, cross)
    }
}

extension Device {
    /// Rows that are read at once.
    static let readRowCount = 256

    /// Σᵢ aᵢₖ·bᵢₖ for every column k of two matrices of one shape.
    fileprivate func columnProducts(_ a: Tensor, _ b: Tensor) throws(ComputeError) -> [Double] {
        let width = a.columns
        var sums = [Double](repeating: 0, count: width)
        for begin in stride(from: 0, to: a.rows, by: Device.readRowCount) {
            let rows = begin..<min(begin + Device.readRowCount, a.rows)
            let (left, right) = (try doubles(of: a.rows(rows)), try doubles(of: b.rows(rows)))
            for row in 0..<rows.count {
                for column in 0..<width { sums[column] += left[row * width + column] * right[row * width + column] }
            }
        }
        return sums
    }
}
