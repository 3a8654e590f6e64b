import Checkpoints
import Compute
import LinearAlgebra
import TestSupport
import Testing

/// Maps of every kind against numpy, scipy and scikit-learn, from the moments of B and from those of Y.
@Suite struct MapFitTests {
    private static let names = [
        "correlated", "rank_deficient", "constant_column", "outliers", "small_output", "noise",
    ]
    private static let foldCount = 5

    /// A cloud, and the device and the target that its moments are formed with.
    struct Case: Sendable, CustomStringConvertible {
        let name: String
        let device: TestDevice
        let target: MomentTarget

        var description: String { "\(name), \(target.rawValue), \(device.rawValue)" }

        static let all = TestDevice.available.flatMap { device in
            names.flatMap { name in
                [MomentTarget.contribution, .output].map { Case(name: name, device: device, target: $0) }
            }
        }
    }

    private static func cloud(_ name: String) throws -> (cloud: Cloud, file: SafetensorsFile) {
        let file = try SafetensorsFile(Cloud.fixtures + "maps.safetensors")
        let expected = try JSON.read(Cloud.fixtures + "maps.json")[name] ?? .null
        return (try Cloud(name, in: file, expected: expected), file)
    }

    private func folds(
        _ cloud: Cloud, _ device: Device, _ precision: MomentPrecision = .float64, target: MomentTarget? = nil
    ) throws -> [Moments] {
        let target = try target ?? cloud.estimate(device).target
        return try (0..<MapFitTests.foldCount).map { fold in
            let count = cloud.rows / MapFitTests.foldCount
            return try cloud.moments(device, precision, rows: fold * count..<(fold + 1) * count, target: target)
        }
    }

    @Test(arguments: Case.all)
    func mapsMatchPeers(_ asked: Case) throws {
        let device = try asked.device.open()
        let (cloud, file) = try MapFitTests.cloud(asked.name)
        let folds = try folds(cloud, device, target: asked.target)
        let fits = try #require(cloud.expected["fits"]?.array)
        #expect(fits.count == 5)
        for want in fits {
            let kind = try MapKind(try #require(want["kind"]?.string))
            let map = try #require(try ValidatedMap.fit(folds: folds, kind: kind))
            let name = kind.description.split(separator: ":")[0]
            let matrix = Cloud.elements(try file.tensor("\(asked.name).\(name)"), as: Double.self)
            let largest = max(1, matrix.map(abs).max() ?? 0)
            let got = try device.doubles(of: map.fit.matrix)
            let error = zip(got, matrix).map { abs($0 - $1) }.max() ?? .infinity
            // Where X does not vary in a direction, any turn of it is as good: only errors can be compared.
            let isUnique = kind != .orthogonal || !["rank_deficient", "constant_column"].contains(asked.name)
            #expect(!isUnique || error <= 1e-8 * largest, "\(kind): M differs by \(error) of \(largest)")
            let bias = (want["bias"]?.array ?? []).compactMap(\.number)
            #expect(bias.count == cloud.width)
            let biasError = zip(map.fit.bias, bias).map { abs($0 - $1) }.max() ?? .infinity
            #expect(!isUnique || biasError <= 1e-8 * largest, "\(kind): b differs by \(biasError)")
            let norms = map.fit.norms
            let scale = min(norms.outputSquares, norms.contributionSquares ?? .infinity)
            #expect(abs(map.fit.residualSquares - number(want, "residual")) <= 1e-10 * scale, "\(kind)")
            func sum(_ value: (HeldOutErrors) -> Double) -> Double { map.heldOut.reduce(0) { $0 + value($1) } }
            #expect(map.heldOut.count == MapFitTests.foldCount)
            #expect(near(sum(\.residualSquares), number(want, "held_out"), 1e-8, floor: 1e-9 * scale), "\(kind)")
            #expect(near(sum(\.outputSquares), number(want, "output"), 1e-11))
            #expect(near(sum { $0.contributionSquares ?? .nan }, number(want, "contribution"), 1e-11))
            let score = try #require(map.heldOutScores?.withoutResidual)
            #expect(abs(score - 1 + number(want, "held_out") / number(want, "contribution")) <= 1e-7, "\(kind)")
            #expect(map.trials.isEmpty)
        }
    }

    @Test(arguments: Case.all, ["ridge", "low-rank"])
    func choicesMatchPeers(_ asked: Case, _ kind: String) throws {
        let device = try asked.device.open()
        let cloud = try MapFitTests.cloud(asked.name).cloud
        let map = try #require(
            try ValidatedMap.fit(folds: try folds(cloud, device, target: asked.target), kind: MapKind(kind)))
        let want = try #require(cloud.expected["trials"]?[kind]?.array)
        #expect(map.trials.count == want.count)
        let contribution = map.heldOut.reduce(0) { $0 + ($1.contributionSquares ?? 0) }
        for (trial, want) in zip(map.trials, want) {
            let wanted = try MapKind(try #require(want["kind"]?.string))
            switch (trial.kind, wanted) {
            case (.ridge(let got?), .ridge(let want?)): #expect(near(got, want, 1e-12))
            default: #expect(trial.kind == wanted)
            }
            let squares = number(want, "held_out")
            #expect(near(trial.residualSquares, squares, 1e-7, floor: 1e-10 * contribution), "\(trial.kind)")
        }
        let best = want.indices.min { number(want[$0], "held_out") < number(want[$1], "held_out") }
        #expect(map.fit.kind == map.trials[try #require(best)].kind)
        let errors = map.heldOut.reduce(0) { $0 + $1.residualSquares }
        #expect(near(errors, map.trials[try #require(best)].residualSquares, 1e-9))
    }

    /// The ends of both families are least squares and the identity.
    @Test func endsOfTheFamilies() throws {
        let device = Device.host(laneCount: 1)
        let moments = try Moments.sum(try folds(MapFitTests.cloud("correlated").cloud, device))
        func matrix(_ kind: MapKind) throws -> [Double] {
            try device.doubles(of: try #require(try MapFit.fit(moments, kind: kind)).matrix)
        }
        let leastSquares = try matrix(.leastSquares)
        for kind in [MapKind.ridge(alpha: 1e-12), .lowRank(8)] {
            for (got, want) in zip(try matrix(kind), leastSquares) { #expect(abs(got - want) < 1e-8, "\(kind)") }
        }
        #expect(try matrix(.ridge(alpha: 1e15)).allSatisfy { abs($0) < 1e-9 })
        let orthogonal = try matrix(.orthogonal)
        let squares = (0..<8).map { column -> Double in
            (0..<8).reduce(0.0) { sum, row in
                let element = orthogonal[row * 8 + column] + (row == column ? 1 : 0)
                return sum + element * element
            }
        }
        #expect(squares.allSatisfy { near($0, squares[0], 1e-12) }, "columns of one length: a scaled orthogonal matrix")
    }

    /// Float32 products give the same where they resolve the data, and nothing where they do not.
    @Test func float32Blocks() throws {
        let device = Device.host(laneCount: 2)
        let kinds: [MapKind] = [.leastSquares, .ridge(alpha: 3), .lowRank(3), .diagonal, .orthogonal]
        let noise = try MapFitTests.cloud("noise").cloud
        let (fast, exact) = (try folds(noise, device, .float32Blocks), try folds(noise, device))
        for kind in kinds {
            let got = try #require(try ValidatedMap.fit(folds: fast, kind: kind), "\(kind)")
            let want = try #require(try ValidatedMap.fit(folds: exact, kind: kind))
            let scores = (try #require(got.heldOutScores?.withResidual), try #require(want.heldOutScores?.withResidual))
            #expect(abs(scores.0 - scores.1) < 1e-6, "\(kind)")
            #expect(scores.0 != scores.1, "the products were float32")
        }
        let deficient = try folds(MapFitTests.cloud("rank_deficient").cloud, device, .float32Blocks)
        for kind in [MapKind.leastSquares, .ridge(alpha: nil), .lowRank(3), .lowRank(nil), .ridge(alpha: 1e-9)] {
            #expect(try ValidatedMap.fit(folds: deficient, kind: kind) == nil, "\(kind)")
        }
        #expect(try ValidatedMap.fit(folds: deficient, kind: .diagonal) != nil)
        #expect(try ValidatedMap.fit(folds: deficient, kind: .ridge(alpha: 1000)) != nil, "its penalty resolves it")
    }

    // MARK: Data that says little

    private static let openKinds: [MapKind] = [
        .leastSquares, .ridge(alpha: nil), .ridge(alpha: 2), .lowRank(nil), .lowRank(2), .diagonal, .orthogonal,
    ]

    private func moments(_ device: Device, rows: Int, _ value: (_ row: Int, _ column: Int) -> (Float, Float)) throws
        -> Moments
    {
        let pairs = (0..<rows * 4).map { value($0 / 4, $0 % 4) }
        let x = try device.makeTensor(pairs.map(\.0), [rows, 4], for: "x")
        let y = try device.makeTensor(pairs.map(\.1), [rows, 4], for: "y")
        let shifts = PanelShifts(
            x: try device.makeZeros([4], .float32, for: "shifts"),
            target: try device.makeZeros([4], .float32, for: "shifts"))
        var accumulator = try MomentAccumulator(device: device, target: .contribution, shifts: shifts)
        let panels = try PanelWorkspace(device: device, capacity: rows, width: 4, precision: .float64)
        try accumulator.add(x: x, y: y, rows: (0..<Int32(rows)).map(\.self), panels: panels)
        return try accumulator.moments()
    }

    private static func noise(_ seed: Int) -> Float {
        var state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15
        state = (state ^ (state >> 29)) &* 0xBF58_476D_1CE4_E5B9
        return Float(state >> 40) / Float(1 << 24) - 0.5
    }

    /// Where nothing varies, the map passes on what it is given, moved to the mean of Y.
    @Test(arguments: TestDevice.available)
    func constantColumns(_ name: TestDevice) throws {
        let device = try name.open()
        for kind in MapFitTests.openKinds {
            let folds = try (0..<3).map { fold in
                try moments(device, rows: 20) { row, column in (3, 5 + MapFitTests.noise(fold * 400 + row * 7 + column))
                }
            }
            let map = try #require(try ValidatedMap.fit(folds: folds, kind: kind), "\(kind)")
            #expect(try device.doubles(of: map.fit.matrix).allSatisfy { $0 == 0 }, "\(kind)")
            let total = try Moments.sum(folds)
            for (bias, mean) in zip(map.fit.bias, total.meanTarget) { #expect(abs(bias - mean) < 1e-12, "\(kind)") }
            #expect(near(map.fit.residualSquares, total.targetSquares, 1e-12))
            // Y does not vary either: there are no scores, and an orthogonal map is the identity.
            let still = try (0..<3).map { _ in try moments(device, rows: 20) { _, _ in (3, 5) } }
            let nothing = try #require(try ValidatedMap.fit(folds: still, kind: kind), "\(kind)")
            #expect(nothing.inSampleScores.withResidual == nil)
            #expect(nothing.fit.bias.allSatisfy { abs($0 - 2) < 1e-12 })
        }
    }

    @Test(arguments: openKinds)
    func tooFewRowsAreRefused(_ kind: MapKind) throws {
        let device = Device.host(laneCount: 1)
        func fit(_ counts: [Int]) throws -> ValidatedMap? {
            let folds = try counts.enumerated().map { fold, count in
                try moments(device, rows: count) { row, column in
                    let x = MapFitTests.noise(fold * 1000 + row * 4 + column)
                    return (x, x + MapFitTests.noise(77_777 + fold * 1000 + row * 4 + column))
                }
            }
            return try ValidatedMap.fit(folds: folds, kind: kind)
        }
        let smallest = kind.smallestRowCount(width: 4)
        #expect(throws: MapError.tooFewRows(kind, count: smallest - 1, width: 4)) {
            _ = try fit(smallest == 2 ? [1] : [2, smallest - 3])
        }
        // Enough for a map, too few for one without a fold.
        if kind.isOpen {
            #expect(throws: MapError.self) { _ = try fit([1, smallest - 1]) }
            #expect(throws: MapError.self) { _ = try fit([60]) }
        } else {
            let map = try #require(try fit([1, smallest - 1]))
            #expect(map.heldOut.isEmpty)
            #expect(map.heldOutReason.contains("too few for a \(kind) map of width 4"))
            #expect(map.heldOutScores == nil)
            #expect(try #require(try fit([60])).heldOutReason.contains("at least 2 folds"))
        }
    }

    @Test(arguments: openKinds, [Float.nan, .infinity, 1e30])
    func numbersThatAreNoneAreRefused(_ kind: MapKind, _ value: Float) throws {
        let device = Device.host(laneCount: 1)
        for place in 0..<2 {
            let folds = try (0..<3).map { fold in
                try moments(device, rows: 30) { row, column in
                    let x = MapFitTests.noise(fold * 1000 + row * 4 + column)
                    let isBad = fold == 1 && row == 2 && column == 1
                    return (isBad && place == 0 ? value : x, isBad && place == 1 ? value : x)
                }
            }
            if value.isFinite {
                let map = try #require(try ValidatedMap.fit(folds: folds, kind: kind))
                #expect(try device.doubles(of: map.fit.matrix).allSatisfy(\.isFinite), "\(kind)")
            } else {
                #expect(throws: MapError.self, "\(kind)") { _ = try ValidatedMap.fit(folds: folds, kind: kind) }
            }
        }
    }

    @Test func ranksAboveTheWidthAreRefused() throws {
        let folds = try folds(MapFitTests.cloud("noise").cloud, .host(laneCount: 1))
        #expect(throws: MapError.rank(9, width: 8)) { _ = try ValidatedMap.fit(folds: folds, kind: .lowRank(9)) }
        #expect(throws: MapError.rank(9, width: 8)) { _ = try MapFit.fit(folds[0], kind: .lowRank(9)) }
    }

    private func number(_ json: JSON, _ key: String) -> Double { json[key]?.number ?? .nan }

    private func near(_ got: Double, _ want: Double, _ tolerance: Double, floor: Double = 0) -> Bool {
        abs(got - want) <= tolerance * abs(want) + floor
    }
}

/// How kinds are written.
@Suite struct MapKindTests {
    @Test(arguments: [
        ("least-squares", MapKind.leastSquares), ("ridge", .ridge(alpha: nil)), ("ridge:1e3", .ridge(alpha: 1000)),
        ("low-rank", .lowRank(nil)), ("low-rank:64", .lowRank(64)), ("diagonal", .diagonal),
        ("orthogonal", .orthogonal),
    ])
    func kindsAreReadAndWritten(_ text: String, _ kind: MapKind) throws {
        #expect(try MapKind(text) == kind)
        #expect(try MapKind(kind.description) == kind)
    }

    @Test(arguments: [
        "", "ridge:", "ridge:0", "ridge:-1", "ridge:nan", "ridge:inf", "ridge:x", "low-rank:", "low-rank:0",
        "low-rank:1.5", "low-rank:-3", "diagonal:2", "least-squares:1", "Ridge", "orthogonal:", "ridge:1:2",
    ])
    func othersAreRefused(_ text: String) {
        #expect(throws: MapError.self) { _ = try MapKind(text) }
    }

    @Test func alphasAreWrittenAsPeopleWriteThem() throws {
        #expect(MapKind.ridge(alpha: 3).description == "ridge:3")
        for alpha in [0.1, 1e-9, 1e15, 1e300, 123_456_789.125] {
            #expect(try MapKind(MapKind.ridge(alpha: alpha).description) == .ridge(alpha: alpha))
        }
    }

    @Test func errorsNameTheRemedy() {
        #expect(MapError.kind("lasso").description.contains("'lasso'; known: least-squares, ridge, ridge:ALPHA"))
        #expect(MapError.tooFewRows(.leastSquares, count: 5, width: 8).description.contains("at least 9 are needed"))
        let choice = MapError.choice(.lowRank(nil), reason: "there is one fold").description
        #expect(choice.hasSuffix("there is one fold; give low-rank:K"))
    }
}
