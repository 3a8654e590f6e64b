import Compute
import LinearAlgebra
import Testing

/// Fits, scores and held-out errors against numpy's float64 SVD.
///
/// A fit from moments errs by the moments' own errors times the squared condition number, where an SVD of the data errs
/// by the plain one: the price of one pass over the data, and what the tolerances say.
@Suite struct LinearFitTests {
    private static let device = Device.host(laneCount: 2)
    private var device: Device { LinearFitTests.device }

    /// 4·d·ε·κ², κ being that of the singular values that were kept.
    private func tolerance(_ cloud: Cloud) -> Double {
        let condition = cloud.number("condition")
        return 4 * Double(cloud.width) * Double.ulpOfOne * condition * condition
    }

    @Test(arguments: Cloud.names, [MomentTarget.contribution, .output])
    func fitMatchesNumpy(_ name: String, _ target: MomentTarget) throws {
        let cloud = try Cloud(name)
        let moments = try cloud.moments(device, target: target)
        let fit = try #require(try LinearFit.fit(moments, extras: [.map, .conditionNumber]))
        let tolerance = tolerance(cloud)
        #expect(Double(fit.rank) == cloud.number("rank"))
        #expect(abs(fit.residualSquares - cloud.number("residual")) <= tolerance * moments.targetSquares)
        let condition = try #require(fit.conditionNumber)
        #expect(abs(condition / cloud.number("condition") - 1) <= tolerance)
        let map = try device.doubles(of: try #require(fit.map))
        let want = cloud.maps[target] ?? []
        let largest = want.map(abs).max() ?? 0
        for (got, want) in zip(map, want) { #expect(abs(got - want) <= 10 * tolerance * largest) }
    }

    @Test(arguments: Cloud.names)
    func scoresMatchNumpy(_ name: String) throws {
        let cloud = try Cloud(name)
        let moments = try cloud.moments(device)
        #expect(moments.target.rawValue == cloud.expected["target"]?.string, "the smaller of B and Y is chosen")
        let norms = try moments.centredNorms()
        let residual = try #require(try LinearFit.fit(moments, extras: [])).residualSquares
        #expect(abs(1 - residual / norms.outputSquares - cloud.number("score_with")) <= tolerance(cloud))
        let contributionSquares = try #require(norms.contributionSquares)
        if contributionSquares > 0 {
            #expect(abs(1 - residual / contributionSquares - cloud.number("score_without")) <= tolerance(cloud))
        } else {
            #expect(cloud.number("score_without").isNaN)
        }
    }

    @Test(arguments: Cloud.names)
    func derivedFiguresMatchNumpy(_ name: String) throws {
        let cloud = try Cloud(name)
        let moments = try cloud.moments(device)
        let norms = try moments.centredNorms()
        #expect(abs(norms.inputSquares / cloud.number("norms", "input") - 1) < 1e-14)
        #expect(abs(norms.outputSquares / cloud.number("norms", "output") - 1) < 1e-14)
        let contribution = cloud.number("norms", "contribution")
        #expect(abs(try #require(norms.contributionSquares) - contribution) <= 1e-14 * contribution)
        let procrustes = try #require(try moments.orthogonalProcrustes())
        #expect(abs(procrustes - cloud.number("procrustes")) < 1e-14)
        let anisotropy = try #require(try moments.anisotropy())
        #expect(abs(anisotropy - cloud.number("anisotropy")) < 1e-11)
    }

    /// The figures come from the held-out moments alone; numpy looks at every row.
    @Test(arguments: Cloud.names)
    func heldOutErrorsMatchNumpy(_ name: String) throws {
        let cloud = try Cloud(name)
        let split = cloud.number("held_out", "split")
        if split.isNaN { return }
        let target = try cloud.estimate(device).target
        let training = try cloud.moments(device, rows: 0..<Int(split), target: target)
        let heldOut = try cloud.moments(device, rows: Int(split)..<cloud.rows, target: target)
        let fit = try #require(try LinearFit.fit(training, extras: .map))
        let errors = try heldOut.heldOutErrors(of: try #require(fit.map), fittedOn: training)
        let contribution = cloud.number("held_out", "contribution")
        let output = cloud.number("held_out", "output")
        // Moments of data with large means: the difference of two means loses the digits that the means share.
        let tolerance = max(10 * tolerance(cloud), 1e-12)
        #expect(
            abs(errors.residualSquares - cloud.number("held_out", "residual")) <= tolerance * min(output, contribution))
        #expect(abs(errors.outputSquares - output) <= 1e-12 * output)
        #expect(abs(try #require(errors.contributionSquares) - contribution) <= 1e-12 * contribution)
    }

    /// Scores from float32 products; see the table of the design's measurements.
    @Test(arguments: [
        "random", "repeated", "barely_enough", "constant_columns", "unchanged", "large_contribution", "offset",
        "reflection",
    ])
    func float32BlocksAreRightToAMillionth(_ name: String) throws {
        let cloud = try Cloud(name)
        let (fast, exact) = (try cloud.moments(device, .float32Blocks), try cloud.moments(device))
        let (fastNorms, norms) = (try fast.centredNorms(), try exact.centredNorms())
        let fastFit = try #require(try LinearFit.fit(fast, extras: []))
        let fit = try #require(try LinearFit.fit(exact, extras: []))
        #expect(fastFit.rank == fit.rank)
        let withResidual = (
            1 - fastFit.residualSquares / fastNorms.outputSquares, 1 - fit.residualSquares / norms.outputSquares
        )
        #expect(abs(withResidual.0 - withResidual.1) < 1e-6)
        let fastSquares = try #require(fastNorms.contributionSquares)
        let squares = try #require(norms.contributionSquares)
        if squares > 0 {
            let without = (1 - fastFit.residualSquares / fastSquares, 1 - fit.residualSquares / squares)
            #expect(abs(without.0 - without.1) < 1e-6)
        }
    }

    /// Dependent columns, columns all but dependent, and a spectrum that falls too far: none is guessed at.
    @Test(arguments: ["rank_deficient", "ill_conditioned", "large_pivots", "graded"])
    func float32BlocksThatDoNotResolveTheDataGiveNoFit(_ name: String) throws {
        let cloud = try Cloud(name)
        #expect(try LinearFit.fit(try cloud.moments(device, .float32Blocks), extras: []) == nil)
    }

    @Test func extrasAreComputedOnlyWhenAskedFor() throws {
        let moments = try Cloud("random").moments(device)
        let fit = try #require(try LinearFit.fit(moments, extras: []))
        #expect(fit.map == nil)
        #expect(fit.conditionNumber == nil)
    }

    /// The moments serve many fits: no fit may spoil them.
    @Test(arguments: ["random", "rank_deficient"])
    func fittingLeavesTheMoments(_ name: String) throws {
        let moments = try Cloud(name).moments(device)
        let before = (try device.doubles(of: moments.gram), try device.doubles(of: moments.cross))
        let first = try #require(try LinearFit.fit(moments, extras: [.map, .conditionNumber]))
        _ = try (moments.orthogonalProcrustes(), moments.anisotropy())
        let second = try #require(try LinearFit.fit(moments, extras: [.map, .conditionNumber]))
        #expect(first.residualSquares == second.residualSquares)
        #expect(first.conditionNumber == second.conditionNumber)
        let after = (try device.doubles(of: moments.gram), try device.doubles(of: moments.cross))
        #expect(before == after)
    }

    /// All rows alike: nothing varies, nothing is explained, and nothing is divided by zero.
    @Test func dataWithoutVarianceHasRankZero() throws {
        let x = try device.makeTensor([Float](repeating: 3, count: 20), [5, 4], for: "x")
        let y = try device.makeTensor((0..<20).map { Float($0) }, [5, 4], for: "y")
        let rows: [Int32] = [0, 1, 2, 3, 4]
        let estimate = try MomentEstimate(device: device, x: x, y: y, rows: rows)
        var accumulator = try MomentAccumulator(
            device: device, target: estimate.target, shifts: estimate.shifts)
        let panels = try PanelWorkspace(device: device, capacity: 5, width: 4, precision: .float64)
        try accumulator.add(x: x, y: y, rows: rows, panels: panels)
        let moments = try accumulator.moments()
        let fit = try #require(try LinearFit.fit(moments, extras: .map))
        #expect(fit.rank == 0)
        #expect(fit.residualSquares == moments.targetSquares)
        #expect(try device.doubles(of: try #require(fit.map)).allSatisfy { $0 == 0 })
        #expect(try moments.anisotropy() == nil)
        #expect(try moments.orthogonalProcrustes() == nil)
    }
}
