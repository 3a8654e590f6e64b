import Checkpoints
import Compute
import Pruning
import Tensors
import TestSupport
import Testing
import Tokenizers
import Transformers

/// Hugging Face folders from the GGUF twins that llama.cpp's converter made.
@Suite("A GGUF file becomes the Hugging Face folder that it could have been made of")
struct GGUFConversionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let fixtures = ModelFixture.allWithGGUF.filter {
        $0.name.hasPrefix("llama/") || $0.name.hasPrefix("qwen2/")
    }

    private var path: String { "\(folder.path)/model" }

    private func exported(
        _ fixture: ModelFixture, _ edit: ModelEdit? = nil, _ elementType: ElementType? = nil
    ) throws -> DecoderModel {
        let model = try fixture.ggufModel()
        let edit = edit ?? ModelEdit(keeping: model.plan.layers.indices)
        try HuggingFaceExport(model, edit, elementType: elementType).write(to: path)
        return try DecoderModel(Checkpoint.open(path))
    }

    @Test("hidden states of every layer and logits", arguments: fixtures)
    func hiddenStates(fixture: ModelFixture) throws {
        // In float32 the order of the sums in attention alone differs.
        let got = try fixture.activations(exported(fixture, nil, .float32))
        for (got, want) in zip(got, try fixture.activations(fixture.ggufModel())) {
            #expect(relativeDifference(got, want) < 2e-6)
        }
    }

    @Test("the tensors and settings are those of the folder that was converted", arguments: fixtures)
    func tensors(fixture: ModelFixture) throws {
        let (got, original) = (try exported(fixture, nil, .float32), try fixture.model())
        #expect(got.plan == original.plan)
        #expect(Set(got.checkpoint.tensorNames).isSuperset(of: original.outerTensorNames))
        for layer in original.plan.layers.indices {
            let names = original.tensorNames(ofLayer: layer)
            #expect(names == got.tensorNames(ofLayer: layer))
            for name in names where name.contains("q_proj") || name.contains("k_proj") {
                let (got, want) = (try floats(got, name), try floats(original, name))
                #expect(relativeDifference(got, want) < 1e-7)
            }
        }
    }

    private func floats(_ model: DecoderModel, _ name: String) throws -> [Float] {
        let (stored, device) = (try model.checkpoint.tensor(name), Device.host())
        let tensor = try device.makeTensor([stored.elementCount], .float32, for: "a test")
        try unsafe stored.withBytes {
            try unsafe device.decode($0.bytes, elementType: stored.elementType, into: tensor)
        }
        return try device.floats(of: tensor)
    }

    @Test("weights are rounded to the type that is asked for", arguments: [ElementType.float16, .bfloat16])
    func types(type: ElementType) throws {
        let fixture = try ModelFixture.named("llama/linear")
        let got = try exported(fixture, nil, type)
        #expect(got.checkpoint.elementTypeCounts.map(\.elementType) == [type])
        for (got, want) in zip(try fixture.activations(got), try fixture.activations(fixture.ggufModel())) {
            #expect(relativeDifference(got, want) < (type == .float16 ? 0.005 : 0.05))
        }
    }

    @Test("without layers, with a map and with a changed projection", arguments: fixtures)
    func edited(fixture: ModelFixture) throws {
        let model = try fixture.ggufModel()
        var edit = model.replacing(model.plan.layerCount - 1, [.attention])
        edit.layers[0].feedForwardOutput = try model.feedForwardOutput(of: 0, on: .host())
        edit.layers[0].feedForwardOutput?.weight[0] += 1
        if model.plan.layerCount > 2 { edit.layers.remove(at: 1) }
        let got = try exported(fixture, edit, .float32)
        #expect(got.plan.layers.last?.linearSites == [.attention])
        let want = try fixture.activations(model.applying(edit))
        for (got, want) in zip(try fixture.activations(got), want) { #expect(relativeDifference(got, want) < 2e-6) }
        #expect(folder.names(in: "model").contains("modeling_straightedge.py"))
    }

    @Test("biases that one of the two lacks are zeros")
    func biases() throws {
        let fixture = try ModelFixture.named("llama/linear")
        let model = try fixture.ggufModel()
        var edit = model.changing(0, hasBias: true)
        edit.addsFeedForwardBiases = true
        let got = try exported(fixture, edit, .float32)
        #expect(got.plan.biases == .feedForward)
        for (got, want) in zip(try fixture.activations(got), try fixture.activations(model.applying(edit))) {
            #expect(relativeDifference(got, want) < 2e-6)
        }
        // A file that has only the last one.
        try GGUFExport(model, edit: edit, projectionType: .float32).write(to: "\(folder.path)/biases.gguf")
        let second = try DecoderModel(Checkpoint.open("\(folder.path)/biases.gguf"))
        #expect(second.plan.biases == .feedForwardOutput)
        try HuggingFaceExport(
            second, ModelEdit(keeping: second.plan.layers.indices), elementType: .float32
        ).write(to: "\(folder.path)/second")
        let third = try DecoderModel(Checkpoint.open("\(folder.path)/second"))
        for (got, want) in zip(try fixture.activations(third), try fixture.activations(second)) {
            #expect(relativeDifference(got, want) < 2e-6)
        }
    }

    @Test func theTokenizerComesAlong() throws {
        let fixture = try ModelFixture.named("qwen2/plain")
        let got = try exported(fixture)
        let (written, source) = (try Tokenizer(got.checkpoint), try Tokenizer(fixture.ggufModel().checkpoint))
        for text in ["\"#", "abc #\"", "<|endoftext|>xyz"] {
            #expect(try written.encode(text) == source.encode(text))
        }
        #expect(written.vocabularySize == source.vocabularySize)
        let configuration = try JSON.read("\(path)/tokenizer_config.json")
        #expect(configuration["eos_token"] == "<|endoftext|>")
        #expect(try JSON.read("\(path)/generation_config.json")["eos_token_id"] == 0)
        #expect(try JSON.read("\(path)/config.json")["eos_token_id"] == 0)
    }

    @Test func whatCannotBeIsRefusedByName() throws {
        func expect(_ part: String, _ body: () throws -> Void) throws {
            let error = #expect(throws: ExportError.self, performing: body)
            #expect("\(try #require(error))".contains(part))
        }
        let models = try ModelFixture.allWithGGUF.map { try $0.ggufModel() }
        for model in models where !["llama", "qwen2"].contains(model.plan.family) {
            try expect("is not written as a Hugging Face folder") {
                _ = try HuggingFaceExport(model, ModelEdit(keeping: [0]))
            }
        }
        let fixture = try ModelFixture.named("llama/linear")
        let model = try fixture.ggufModel()
        try expect("weights are not written as Q8_0") {
            _ = try HuggingFaceExport(model, ModelEdit(keeping: [0]), elementType: .q8_0)
        }
        try expect("no layer would be left") { _ = try HuggingFaceExport(model, ModelEdit(keeping: [])) }
        try expect("keep the types") {
            _ = try HuggingFaceExport(fixture.model(), ModelEdit(keeping: [0]), elementType: .float32)
        }
        try folder.write("taken", to: "model")
        try expect("exists already") { try HuggingFaceExport(model, ModelEdit(keeping: [0])).write(to: path) }
        #expect(folder.names() == ["model"])
    }
}
