import Compute
import Tensors
import TestSupport
import Testing

@testable import Checkpoints
@testable import Pruning
import Transformers

/// GGUF files of edited models, from the twins that llama.cpp's converter made of small models of every family.
@Suite("A pruned GGUF file is the edited model")
struct GGUFExportTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func path(_ name: String = "pruned.gguf") -> String { "\(folder.path)/\(name)" }

    private func bytes(_ file: GGUFFile, _ name: String) throws -> [UInt8] {
        try unsafe file.tensor(name).withBytes { unsafe Array($0) }
    }

    @Test("without any one layer, unless its rules come from the layers' numbers", arguments: ModelFixture.allWithGGUF)
    func removed(fixture: ModelFixture) throws {
        let model = try fixture.ggufModel()
        for dropped in 0..<model.plan.layerCount {
            let edit = ModelEdit(keeping: (0..<model.plan.layerCount).filter { $0 != dropped })
            let kept = edit.layers.map { model.plan.layers[$0.source] }
            let place = path("\(dropped).gguf")
            let export = try GGUFExport(model, edit: edit)
            if kept == Array(model.plan.layers.prefix(kept.count)) {
                try export.write(to: place)
                let written = try DecoderModel(Checkpoint.open(place))
                #expect(try fixture.activations(written) == fixture.activations(model.applying(edit)))
            } else {
                let error = #expect(throws: ExportError.self) { try export.write(to: place) }
                #expect("\(try #require(error))".contains("numbers of layers"))
                #expect(!folder.names().contains { $0.hasPrefix("\(dropped).gguf") })
            }
        }
        #expect(!folder.names().isEmpty)
    }

    @Test func whatStaysKeepsItsBytes() throws {
        let fixture = try ModelFixture.named("llama/linear")
        let (model, source) = (try fixture.ggufModel(), try GGUFFile(fixture.ggufPath))
        try GGUFExport(model, edit: ModelEdit(keeping: 1..<model.plan.layerCount)).write(to: path())
        let written = try GGUFFile(path())
        #expect(written.metadata.keys == source.metadata.keys)
        #expect(try written.metadata.integer("llama.block_count") == model.plan.layerCount - 1)
        #expect(written.metadata["general.name"].map(\.kind) == source.metadata["general.name"].map(\.kind))
        var names: [String] = []
        for name in source.tensorNames where !name.hasPrefix("blk.0.") {
            let newName = name.replacing(/^blk\.([0-9]+)/) { "blk.\(Int($0.1)! - 1)" }
            names.append(newName)
            #expect(try bytes(written, newName) == bytes(source, name))
            #expect(try written.tensor(newName).elementType == source.tensor(name).elementType)
        }
        #expect(written.tensorNames == names)
    }

    /// All layers with the last projection of layer 0 changed.
    private func merged(_ model: DecoderModel, bias: Float? = nil) throws -> ModelEdit {
        var edit = ModelEdit(keeping: 0..<model.plan.layerCount)
        var projection = try model.feedForwardOutput(of: 0, on: .host())
        for index in projection.weight.indices { projection.weight[index] *= 1 + Float(index % 7) / 8 }
        projection.bias = bias.map { [Float](repeating: $0, count: model.plan.width) } ?? projection.bias
        edit.layers[0].feedForwardOutput = projection
        edit.addsFeedForwardBiases = bias != nil && !model.plan.biases.contains(.feedForwardOutput)
        return edit
    }

    @Test("changed projections have the type that is asked for", arguments: [ElementType.float32, .float16, .bfloat16])
    func types(type: ElementType) throws {
        let fixture = try ModelFixture.named("llama/linear")
        let model = try fixture.ggufModel()
        let edit = try merged(model)
        try GGUFExport(model, edit: edit, projectionType: type).write(to: path())
        let written = try DecoderModel(Checkpoint.open(path()))
        #expect(written.checkpoint.elementType(of: "blk.0.ffn_down.weight") == type)
        let (got, want) = (try fixture.activations(written), try fixture.activations(model.applying(edit)))
        for (got, want) in zip(got, want) {
            let difference = relativeDifference(got, want)
            #expect(type == .float32 ? got == want : difference < 0.02)
        }
    }

    @Test("a projection keeps its float type where none is asked for")
    func typeOfTheSource() throws {
        let model = try ModelFixture.named("llama/linear").ggufModel()
        let edit = try merged(model)
        try GGUFExport(model, edit: edit).write(to: path())
        let type = model.checkpoint.elementType(of: "blk.0.ffn_down.weight")
        #expect(try Checkpoint.open(path()).elementType(of: "blk.0.ffn_down.weight") == type)
    }

    @Test("eight bits take rows of whole blocks")
    func eightBits() throws {
        for fixture in ModelFixture.allWithGGUF {
            let model = try fixture.ggufModel()
            let edit = try merged(model)
            guard model.plan.feedForward.width.isMultiple(of: 32) else {
                let error = #expect(throws: ExportError.self) {
                    try GGUFExport(model, edit: edit, projectionType: .q8_0)
                }
                #expect("\(try #require(error))".contains("rows of \(model.plan.feedForward.width) numbers"))
                continue
            }
            let place = path(fixture.name.replacing("/", with: "-"))
            try GGUFExport(model, edit: edit, projectionType: .q8_0).write(to: place)
            let file = try GGUFFile(place)
            let weight = try #require(edit.layers[0].feedForwardOutput).weight
            #expect(try bytes(file, "blk.0.ffn_down.weight") == ElementType.q8_0.encoded(weight.span))
            #expect(try file.metadata.integer("general.quantization_version") == 2)
        }
        #expect(!folder.names().isEmpty)
    }

    @Test("biases are added where llama.cpp has a place for them", arguments: ["llama/linear", "gpt2/tied"])
    func biases(name: String) throws {
        let fixture = try ModelFixture.named(name)
        let model = try fixture.ggufModel()
        let edit = try merged(model, bias: 0.25)
        try GGUFExport(model, edit: edit, projectionType: .float32).write(to: path())
        let written = try DecoderModel(Checkpoint.open(path()))
        #expect(try fixture.activations(written) == fixture.activations(model.applying(edit)))
        #expect(written.checkpoint.contains("blk.1.ffn_down.bias"))
    }

    @Test("where it has none, they are refused", arguments: ["qwen2", "gemma/", "phi3"])
    func refusedBiases(prefix: String) throws {
        let fixture = try #require(ModelFixture.allWithGGUF.first { $0.name.hasPrefix(prefix) })
        let model = try fixture.ggufModel()
        let error = #expect(throws: ExportError.self) { try GGUFExport(model, edit: merged(model, bias: 1)) }
        #expect("\(try #require(error))".contains("no bias behind the MLP"))
    }

    @Test func whatCannotBeIsRefusedByName() throws {
        let fixture = try ModelFixture.named("llama/linear")
        let model = try fixture.ggufModel()
        let zeros = [Float](repeating: 0, count: model.plan.width)
        let map = LinearMap(matrix: zeros.flatMap { _ in zeros }, bias: zeros)
        func expect(_ part: String, _ body: () throws -> Void) throws {
            let error = #expect(throws: ExportError.self, performing: body)
            #expect("\(try #require(error))".contains(part))
        }
        try expect("no layer would be left") { _ = try GGUFExport(model, edit: ModelEdit(keeping: [])) }
        try expect("do not ascend among its") { _ = try GGUFExport(model, edit: ModelEdit(keeping: [1, 0])) }
        try expect("do not ascend among its") { _ = try GGUFExport(model, edit: ModelEdit(keeping: [0, 99])) }
        for site in Site.allCases {
            let edit = ModelEdit(layers: [.init(source: 1, maps: [site: map])])
            try expect("layers or sublayers (1), and llama.cpp has no such layer") {
                _ = try GGUFExport(model, edit: edit)
            }
        }
        var edit = try merged(model)
        try expect("not written as Q4_0") { _ = try GGUFExport(model, edit: edit, projectionType: .q4_0) }
        edit.layers[0].feedForwardOutput?.weight[3] = 1e6
        try expect("new weight 1000000.0 cannot be stored as F16") {
            _ = try GGUFExport(model, edit: edit, projectionType: .float16)
        }
        edit.layers[0].feedForwardOutput?.weight[3] = .nan
        try expect("blk.0.ffn_down.weight") { _ = try GGUFExport(model, edit: edit, projectionType: .float32) }
        try expect("only of a model that is one") {
            _ = try GGUFExport(fixture.model(), edit: ModelEdit(keeping: [0]))
        }
        try folder.write("taken", to: "pruned.gguf")
        try expect("exists already") { try GGUFExport(model, edit: ModelEdit(keeping: [0])).write(to: path()) }
        #expect(try folder.text("pruned.gguf") == "taken" && folder.names().count == 1)
    }

    /// llama.cpp has models whose layers differ in such settings; of its arrays one element belongs to each layer.
    @Test func settingsOfEachLayerAreKept() throws {
        var builder = GGUFBytes()
        builder.add("general.architecture", type: 8, GGUFBytes.string("x"))
        builder.add("x.block_count", type: 4, GGUFBytes.bytes(UInt32(4)))
        builder.add("x.attention.head_count", type: 9, GGUFBytes.array(5, [Int32(8), 6, 4, 2]))
        builder.add("x.attention.sliding_window_pattern", type: 9, GGUFBytes.array(7, [UInt8(1), 0, 0, 1]))
        builder.add("x.rope.dimension_sections", type: 9, GGUFBytes.array(5, [Int32(1), 2, 3, 4]))
        builder.add("x.three", type: 9, GGUFBytes.array(5, [Int32(1), 2, 3]))
        builder.add("y.four", type: 9, GGUFBytes.array(5, [Int32(1), 2, 3, 4]))
        let source = try GGUFFile(folder.write(builder.file, to: "source.gguf"))
        var writer = GGUFWriter(metadataOf: source)
        try writer.keepLayers([0, 3], of: source, architecture: "x")
        try writer.write(to: path())
        let metadata = try GGUFFile(path()).metadata
        #expect(try metadata.integer("x.block_count") == 2)
        #expect(try metadata.integers("x.attention.head_count") == [8, 2])
        #expect(try metadata.integers("x.rope.dimension_sections") == [1, 2, 3, 4])
        #expect(try metadata.integers("x.three") == [1, 2, 3] && metadata.integers("y.four") == [1, 2, 3, 4])
        guard case .array(let pattern)? = metadata["x.attention.sliding_window_pattern"] else {
            Issue.record("no array")
            return
        }
        #expect(pattern.bools == [true, true])
    }
}

/// Writes metadata byte by byte.
private struct GGUFBytes {
    private var pairs: [UInt8] = []
    private var count = 0

    static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    static func string(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

    static func array(_ type: UInt32, _ elements: [some FixedWidthInteger]) -> [UInt8] {
        bytes(type) + bytes(UInt64(elements.count)) + elements.flatMap { bytes($0) }
    }

    mutating func add(_ key: String, type: UInt32, _ value: [UInt8]) {
        pairs += Self.string(key) + Self.bytes(type) + value
        count += 1
    }

    var file: [UInt8] {
        Array("GGUF".utf8) + Self.bytes(UInt32(3)) + Self.bytes(UInt64(0)) + Self.bytes(UInt64(count)) + pairs
    }
}
