import Compute
import Tensors

/// Ridge regression of B on X for every alpha at once, from the eigenvalues of S_xx: with S_xx = Vᵀ·diag(λ)·V and
/// C = V·S_xb, M = Vᵀ·diag(1/(λ + alpha))·C.
struct RidgeSolution {
    private let moments: Moments
    private let device: Device
    /// Ascending, rounding below zero cut off.
    private let eigenvalues: [Double]
    /// V, (width, width), an eigenvector a row.
    private let vectors: Tensor
    /// C, (width, width).
    private let coefficients: Tensor

    init(_ moments: Moments) throws(ComputeError) {
        self.moments = moments
        device = moments.device
        vectors = try device.makeTensor(moments.gram.shape, .float64, for: "eigenvectors")
        coefficients = try device.makeTensor(moments.gram.shape, .float64, for: "coefficients of a map")
        try device.copy(moments.gram, to: vectors)
        eigenvalues = try device.symmetricEigen(vectors).map { max(0, $0) }
        try device.product(vectors, moments.contributionForm().cross, into: coefficients)
    }

    /// The alphas that are tried: 10^-10 to 10^2 times the mean of S_xx's diagonal.
    static func alphas(_ moments: Moments) throws(ComputeError) -> [Double] {
        let mean = try moments.device.diagonal(of: moments.gram).reduce(0, +) / Double(max(1, moments.width))
        let powers = [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100]
        return powers.map { (mean > 0 ? mean : 1) * $0 }
    }

    /// ‖E‖² of the maps of these alphas on rows that were not fitted.
    ///
    /// Of the held-out rows' moments about the fitted rows' means, tr S_bb - 2·⟨M, S_xb⟩ + ⟨M, S_xx·M⟩; in the eigenvectors'
    /// directions M's rows are those of C times numbers d, so that it is tr S_bb - 2·d·p + dᵀ·W·d with
    /// pᵢ = ⟨Cᵢ, (V·S_xb)ᵢ⟩ and W the products of the elements of V·S_xx·Vᵀ and C·Cᵀ.
    func residualSquares(on heldOut: Moments, alphas: [Double]) throws(ComputeError) -> [Double] {
        let width = moments.width
        let (gram, cross) = try heldOut.productsAboutMeans(of: moments)
        func make() throws(ComputeError) -> Tensor {
            try device.makeTensor([width, width], .float64, for: "products of held-out rows")
        }
        let (turned, products) = (try make(), try make())
        try device.product(vectors, gram, into: products)
        try device.product(products, vectors, transposesB: true, into: turned)
        try device.product(vectors, cross, into: gram)
        try device.product(coefficients, coefficients, transposesB: true, into: products)

        let shares = alphas.map { alpha in eigenvalues.map { $0 + alpha > 0 ? 1 / ($0 + alpha) : 0 } }
        let zero = try device.makeZeros([width, width], .float64, for: "a map that adds nothing")
        let nothing = try heldOut.heldOutErrors(of: MapFit.targetMap(zero, heldOut), fittedOn: moments)
        var sums = [Double](repeating: nothing.residualSquares, count: alphas.count)
        for begin in stride(from: 0, to: width, by: Device.readRowCount) {
            let rows = begin..<min(begin + Device.readRowCount, width)
            let (first, second) = (
                try device.doubles(of: turned.rows(rows)), try device.doubles(of: products.rows(rows))
            )
            let (left, right) = (
                try device.doubles(of: coefficients.rows(rows)), try device.doubles(of: gram.rows(rows))
            )
            for row in rows {
                let elements = (row - begin) * width..<(row - begin + 1) * width
                let linear = elements.reduce(0.0) { $0 + left[$1] * right[$1] }
                let quadratic = elements.map { first[$0] * second[$0] }
                for (index, share) in shares.enumerated() {
                    var sum = -2 * linear
                    for column in 0..<width { sum += share[column] * quadratic[column] }
                    sums[index] += share[row] * sum
                }
            }
        }
        return sums
    }
}
