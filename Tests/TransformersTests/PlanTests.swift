import Checkpoints
import Compute
import Glibc
import Testing
import Transformers

@Suite("A plan is understood or refused by name")
struct PlanTests {
    @Test("the settings of a config.json")
    func config() throws {
        let plan = try Fixture.model("llama-untied-sharded").plan
        #expect(plan.layerCount == 3)
        #expect(plan.biases == [.attention, .feedForward] && !plan.isHeadTied)
        #expect(plan.heads.width != plan.width / plan.heads.queryCount)
    }

    @Test("counted parameters are those of the file", arguments: ["llama-tied", "llama-untied-sharded"])
    func parameterCount(name: String) throws {
        let model = try Fixture.model(name)
        #expect(model.parameterCount == model.checkpoint.parameterCount)
    }

    @Test(
        "a setting that changes the mathematics and is not understood is refused with its key",
        arguments: [
            ("\"hidden_act\": \"mish\"", "hidden_act"), ("\"rope_scaling\": {\"rope_type\": \"axial\"}", "rope"),
            ("\"logit_scale\": 2", "logit_scale"), ("\"rms_norm_eps\": \"small\"", "rms_norm_eps"),
            ("\"num_key_value_heads\": 3", "heads"), ("\"rope_theta\": 7", "rope_theta"),
            ("\"quantization_config\": {}", "quantization_config"), ("\"num_hidden_layers\": 0", "num_hidden_layers"),
            ("\"hidden_size\": 1e300", "hidden_size"),
        ])
    func refusedSettings(member: String, key: String) throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: member)
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        #expect("\(try #require(error))".contains(key))
    }

    @Test("another architecture is refused with its name")
    func otherArchitecture() throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: "\"model_type\": \"mamba\"")
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        #expect("\(try #require(error))".contains("mamba"))
    }

    @Test(
        "a plan whose shapes are not the file's is refused before anything is allocated for it",
        arguments: [
            ("\"intermediate_size\": 64", "gate_proj"), ("\"intermediate_size\": 16777216", "gate_proj"),
            ("\"head_dim\": 16", "q_proj"), ("\"hidden_size\": 64", "embed_tokens"),
            ("\"vocab_size\": 16777216", "embed_tokens"), ("\"num_key_value_heads\": 4", "k_proj"),
        ])
    func otherShapes(member: String, name: String) throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: member)
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        #expect("\(try #require(error))".contains(name))
    }
}

@Suite("Bad ids and sequences")
struct BadInputTests {
    @Test("ids outside the vocabulary are named with their place", arguments: [Int32(-1), 64, .max])
    func ids(id: Int32) throws {
        let model = try Fixture.model("llama-tied")
        let forward = try Forward(model: model, device: .host(), layout: SequenceLayout(lengths: [2, 3]))
        let error = #expect(throws: TransformerError.self) { try forward.embed([1, 2, 3, id, 4]) }
        #expect("\(try #require(error))".contains("token id \(id) (sequence 1, position 1)"))
    }

    @Test("empty sequences and those beyond the model's positions are refused", arguments: [0, 1_000_000])
    func lengths(length: Int) throws {
        let model = try Fixture.model("llama-tied")
        let error = #expect(throws: TransformerError.self) {
            try Forward(model: model, device: .host(), layout: SequenceLayout(lengths: [3, length]))
        }
        #expect("\(try #require(error))".contains("sequence 1"))
    }

    @Test("weights that are not finite are named with their tensor and row")
    func nonFiniteWeights() throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: nil)
        try folder.overwrite(tensor: "model.layers.1.mlp.up_proj.weight", element: 35, halfBits: 0x7E00)
        let model = try DecoderModel(Checkpoint.open(folder.path))
        let forward = try Forward(model: model, device: .host(), layout: SequenceLayout(lengths: [2]))
        let stream = try forward.apply(0, to: forward.embed([1, 2]))
        let error = #expect(throws: TransformerError.self) { try forward.apply(1, to: stream) }
        #expect(
            "\(try #require(error))".contains("'model.layers.1.mlp.up_proj.weight' holds a NaN or an infinity in row 1")
        )
    }

    @Test("activations that are not finite are named with layer, sequence and position")
    func nonFiniteActivations() throws {
        let folder = try TemporaryModel(copying: "llama-tied", addingToConfig: nil)
        // Row 5 of the embeddings becomes infinite: only tokens of id 5 are hit.
        try folder.overwrite(tensor: "model.embed_tokens.weight", element: 5 * 32, halfBits: 0x7C00)
        let model = try DecoderModel(Checkpoint.open(folder.path))
        let forward = try Forward(model: model, device: .host(), layout: SequenceLayout(lengths: [2, 2]))
        let error = #expect(throws: TransformerError.self) { try forward.embed([1, 2, 3, 5]) }
        #expect("\(try #require(error))".contains("in the embeddings, sequence 1, position 1"))
    }
}

/// A changed copy of a fixture.
final class TemporaryModel {
    let path: String

    init(copying name: String, addingToConfig member: String?) throws {
        var template = Array("/tmp/straightedge-test-XXXXXX".utf8CString)
        _ = unsafe mkdtemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var config = try #require(try JSON.read(Fixture.path("\(name)/config.json")).object)
        if let member {
            let added = try #require(try JSON.parse("{\(member)}", source: "a test").object)
            for (key, value) in added.members { config[key] = value }
        }
        try write(Array(JSON.object(config).serialized(indented: true).utf8), to: "config.json")
        let weights = try MappedFile(Fixture.path("\(name)/model.safetensors"))
        try write(unsafe Array(weights.bytes), to: "model.safetensors")
    }

    func overwrite(tensor name: String, element: Int, halfBits: UInt16) throws {
        let tensor = try Checkpoint.open(path).tensor(name)
        var bytes = unsafe Array(tensor.file.bytes)
        let offset = tensor.byteOffset + 2 * element
        bytes[offset] = UInt8(halfBits & 255)
        bytes[offset + 1] = UInt8(halfBits >> 8)
        try write(bytes, to: "model.safetensors")
    }

    private func write(_ bytes: [UInt8], to name: String) throws {
        let target = "\(path)/\(name)"
        unsafe unlink(target)
        let file = unsafe try #require(unsafe fopen(target, "w"))
        unsafe fwrite(bytes, 1, bytes.count, file)
        unsafe fclose(file)
    }

    deinit {
        for name in ["config.json", "model.safetensors"] { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
