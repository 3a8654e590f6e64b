import Checkpoints
import Compute
import LinearAlgebra

/// Whether sums of squares and their products are ordinary numbers.
extension EmbeddingMoments {
    /// Deviations of a column whose float32 products are far from overflow and from subnormal numbers.
    private static let float32Range = 1e-10...1e15
    /// Deviations of a column whose sums of squares, and products of two of those, are float64 numbers.
    private static let float64Range = 1e-70...1e70

    func isWithinFloat32Range(_ total: Moments) throws(LinearityError) -> Bool {
        try firstColumnOutside(EmbeddingMoments.float32Range, total) == nil
    }

    func checkMagnitudes(_ total: Moments) throws(LinearityError) {
        if let (matrix, column) = try firstColumnOutside(EmbeddingMoments.float64Range, total) {
            throw .magnitude(path: matrix.path, column: column)
        }
    }

    /// The first column of X that varies and whose standard deviation lies outside the range; or any column of Y, where
    /// the root mean square of all its columns' does.
    private func firstColumnOutside(
        _ range: ClosedRange<Double>, _ total: Moments
    ) throws(LinearityError) -> (StoredMatrix, column: Int)? {
        let squares = try comparing { () throws(ComputeError) in try rows.device.diagonal(of: total.gram) }
        let count = Double(total.count)
        for (column, square) in squares.enumerated() where survey.variesX[column] {
            if !range.contains((square / count).squareRoot()) { return (rows.x, column) }
        }
        // Y - X may be nothing, or all rounding, where neither is.
        let varies = total.target == .contribution ? total.targetSquares != 0 : survey.variesY.contains(true)
        let deviation = (total.targetSquares / count / Double(total.targetWidth)).squareRoot()
        return varies && !range.contains(deviation) ? (rows.y, survey.variesY.firstIndex(of: true) ?? 0) : nil
    }
}
