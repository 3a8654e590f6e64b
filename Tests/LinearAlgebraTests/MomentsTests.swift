import Compute
import LinearAlgebra
import Testing

/// Sums over rows, and sums of sums.
@Suite struct MomentsTests {
    private let device = Device.host(laneCount: 2)

    /// Parts of uneven sizes, one row and no row among them.
    @Test(arguments: Cloud.names, [MomentPrecision.float64, .float32Blocks])
    func momentsOfPartsAddUp(_ name: String, _ precision: MomentPrecision) throws {
        let cloud = try Cloud(name)
        let target = try cloud.estimate(device).target
        let whole = try cloud.moments(device, precision, target: target)
        let bounds = [0, 0, 1, 13, 30, cloud.rows]
        let parts = try zip(bounds, bounds.dropFirst()).map {
            try cloud.moments(device, precision, rows: $0..<$1, target: target)
        }
        let sum = try Moments.sum(parts)
        #expect(sum.count == whole.count)
        #expect(sum.target == whole.target)
        #expect(sum.precision == precision)
        // Float32 products of other blocks are other roundings, of 2⁻²⁴ for each row.
        let tolerance = precision == .float64 ? 1e-13 : 1e-6
        let norms = try whole.centredNorms()
        let scales = (norms.inputSquares, (norms.inputSquares * whole.targetSquares).squareRoot())
        #expect(abs(sum.targetSquares - whole.targetSquares) <= tolerance * whole.targetSquares)
        expectNear(try device.doubles(of: sum.gram), try device.doubles(of: whole.gram), tolerance * scales.0)
        expectNear(try device.doubles(of: sum.cross), try device.doubles(of: whole.cross), tolerance * scales.1)
        let largestMean = (whole.meanX + whole.meanTarget).map(abs).max() ?? 0
        expectNear(sum.meanX, whole.meanX, 1e-7 * tolerance.squareRoot() + 1e-15 * largestMean * 8)
        expectNear(sum.meanTarget, whole.meanTarget, 1e-7 * tolerance.squareRoot() + 1e-15 * largestMean * 8)
    }

    @Test func orderOfPartsMattersLittle() throws {
        let cloud = try Cloud("offset")
        let bounds = [0, 17, 60, cloud.rows]
        let parts = try zip(bounds, bounds.dropFirst()).map { try cloud.moments(device, rows: $0..<$1) }
        let (forwards, backwards) = (try Moments.sum(parts), try Moments.sum(parts.reversed()))
        let scale = try forwards.centredNorms().inputSquares
        expectNear(try device.doubles(of: forwards.gram), try device.doubles(of: backwards.gram), 1e-13 * scale)
    }

    /// A sum of moments of which one is of float32 products is no better than that one.
    @Test func theSumTellsTheLesserPrecision() throws {
        let cloud = try Cloud("random")
        let sum = try Moments.sum([
            try cloud.moments(device, .float64, rows: 0..<60),
            try cloud.moments(device, .float32Blocks, rows: 60..<120),
        ])
        #expect(sum.precision == .float32Blocks)
    }

    @Test func noRowsAreMomentsOfNothing() throws {
        let moments = try Cloud("random").moments(device, rows: 0..<0)
        #expect(moments.count == 0)
        #expect(moments.targetSquares == 0)
        #expect(try device.doubles(of: moments.gram).allSatisfy { $0 == 0 })
    }

    @Test func aSingleRowHasNoVariance() throws {
        let moments = try Cloud("offset").moments(device, rows: 5..<6)
        #expect(moments.count == 1)
        #expect(try device.doubles(of: moments.gram).allSatisfy { abs($0) < 1e-12 })
    }

    /// The same numbers whatever the number of lanes.
    @Test(arguments: [MomentPrecision.float64, .float32Blocks])
    func lanesChangeNoBit(_ precision: MomentPrecision) throws {
        let cloud = try Cloud("barely_enough")
        let one = try cloud.moments(Device.host(laneCount: 1), precision)
        let three = try cloud.moments(Device.host(laneCount: 3), precision)
        #expect(try one.device.doubles(of: one.gram) == three.device.doubles(of: three.gram))
        #expect(try one.device.doubles(of: one.cross) == three.device.doubles(of: three.cross))
        #expect(one.targetSquares == three.targetSquares)
    }

    private func expectNear(
        _ got: [Double], _ want: [Double], _ tolerance: Double, _ location: SourceLocation = #_sourceLocation
    ) {
        let error = zip(got, want).map { abs($0 - $1) }.max() ?? .nan
        #expect(got.count == want.count && error <= tolerance, sourceLocation: location)
    }
}
