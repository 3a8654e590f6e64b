import Compute
import Testing

@testable import LinearAlgebra

/// The polar iteration gives what singular values give.
@Suite struct NuclearNormTests {
    private let device = Device.host(laneCount: 1)

    @Test(arguments: Cloud.names)
    func polarIterationMatchesSingularValues(_ name: String) throws {
        let moments = try Cloud(name).moments(device)
        let values = try device.singularValues(moments.crossOutput())
        let norm = try NuclearNorm.byPolarIteration(moments.crossOutput(), device)
        let want = values.reduce(0, +)
        #expect(abs(norm - want) <= 1e-9 * want, "\(norm), not \(want)")
    }

    @Test(arguments: [
        [1.0, 1, 1, 1], [1, 1e-3, 1e-6, 1e-9], [5, 5, 5, 0], [1e100, 1e99, 1e98, 1], [1e-100, 1e-101, 0, 0],
        [3, 0, 0, 0],
        [0, 0, 0, 0],
    ])
    func diagonals(_ values: [Double]) throws {
        let matrix = try device.makeZeros([4, 4], .float64, for: "a test")
        for (row, value) in values.enumerated() {
            // Places off the diagonal, and signs, change no singular value.
            let place = matrix.rows(row..<row + 1).columns((row + 1) % 4..<(row + 1) % 4 + 1)
            try device.fillDiagonal(of: place, with: row % 2 == 0 ? value : -value)
        }
        let want = values.reduce(0, +)
        let norm = try NuclearNorm.byPolarIteration(matrix, device)
        #expect(abs(norm - want) <= 4e-9 * want, "\(norm), not \(want)")
    }

    @Test func numbersThatAreNoneAreRefused() throws {
        let matrix = try device.makeTensor([1, Double.nan, 2, 3], [2, 2], for: "a test")
        #expect(throws: ComputeError.self) { _ = try NuclearNorm.byPolarIteration(matrix, device) }
    }
}
