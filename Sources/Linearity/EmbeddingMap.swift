import Compute
import LinearAlgebra
import Tensors

/// The affine maps that take rows of X to rows of Y, in plain numbers.
public struct EmbeddingMap: Sendable {
    /// y ≈ x·map + bias, the least-squares fit of all rows; (widthX, widthY), row by row.
    public let map: [Double]
    /// (widthY).
    public let bias: [Double]
    /// y ≈ scale·x·rotation + offset; nil where there is no orthogonal fit.
    public let orthogonal: Orthogonal?

    public struct Orthogonal: Sendable {
        /// (width, width), row by row; orthogonal, with a determinant of 1 or -1.
        public let rotation: [Double]
        public let scale: Double
        /// (width).
        public let offset: [Double]
    }

    /// - Parameters:
    ///   - matrix: The map for the target, (widthX, widthY).
    ///   - meanY: The column means of Y.
    init(
        device: Device, matrix: Tensor, target: MomentTarget, meanX: [Double], meanY: [Double],
        orthogonal fit: OrthogonalFit?
    ) throws(ComputeError) {
        var elements = try device.doubles(of: matrix)
        if target == .contribution {
            // Y = X + B.
            for i in meanX.indices { elements[i * meanX.count + i] += 1 }
        }
        map = elements
        bias = EmbeddingMap.offset(meanX, elements, meanY)
        guard let fit else {
            orthogonal = nil
            return
        }
        let rotation = try device.doubles(of: fit.rotation)
        orthogonal = Orthogonal(
            rotation: rotation, scale: fit.scale,
            offset: EmbeddingMap.offset(meanX.map { fit.scale * $0 }, rotation, meanY))
    }

    /// meanY - meanX·matrix.
    private static func offset(_ meanX: [Double], _ matrix: [Double], _ meanY: [Double]) -> [Double] {
        var result = meanY
        for (row, mean) in meanX.enumerated() {
            for column in meanY.indices { result[column] -= mean * matrix[row * meanY.count + column] }
        }
        return result
    }
}
