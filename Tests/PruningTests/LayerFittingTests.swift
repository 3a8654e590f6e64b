import Checkpoints
import Compute
import LinearAlgebra
import Linearity
import Testing
import Transformers

@testable import Pruning

@Suite("Maps in the place of layers")
struct LayerFittingTests {
    private let device = Device.host(laneCount: 2)
    private let layout = SequenceLayout(lengths: [30, 64, 7, 64, 50, 64, 64])

    private var tokens: [Int32] {
        var state: UInt64 = 1
        return (0..<layout.tokenCount).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32(state >> 58)
        }
    }

    private func model(isParallel: Bool = false) throws -> DecoderModel {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(
            separator: "/")
        var model = try DecoderModel(Checkpoint.open("\(folder)/TransformersTests/Fixtures/llama-tied"))
        if isParallel { model.plan.residual = .parallel }
        return model
    }

    private func maps(
        _ settings: LayerFitting.Settings, isParallel: Bool = false
    ) throws -> [LayerFitting.PlacedMap] {
        let run = try LayerFitting(model: model(isParallel: isParallel), device: device, settings: settings)
            .run(tokens: tokens, layout: layout)
        var maps: [LayerFitting.PlacedMap] = []
        while let map = try run.next() { maps.append(map) }
        return maps
    }

    private func streams(upTo last: Int) throws -> [Stream] {
        let forward = try Forward(model: model(), device: device, layout: layout)
        var streams = [try forward.embed(tokens)]
        for layer in 0..<last { streams.append(try forward.apply(layer, to: streams[layer])) }
        return streams
    }

    @Test("each block's map is that of the streams that enter and leave it")
    func blocks() throws {
        let streams = try streams(upTo: 2)
        let width = streams[0].width
        let fitter = try MapFitter(
            device: device, layout: layout, folds: FoldLayout(layout: layout, foldCount: 5), width: width,
            stages: false)
        for blocks in [[0..<1, 1..<2], [1..<2], [0..<2]] {
            let maps = try maps(.init(blocks: blocks))
            #expect(maps.map(\.layers) == blocks && maps.allSatisfy { $0.site == .layer })
            for map in maps {
                let want = try fitter.fit(
                    x: streams[map.layers.lowerBound], y: streams[map.layers.upperBound], kind: .leastSquares)
                #expect(map.fitted.matrix == want.matrix && map.fitted.bias == want.bias)
                #expect(map.fitted.heldOut == want.heldOut && want.heldOut != nil)
            }
        }
    }

    @Test("scores of sublayers are those that an analysis finds", arguments: [false, true])
    func sublayers(isParallel: Bool) throws {
        var settings = LayerFitting.Settings(blocks: [0..<1, 1..<2])
        settings.sites = [.attention, .feedForward, .layer]
        let maps = try maps(settings, isParallel: isParallel)
        var analyzed = Analysis.Settings()
        analyzed.sites = [.attention, .feedForward, .layer]
        analyzed.skippedTokenCount = 0
        let steps = try Analysis(model: model(isParallel: isParallel), device: device, settings: analyzed)
            .run(tokens: tokens, layout: layout).views[0].steps
        #expect(maps.count == 6)
        for map in maps {
            let step = try #require(
                steps.first { $0.layer == map.layers.lowerBound && $0.site.rawValue == map.site.rawValue })
            let (figures, scores) = (step.figures, map.fitted.inSample)
            #expect(abs(try #require(figures.linearity.value) - (scores.withResidual ?? .nan)) < 1e-9)
            #expect(
                abs(try #require(figures.linearityWithoutResidual.value) - (scores.withoutResidual ?? .nan)) < 1e-9)
            let heldOut = try #require(map.fitted.heldOut?.withoutResidual)
            #expect(abs(try #require(figures.linearityWithoutResidualHeldOut.value) - heldOut) < 1e-9)
        }
    }

    @Test("streams in a scratch file give the same bits")
    func scratchFile() throws {
        var settings = LayerFitting.Settings(blocks: [0..<2])
        let want = try maps(settings)
        let run = try LayerFitting(model: model(), device: device, settings: settings)
            .run(tokens: tokens, layout: layout)
        settings.memoryByteCount = run.memory.workingByteCount + run.memory.streamByteCount / 2
        let other = try LayerFitting(model: model(), device: device, settings: settings)
            .run(tokens: tokens, layout: layout)
        #expect(run.memory.placement == .memory && other.memory.placement == .scratchFile)
        #expect(try #require(try other.next()).fitted.matrix == want[0].fitted.matrix)
        #expect(try other.next() == nil)
    }

    @Test(
        "blocks that overlap, are empty or are not the model's are refused",
        arguments: [[], [1..<1], [0..<2, 1..<2], [1..<2, 0..<1], [1..<3], [-1..<1]])
    func refused(blocks: [Range<Int>]) throws {
        #expect(throws: PruningError.self) { _ = try maps(.init(blocks: blocks)) }
    }

    @Test("a sublayer's map is of one layer; too few tokens are refused at once")
    func otherRefusals() throws {
        var settings = LayerFitting.Settings(blocks: [0..<2])
        settings.sites = [.attention]
        #expect(throws: PruningError.self) { _ = try maps(settings) }
        settings = .init(blocks: [0..<1])
        settings.skippedTokenCount = 60
        let error = #expect(throws: PruningError.self) { _ = try maps(settings) }
        #expect(try #require(error).description.contains("16 tokens for a least-squares map of width"))
    }
}
