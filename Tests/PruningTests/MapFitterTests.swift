import Compute
import LinearAlgebra
import Linearity
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Maps of one stream to another")
struct MapFitterTests {
    private static let kinds: [MapKind] = [
        .leastSquares, .ridge(alpha: 5), .ridge(alpha: nil), .lowRank(2), .lowRank(nil), .diagonal, .orthogonal,
    ]

    private func fit(
        _ streams: SmallStreams, _ kind: MapKind, skipping skipped: Int = 0, folds: Int = 5,
        placement: Stream.PlacementKind = .memory
    ) throws -> FittedMap {
        let fitter = try MapFitter(
            device: streams.device, layout: streams.layout,
            folds: FoldLayout(layout: streams.layout, foldCount: folds), skippedTokenCount: skipped,
            width: SmallStreams.width, stages: placement != .memory)
        return try fitter.fit(
            x: try streams.stream(streams.x, placement), y: try streams.stream(streams.y, placement), kind: kind,
            place: "layer 3")
    }

    /// No residual of a fit has a share of what it was fitted to, and that of a ridge is its penalty.
    @Test(
        "the gradient is zero at the fit, and scores are those of the rows",
        arguments: [(1, 0), (1, 3), (3, 0), (3, 2)],
        TestDevice.available)
    func invariants(_ asked: (repetitions: Int, skipped: Int), device: TestDevice) throws {
        let skipped = asked.skipped
        let streams = SmallStreams(device: try device.open(), repetitions: asked.repetitions)
        for kind in MapFitterTests.kinds {
            let map = try fit(streams, kind, skipping: skipped)
            #expect(map.precision == (asked.repetitions > 1 ? .float32Blocks : .float64))
            let tolerance = map.precision == .float64 ? 1e-12 : 1e-7
            let rows = streams.rows(skipping: skipped)
            #expect(map.tokenCount == rows.count)
            let sums = Residuals(x: streams.x, y: streams.y, rows: rows, matrix: map.matrix, bias: map.bias)
            let scale = sums.inputNorm * sums.outputSquares.squareRoot()
            switch map.kind {
            case .leastSquares: #expect(sums.gradient.allSatisfy { abs($0) < tolerance * scale })
            case .ridge(let alpha?):
                for (got, element) in zip(sums.gradient, map.matrix) {
                    #expect(abs(got - alpha * element) < tolerance * scale)
                }
            case .diagonal:
                for column in 0..<9 { #expect(abs(sums.gradient[column * 10]) < tolerance * scale) }
                #expect(map.matrix.enumerated().allSatisfy { $0.offset.isMultiple(of: 10) || $0.element == 0 })
            default: break
            }
            let (with, without) = (map.inSample.withResidual ?? .nan, map.inSample.withoutResidual ?? .nan)
            #expect(abs(with - 1 + sums.squares / sums.outputSquares) < tolerance, "\(map.kind)")
            #expect(abs(without - 1 + sums.squares / sums.contributionSquares) < 10 * tolerance, "\(map.kind)")
            let heldOut = try #require(map.heldOut?.withResidual)
            #expect(heldOut < with || map.kind == .diagonal && heldOut < with + 1e-3)
            #expect(!map.kind.isOpen && map.trials.isEmpty != kind.isOpen)
        }
    }

    @Test("rows in a scratch file give the same bits")
    func placement() throws {
        let streams = SmallStreams()
        for kind in MapFitterTests.kinds {
            let (memory, file) = (try fit(streams, kind), try fit(streams, kind, placement: .scratchFile))
            #expect(memory.matrix == file.matrix && memory.bias == file.bias && memory.heldOut == file.heldOut)
        }
    }

    @Test("skipped tokens have no part in the map, whatever they are")
    func skipped() throws {
        var streams = SmallStreams()
        let want = try fit(streams, .leastSquares, skipping: 1)
        for offset in streams.layout.offsets.dropLast() {
            streams.x[offset * SmallStreams.width] = .nan
            streams.y[offset * SmallStreams.width + 2] = 1e30
        }
        let got = try fit(streams, .leastSquares, skipping: 1)
        #expect(got.matrix == want.matrix && got.bias == want.bias)
    }

    @Test("what an MLP adds is mapped to any other stream: the affine map between them is found")
    func merge() throws {
        let streams = SmallStreams { row, column, _ in 3 * row[(column + 2) % row.count] - row[0] + Float(column) }
        let map = try fit(streams, .leastSquares)
        let matrix = map.outputMatrix
        for row in 0..<9 {
            for column in 0..<9 {
                let want = (row == (column + 2) % 9 ? 3.0 : 0) - (row == 0 ? 1 : 0)
                #expect(abs(matrix[row * 9 + column] - want) < 1e-5)
            }
        }
        for (column, bias) in map.bias.enumerated() { #expect(abs(bias - Double(column)) < 1e-4) }
        #expect(map.rank == 9)
    }

    @Test("the engine's form of a map leaves the residual that was told")
    func applied() throws {
        let streams = SmallStreams()
        let map = try fit(streams, .lowRank(3)).map
        let sums = Residuals(
            x: streams.x, y: streams.y, rows: streams.rows(skipping: 0), matrix: map.matrix.map(Double.init),
            bias: map.bias.map(Double.init))
        let told = try #require(try fit(streams, .lowRank(3)).inSample.withoutResidual)
        #expect(abs(told - 1 + sums.squares / sums.contributionSquares) < 1e-6)
    }

    @Test("a row that is not finite is named", arguments: [true, false])
    func nonFinite(isInput: Bool) throws {
        var streams = SmallStreams()
        let place = (streams.layout.offsets[3] + 5) * SmallStreams.width + 1
        if isInput { streams.x[place] = .infinity } else { streams.y[place] = .nan }
        for kind in MapFitterTests.kinds {
            let error = #expect(throws: PruningError.self) { _ = try fit(streams, kind) }
            let text = try #require(error).description
            #expect(text.hasPrefix("layer 3: the stream that "))
            #expect(text.contains(isInput ? "enters the map is" : "the map is to give is"))
            #expect(text.contains("sequence 3, position 5"))
        }
    }

    @Test("maps that float32 does not hold are refused by name")
    func overflow() throws {
        var streams = SmallStreams()
        for place in streams.x.indices {
            streams.x[place] *= 1e-25
            streams.y[place] *= 1e25
        }
        let error = #expect(throws: PruningError.self) { _ = try fit(streams, .leastSquares) }
        #expect(
            try #require(error).description
                == "layer 3: the least-squares map in float32 is not finite: no map was made")
    }

    @Test("too few tokens are refused, few are warned of")
    func few() throws {
        let streams = SmallStreams()
        let fitter = try MapFitter(
            device: streams.device, layout: SequenceLayout(lengths: [3, 7]),
            folds: FoldLayout(layout: SequenceLayout(lengths: [3, 7]), foldCount: 2), skippedTokenCount: 1,
            width: SmallStreams.width, stages: false)
        #expect(fitter.tokenCount == 8)
        let stream = try Stream(
            layout: SequenceLayout(lengths: [3, 7]), width: SmallStreams.width, device: streams.device,
            placement: .memory)
        let error = #expect(throws: PruningError.self) { _ = try fitter.fit(x: stream, y: stream, kind: .leastSquares) }
        #expect(try #require(error).description.hasPrefix("8 tokens for a least-squares map of width 9: at least 10"))
        #expect(try fit(streams, .leastSquares).warning == nil)
        let few = try fit(streams, .leastSquares, skipping: 50)
        #expect(few.tokenCount == 28 && few.warning?.contains("90 are better") == true)
        #expect(try fit(streams, .diagonal, skipping: 50).warning == nil)
    }
}
