public import Compute
import Tensors

/// How alike the configurations of the rows of X and of Y are, whatever their widths: 1 where one is the other rotated
/// and scaled.
public struct MatrixCorrelation: Sendable {
    /// Linear CKA (Kornblith et al. 2019), which is the RV coefficient (Robert and Escoufier 1976):
    /// ‖X_cᵀY_c‖²/(‖X_cᵀX_c‖·‖Y_cᵀY_c‖). Between 0 and 1; for few rows and many columns it is large for unrelated data.
    /// Nil where X or Y has no variance.
    public let linearCKA: Double?
    /// The modified RV coefficient (Smilde et al. 2009): the same of the matrices X_cX_cᵀ and Y_cY_cᵀ without their
    /// diagonals. Between -1 and 1, and about 0 for unrelated data. Nil also where a matrix has nothing off its diagonal.
    public let modifiedRV: Double?

    /// - Parameters:
    ///   - crossSquares: ‖X_cᵀY_c‖².
    ///   - inputSquares: ‖X_cᵀX_c‖².
    ///   - outputSquares: ‖Y_cᵀY_c‖².
    ///   - rows: The norms of the rows of the same matrices.
    init(crossSquares: Double, inputSquares: Double, outputSquares: Double, rows: RowSquares) {
        guard inputSquares > 0, outputSquares > 0 else {
            (linearCKA, modifiedRV) = (nil, nil)
            return
        }
        linearCKA = crossSquares / inputSquares.squareRoot() / outputSquares.squareRoot()
        // ‖A - diag A‖² = ‖A‖² - ‖diag A‖², and likewise for inner products.
        let (input, output) = (inputSquares - rows.input, outputSquares - rows.output)
        // What rounding leaves of a difference that is nothing.
        let resolution = 1e-12
        modifiedRV =
            input > resolution * inputSquares && output > resolution * outputSquares
            ? (crossSquares - rows.cross) / input.squareRoot() / output.squareRoot() : nil
    }
}

/// Sums over rows of products of the squared norms of x_c and y_c: the diagonals of X_cX_cᵀ and Y_cY_cᵀ.
public struct RowSquares: Sendable {
    /// Σ ‖x_c‖⁴.
    public private(set) var input = 0.0
    /// Σ ‖y_c‖⁴.
    public private(set) var output = 0.0
    /// Σ ‖x_c‖²·‖y_c‖².
    public private(set) var cross = 0.0

    public init() {}

    /// Adds the sums of other rows.
    public mutating func add(_ other: RowSquares) {
        input += other.input
        output += other.output
        cross += other.cross
    }

    /// Adds rows by their ‖x_c‖² and ‖y_c‖².
    public mutating func add(input x: [Double], output y: [Double]) {
        for (x, y) in zip(x, y) {
            input += x * x
            output += y * y
            cross += x * y
        }
    }
}

extension Moments {
    /// The correlation of X and Y; nil where S_tt was not kept.
    ///
    /// - Parameter rows: Of the same rows.
    public func matrixCorrelation(rows: RowSquares) throws(ComputeError) -> MatrixCorrelation? {
        guard let targetGram else { return nil }
        let cross = try crossOutput()
        let crossSquares = try device.innerProduct(cross, cross)
        let inputSquares = try device.innerProduct(gram, gram)
        var outputSquares = try device.innerProduct(targetGram, targetGram)
        if target == .contribution { outputSquares = try squaresOfOutputGram(targetGram) }
        return MatrixCorrelation(
            crossSquares: crossSquares, inputSquares: inputSquares, outputSquares: outputSquares, rows: rows)
    }

    /// ‖S_yy‖² with S_yy = S_xx + S_xb + S_xbᵀ + S_bb.
    private func squaresOfOutputGram(_ targetGram: Tensor) throws(ComputeError) -> Double {
        let outer = try device.doubles(of: gram)
        let inner = try device.doubles(of: targetGram)
        let crosses = try device.doubles(of: cross)
        var squares = 0.0
        for row in 0..<width {
            for column in 0..<width {
                let place = row * width + column
                let element = outer[place] + inner[place] + crosses[place] + crosses[column * width + row]
                squares += element * element
            }
        }
        return squares
    }

    /// The same moments without S_tt.
    public func withoutTargetGram() -> Moments {
        Moments(
            device: device, target: target, precision: precision, count: count, meanX: meanX, meanTarget: meanTarget,
            gram: gram, cross: cross, targetGram: nil, targetSquares: targetSquares)
    }
}
