import Checkpoints
import Compute
import Linearity
import Testing
import Transformers

@Suite("An analysis of a small model")
struct AnalysisTests {
    @Test("memory, scratch file, slabs and lanes change no score")
    func placement() throws {
        let reference = try SmallAnalysis().run()
        var settings = Analysis.Settings()
        // Just enough for the work, not for the streams.
        let needed = reference.memory.workingByteCount
        settings.memoryByteCount = needed + reference.memory.streamByteCount / 2
        let staged = try SmallAnalysis(settings: settings).run()
        #expect(reference.memory.placement == .memory && staged.memory.placement == .scratchFile)
        let oneLane = try SmallAnalysis(laneCount: 1).run()
        let threeLanes = try SmallAnalysis(laneCount: 3).run()
        for other in [staged, oneLane, threeLanes] {
            for (a, b) in zip(scores(reference), scores(other)) { #expect(abs(a - b) < 1e-9) }
        }
    }

    @Test("scores are those of explicit least squares in float64 on the same streams")
    func explicitLeastSquares() throws {
        let analysis = try SmallAnalysis()
        let result = try analysis.run()
        for (layer, streams) in try analysis.streams().enumerated() {
            let judged = NormalEquations(x: streams.x, y: streams.y, width: analysis.width)
            let figures = try #require(result.views.first?.layers[layer].figures)
            #expect(abs(try #require(figures.linearity.value) - judged.linearity) < 1e-6)
            #expect(abs(try #require(figures.linearityWithoutResidual.value) - judged.withoutResidual) < 1e-6)
            #expect(figures.rank.value == Double(analysis.width))
        }
    }

    @Test("the second view leaves out the first tokens, and none where none are skipped")
    func views() throws {
        let both = try SmallAnalysis().run()
        #expect(both.views.map(\.view) == [.allTokens, .withoutFirstTokens(skipping: 1)])
        #expect(both.views[1].tokenCount == both.views[0].tokenCount - SmallAnalysis.lengths.count)
        var settings = Analysis.Settings()
        settings.skippedTokenCount = 0
        #expect(try SmallAnalysis(settings: settings).run().views.map(\.view) == [.allTokens])
    }

    @Test("layers that were not asked for are not measured, and the final norm only after the last")
    func layers() throws {
        var settings = Analysis.Settings()
        settings.layers = 0..<1
        let result = try SmallAnalysis(settings: settings).run()
        #expect(result.views[0].layers.map(\.layer) == [0])
        #expect(result.views[0].finalNorm == nil)
        settings.layers = 1..<5
        #expect(throws: LinearityError.self) { try SmallAnalysis(settings: settings).run() }
    }

    @Test("no more tokens than columns are refused")
    func tooFewTokens() throws {
        let error = #expect(throws: LinearityError.self) { try SmallAnalysis(lengths: [20, 12]).run() }
        #expect("\(try #require(error))".contains("32 tokens for a stream of width 32"))
    }

    @Test("held-out scores are absent, with a reason, where folds leave too few tokens to train on")
    func tooFewToTrainOn() throws {
        let result = try SmallAnalysis(lengths: [20, 15]).run()
        let figures = try #require(result.views.first?.layers.first?.figures)
        #expect(figures.linearity.value != nil)
        #expect(figures.linearityHeldOut.value == nil)
        #expect(try #require(figures.linearityHeldOut.reason).contains("too few"))
    }

    @Test("a memory that holds not even one sequence is refused with what was needed")
    func memoryRefused() throws {
        var settings = Analysis.Settings()
        settings.memoryByteCount = 1000
        let error = #expect(throws: LinearityError.self) { try SmallAnalysis(settings: settings).run() }
        #expect("\(try #require(error))".contains("--memory"))
    }

    private func scores(_ result: Analysis.Result) -> [Double] {
        result.views.flatMap { view in
            view.layers.flatMap { row in
                [
                    row.figures.linearity, row.figures.linearityWithoutResidual, row.figures.linearityHeldOut,
                    row.figures.linearityWithoutResidualHeldOut, row.figures.orthogonalProcrustes,
                    row.figures.anisotropy, row.figures.contribution.mean, row.figures.cosine.mean,
                ].compactMap(\.value)
            }
        }
    }
}

/// The tied fixture on ragged sequences of pseudo-random tokens.
private struct SmallAnalysis {
    static let lengths = [1, 40, 33, 64, 7, 64, 50, 64, 12, 64, 64, 30, 64, 2, 41]
    private let model: DecoderModel
    private let device: Device
    private let settings: Analysis.Settings
    private let layout: SequenceLayout
    private let tokens: [Int32]

    var width: Int { model.plan.width }

    init(
        settings: Analysis.Settings = .init(), laneCount: Int = 2, lengths: [Int] = SmallAnalysis.lengths
    ) throws {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(
            separator: "/")
        model = try DecoderModel(Checkpoint.open("\(folder)/TransformersTests/Fixtures/llama-tied"))
        device = .host(laneCount: laneCount)
        self.settings = settings
        layout = SequenceLayout(lengths: lengths)
        var state: UInt64 = 1
        tokens = (0..<layout.tokenCount).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32(state >> 58)
        }
    }

    func run() throws -> Analysis.Result {
        try Analysis(model: model, device: device, settings: settings).run(tokens: tokens, layout: layout)
    }

    /// X and Y of every layer.
    func streams() throws -> [(x: [Float], y: [Float])] {
        let forward = try Forward(model: model, device: device, layout: layout)
        var stream = try forward.embed(tokens)
        var pairs: [(x: [Float], y: [Float])] = []
        for layer in 0..<model.plan.layerCount {
            let next = try forward.apply(layer, to: stream)
            let rows = 0..<layout.tokenCount
            pairs.append(
                (
                    try device.floats(of: stream.rows(rows, staging: nil)),
                    try device.floats(of: next.rows(rows, staging: nil))
                ))
            stream = next
        }
        return pairs
    }
}

/// Least squares by plain loops in Double: Gaussian elimination with pivoting of the centred normal equations.
private struct NormalEquations {
    let linearity: Double
    let withoutResidual: Double

    init(x: [Float], y: [Float], width: Int) {
        let count = x.count / width
        func centred(_ values: [Double]) -> [Double] {
            var values = values
            for column in 0..<width {
                var mean = 0.0
                for row in 0..<count { mean += values[row * width + column] }
                mean /= Double(count)
                for row in 0..<count { values[row * width + column] -= mean }
            }
            return values
        }
        let inputs = centred(x.map { Double($0) })
        let outputs = centred(y.map { Double($0) })
        let added = centred(zip(y, x).map { Double($0) - Double($1) })
        var system = [[Double]](repeating: [Double](repeating: 0, count: 2 * width), count: width)
        for row in 0..<count {
            for i in 0..<width {
                let factor = inputs[row * width + i]
                for j in 0..<width {
                    system[i][j] += factor * inputs[row * width + j]
                    system[i][width + j] += factor * added[row * width + j]
                }
            }
        }
        let map = NormalEquations.solve(system, width)
        var residual = 0.0
        for row in 0..<count {
            for j in 0..<width {
                var predicted = 0.0
                for i in 0..<width { predicted += inputs[row * width + i] * map[i][j] }
                let error = added[row * width + j] - predicted
                residual += error * error
            }
        }
        linearity = 1 - residual / outputs.reduce(0) { $0 + $1 * $1 }
        withoutResidual = 1 - residual / added.reduce(0) { $0 + $1 * $1 }
    }

    /// The right half of the reduced system.
    private static func solve(_ augmented: [[Double]], _ width: Int) -> [[Double]] {
        var rows = augmented
        for pivot in 0..<width {
            let best = (pivot..<width).max { abs(rows[$0][pivot]) < abs(rows[$1][pivot]) } ?? pivot
            rows.swapAt(pivot, best)
            let inverse = 1 / rows[pivot][pivot]
            for column in pivot..<2 * width { rows[pivot][column] *= inverse }
            for row in 0..<width where row != pivot {
                let factor = rows[row][pivot]
                for column in pivot..<2 * width { rows[row][column] -= factor * rows[pivot][column] }
            }
        }
        return rows.map { Array($0[width...]) }
    }
}
