public import Compute

/// The Lanczos iteration for the largest eigenvalue of a symmetric positive semidefinite operator.
public enum Lanczos {
    /// The largest eigenvalue, to about ten digits.
    ///
    /// Every new vector is orthogonalized against all before it, twice. The iteration ends when the residual bound
    /// |β·s| of the Ritz value is below 1e-11 of it, or when the vectors span the space.
    ///
    /// - Parameters:
    ///   - width: Order of the operator.
    ///   - device: Where the small tridiagonal problem is solved.
    ///   - multiply: The operator's product with a vector of `width` elements.
    public static func largestEigenvalue(
        width: Int, device: Device, _ multiply: ([Double]) throws(ComputeError) -> [Double]
    ) throws(ComputeError) -> Double {
        var basis: [[Double]] = []
        var (diagonal, offDiagonal): ([Double], [Double]) = ([], [])
        var vector = normalized(startVector(width))
        while basis.count < width {
            basis.append(vector)
            var next = try multiply(vector)
            diagonal.append(dot(next, vector))
            for _ in 0..<2 { orthogonalize(&next, against: basis) }
            let beta = dot(next, next).squareRoot()
            let isBreakdown = beta <= 1e-14 * abs(diagonal.max() ?? 0)
            if isBreakdown || basis.count.isMultiple(of: 5) || basis.count == width {
                let (value, lastComponent) = try ritzPair(diagonal, offDiagonal, device)
                if isBreakdown || beta * abs(lastComponent) <= 1e-11 * abs(value) || basis.count == width {
                    return value
                }
            }
            offDiagonal.append(beta)
            vector = next.map { $0 / beta }
        }
        return 0
    }

    /// The largest Ritz value and the last component of its vector in the Lanczos basis.
    private static func ritzPair(
        _ diagonal: [Double], _ offDiagonal: [Double], _ device: Device
    ) throws(ComputeError) -> (value: Double, lastComponent: Double) {
        let order = diagonal.count
        var elements = [Double](repeating: 0, count: order * order)
        for i in 0..<order {
            elements[i * order + i] = diagonal[i]
            if i + 1 < order { elements[i * order + i + 1] = offDiagonal[i] }
        }
        let matrix = try device.makeTensor(elements, [order, order], for: "a tridiagonal matrix")
        let values = try device.symmetricEigen(matrix)
        let vectors = try device.doubles(of: matrix)
        return (values[order - 1], vectors[order * order - 1])
    }

    /// Pseudo-random and fixed, so that no eigenvector is likely to be orthogonal to it and every run is the same.
    static func startVector(_ width: Int) -> [Double] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<width).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53 - 0.5
        }
    }

    private static func orthogonalize(_ vector: inout [Double], against basis: [[Double]]) {
        for other in basis {
            let projection = dot(vector, other)
            for i in vector.indices { vector[i] -= projection * other[i] }
        }
    }

    private static func normalized(_ vector: [Double]) -> [Double] {
        let norm = dot(vector, vector).squareRoot()
        return vector.map { $0 / norm }
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sums = SIMD4<Double>.zero
        let wholeCount = a.count & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) {
            let left = SIMD4<Double>(a[i], a[i + 1], a[i + 2], a[i + 3])
            let right = SIMD4<Double>(b[i], b[i + 1], b[i + 2], b[i + 3])
            sums += left * right
        }
        var sum = sums.sum()
        for i in wholeCount..<a.count { sum += a[i] * b[i] }
        return sum
    }
}
