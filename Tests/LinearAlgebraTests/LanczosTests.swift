import Compute
import LinearAlgebra
import Testing

/// The iteration against all eigenvalues, and against spectra that are known.
@Suite struct LanczosTests {
    private let device = Device.host(laneCount: 1)

    /// A Gram matrix of columns of very different lengths, as those of a residual stream are.
    private func gram(_ width: Int, decay: Double) -> [Double] {
        var state: UInt64 = 7
        let rows = (0..<2 * width).map { _ in
            (0..<width).map { column in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Double(Int64(bitPattern: state) >> 32) * 0x1p-31 / (1 + decay * Double(column))
            }
        }
        return (0..<width * width).map { place in
            rows.reduce(0) { $0 + $1[place / width] * $1[place % width] }
        }
    }

    @Test(arguments: [1, 2, 5, 33, 120], [0, 0.1, 3])
    func agreesWithAllEigenvalues(width: Int, decay: Double) throws {
        let elements = gram(width, decay: decay)
        let matrix = try device.makeTensor(elements, [width, width], for: "a matrix")
        let largest = try Lanczos.largestEigenvalue(width: width, device: device) { vector throws(ComputeError) in
            let x = try device.makeTensor(vector, [width], for: "x")
            let y = try device.makeTensor([width], .float64, for: "y")
            try device.symmetricProduct(matrix, x, into: y)
            return try device.doubles(of: y)
        }
        let copy = try device.makeTensor(elements, [width, width], for: "a copy")
        let want = try #require(try device.symmetricEigen(copy).last)
        #expect(abs(largest / want - 1) < 1e-10)
    }

    /// Diagonal operators: repeated values, values close together, one alone, none at all.
    private static let spectra: [[Double]] = [
        [1, 1, 1, 1, 1, 1], [3, 3, 3, 1, 1, 0, 0], [1, 1 - 1e-9, 1 - 2e-9, 0.5], [0, 0, 0, 1e-30, 0],
        [0, 0, 0], [1e30, 1, 1e-30], [5],
    ]

    @Test(arguments: spectra)
    func findsKnownSpectra(_ eigenvalues: [Double]) throws {
        let largest = try Lanczos.largestEigenvalue(width: eigenvalues.count, device: device) {
            vector throws(ComputeError) in
            zip(eigenvalues, vector).map { $0 * $1 }
        }
        let want = eigenvalues.max() ?? 0
        #expect(abs(largest - want) <= 1e-10 * want)
    }

    @Test func passesErrorsOn() {
        let refusal = ComputeError.outOfMemory(byteCount: 8, purpose: "a test")
        #expect(throws: refusal) {
            _ = try Lanczos.largestEigenvalue(width: 3, device: device) { _ throws(ComputeError) in throw refusal }
        }
    }
}
