import Checkpoints
import Glibc
import Pruning
import Tensors
import TestSupport
import Testing
import Transformers

/// Small checkpoints of every family, edited, written, and read again.
@Suite("An exported model is the edited one")
struct HuggingFaceExportTests {
    /// The folder's model after an edit was written there.
    private func exported(_ model: DecoderModel, _ edit: ModelEdit, _ place: TemporaryFolder) throws -> DecoderModel {
        try HuggingFaceExport(model, edit).write(to: "\(place.path)/model", shardByteCount: 1 << 14)
        #expect(place.names() == ["model"])
        return try DecoderModel(Checkpoint.open("\(place.path)/model"))
    }

    @Test("layers are left out, to the bit", arguments: ExportFixture.all)
    func removed(fixture: ExportFixture) throws {
        let (model, place) = (try fixture.model(), try TemporaryFolder())
        // The first layer goes, so that all others are renumbered; where a layer's own number counts, the last.
        let isNumbered = fixture.name.hasSuffix("gpt2/untied")
        let edit = ModelEdit(keeping: isNumbered ? 0..<model.plan.layerCount - 1 : 1..<model.plan.layerCount)
        let (got, edited) = (try exported(model, edit, place), try model.applying(edit))
        #expect(got.plan == edited.plan)
        #expect(try got.numbers() == edited.numbers())
        #expect(try got.numbers().last != model.numbers().last)
        // Every tensor that is left has its bytes.
        for (index, layer) in edit.layers.enumerated() {
            let (old, new) = (model.prefix(ofLayer: layer.source), got.prefix(ofLayer: index))
            let names = got.tensorNames(ofLayer: index)
            #expect(names.count == model.tensorNames(ofLayer: layer.source).count)
            for name in names {
                let stored = try model.checkpoint.tensor(old + name.dropFirst(new.count))
                #expect(try got.checkpoint.tensor(name).bits(UInt16.self) == stored.bits(UInt16.self))
            }
        }
        // Keys stay, in their order.
        let (keys, written) = (try fixture.config.keys, try config(place).keys)
        #expect(written.filter(keys.contains) == keys)
    }

    @Test("maps stand in the place of layers, to the bit", arguments: ExportFixture.all)
    func replaced(fixture: ExportFixture) throws {
        let (model, place) = (try fixture.model(), try TemporaryFolder())
        let edit = model.replacing(1, [.layer])
        let (got, edited) = (try exported(model, edit, place), try model.applying(edit))
        #expect(got.plan.layers.map(\.isLinear) == model.plan.layers.indices.map { $0 == 1 })
        #expect(try got.numbers() == edited.numbers())
        #expect(try config(place)["straightedge"] == ["linear": ["1": ["layer"]]])
        #expect(try place.text("model/modeling_straightedge.py").contains("class StraightedgeForCausalLM(Base)"))
    }

    @Test("a written map is written again with another numbering, to the bit")
    func replacedTwice() throws {
        let (model, place, second) = (
            try ExportFixture.named("llama/biases").model(), try TemporaryFolder(), try TemporaryFolder()
        )
        let first = try exported(model, model.replacing(1, [.layer]), place)
        let got = try exported(first, ModelEdit(keeping: [1]), second)
        #expect(try got.numbers() == first.applying(ModelEdit(keeping: [1])).numbers())
        #expect(try config(second)["straightedge"] == ["linear": ["0": ["layer"]]])
        // Without maps nothing is left of them.
        let third = try TemporaryFolder()
        _ = try exported(first, ModelEdit(keeping: [0]), third)
        #expect(try config(third)["straightedge"] == nil && config(third)["auto_map"] == nil)
        #expect(!third.names(in: "model").contains("modeling_straightedge.py"))
    }

    @Test(
        "a map is replaced by another, and those of sublayers by their layer's, to the bit",
        arguments: [Site.layer, .attention])
    func replacedMap(site: Site) throws {
        let (model, place, second) = (
            try ExportFixture.named("llama/linear").model(), try TemporaryFolder(), try TemporaryFolder()
        )
        let first = try exported(model, model.replacing(1, [site]), place)
        var edit = first.replacing(1, [.layer])
        let map = try #require(edit.layers[1].maps[.layer])
        edit.layers[1].maps[.layer] = LinearMap(matrix: map.matrix.map { -$0 }, bias: map.bias.map { -$0 })
        let got = try exported(first, edit, second)
        #expect(try got.numbers() == first.applying(edit).numbers())
        #expect(try got.numbers() != first.numbers())
        #expect(try config(second)["straightedge"] == ["linear": ["1": ["layer"]]])
        #expect(got.tensorNames(ofLayer: 1).count == 2)
    }

    @Test(
        "maps stand in the place of sublayers where layers have LLaMA's modules, and are refused elsewhere",
        arguments: ExportFixture.all)
    func sublayers(fixture: ExportFixture) throws {
        let (model, place) = (try fixture.model(), try TemporaryFolder())
        let standard = [
            "llama", "mistral", "phi3", "qwen2", "qwen3", "gemma", "smollm3", "starcoder2", "nemotron", "olmo",
        ]
        // Where what sublayers add is scaled, or they are side by side, the family's layers are others.
        let isStandard =
            standard.contains(model.plan.family)
            || ["stablelm/sequential", "granite/biases"].contains { fixture.name.hasSuffix($0) }
        for sites: Set<Site> in [[.attention], [.feedForward], [.attention, .feedForward]] {
            let edit = model.replacing(0, sites)
            guard isStandard else {
                #expect(throws: ExportError.self) { try HuggingFaceExport(model, edit) }
                continue
            }
            let place = try TemporaryFolder()
            #expect(try exported(model, edit, place).numbers() == model.applying(edit).numbers())
            let names = sites.map(\.rawValue).sorted().map(JSON.string)
            #expect(try config(place)["straightedge"] == ["linear": ["0": .array(names)]])
        }
        #expect(place.names() == [])
    }

    @Test("changed projections are stored in the file's own order, to the bit", arguments: ExportFixture.all)
    func changed(fixture: ExportFixture) throws {
        let (model, place) = (try fixture.model(), try TemporaryFolder())
        let edit = model.changing(0, hasBias: model.plan.biases.contains(.feedForwardOutput))
        let (got, edited) = (try exported(model, edit, place), try model.applying(edit))
        #expect(try got.numbers() == edited.numbers())
        #expect(try got.numbers().last != model.numbers().last)
    }

    @Test(
        "biases are added where the family has a setting for them, and refused elsewhere",
        arguments: [
            "llama/linear", "granite/multipliers", "smollm3/list", "nemotron/plain", "qwen2/plain", "mpt/plain",
        ])
    func biases(name: String) throws {
        let (model, place) = (try ExportFixture.named(name).model(), try TemporaryFolder())
        var edit = model.changing(0, hasBias: true)
        edit.addsFeedForwardBiases = true
        guard !["qwen2", "mpt"].contains(model.plan.family) else {
            #expect {
                try HuggingFaceExport(model, edit)
            } throws: { "\($0)".contains("mlp_bias") }
            return
        }
        let got = try exported(model, edit, place)
        #expect(got.plan.biases.isSuperset(of: .feedForward))
        #expect(try got.numbers() == model.applying(edit).numbers())
        #expect(try config(place)["mlp_bias"] == true)
    }

    private func config(_ place: TemporaryFolder) throws -> JSONObject {
        try #require(JSON.read("\(place.path)/model/config.json").object)
    }

    // MARK: Settings

    struct Spelling: Sendable, CustomTestStringConvertible {
        let name: String
        let kept: [Int]
        /// What must stand in config.json; nil: the key must not be there.
        let members: [(String, JSON?)]

        var testDescription: String { "\(name) \(kept)" }
    }

    @Test(
        "rules that differ from layer to layer are spelled out where they no longer hold, and only there",
        arguments: [
            Spelling(name: "gemma2/capped", kept: [0, 1], members: [("layer_types", nil)]),
            Spelling(
                name: "gemma2/capped", kept: [0, 2],
                members: [("layer_types", ["sliding_attention", "sliding_attention"])]),
            Spelling(name: "gemma2/uncapped", kept: [1], members: [("layer_types", ["sliding_attention"])]),
            Spelling(
                name: "gemma3_text/pattern", kept: [1, 2],
                members: [("layer_types", ["sliding_attention", "full_attention"]), ("sliding_window_pattern", 3)]),
            Spelling(
                name: "gemma3_text/six-layers", kept: [0, 5],
                members: [("layer_types", ["sliding_attention", "full_attention"])]),
            Spelling(name: "gemma3_text/six-layers", kept: [0, 1, 2], members: [("layer_types", nil)]),
            Spelling(
                name: "cohere2/plain", kept: [0, 1, 3],
                members: [("layer_types", ["sliding_attention", "sliding_attention", "full_attention"])]),
            Spelling(
                name: "qwen2/window", kept: [0, 2],
                members: [("layer_types", nil), ("max_window_layers", 1)]),
            Spelling(
                name: "qwen2/window", kept: [1, 2],
                members: [("layer_types", ["sliding_attention", "sliding_attention"])]),
            Spelling(
                name: "qwen2/layer-types", kept: [1, 2],
                members: [("layer_types", ["full_attention", "sliding_attention"])]),
            Spelling(name: "smollm3/plain", kept: [0, 2], members: [("no_rope_layers", nil)]),
            Spelling(name: "smollm3/plain", kept: [1, 3], members: [("no_rope_layers", [1, 0])]),
            Spelling(
                name: "smollm3/list", kept: [1, 2],
                members: [
                    ("no_rope_layers", [1, 0]), ("layer_types", ["full_attention", "sliding_attention"]),
                ]),
        ])
    func spelling(_ spelling: Spelling) throws {
        let (model, place) = (try ExportFixture.named(spelling.name).model(), try TemporaryFolder())
        let edit = ModelEdit(keeping: spelling.kept)
        #expect(try exported(model, edit, place).numbers() == model.applying(edit).numbers())
        for (key, value) in spelling.members { #expect(try config(place)[key] == value, "\(key)") }
    }

    @Test("a model whose settings cannot say what is left of it is refused by name")
    func inexpressible() throws {
        // Attention is divided by the layer's number.
        let model = try ExportFixture.named("gpt2/untied").model()
        #expect {
            try HuggingFaceExport(model, ModelEdit(keeping: [0, 2]))
        } throws: { error in
            "\(error)".contains("layer 1, which was layer 2, would lose its scale of attention")
        }
        #expect(throws: ExportError.self) {
            try HuggingFaceExport.check(model, layers: [(source: 1, sites: []), (source: 2, sites: [])])
        }
        try HuggingFaceExport.check(model, layers: [(source: 0, sites: []), (source: 1, sites: [.layer])])
    }

    // MARK: Types

    @Test("new numbers are rounded to the type of the layer, all others stay as they are", arguments: ["BF16", "F16"])
    func sixteenBits(type: String) throws {
        let (place, target) = (try TemporaryFolder(), try TemporaryFolder())
        let model = try Self.sixteenBitModel(type, place)
        var edit = model.replacing(0, [.layer])
        edit.layers[1].feedForwardOutput = EditedProjection(
            weight: DecoderModel.noise(model.plan.width * model.plan.feedForward.width, seed: 9, scale: 1).map {
                $0 / 3
            },
            bias: nil)
        let got = try exported(model, edit, target)
        #expect(got.checkpoint.elementTypeCounts.map(\.name) == [type])
        for (name, values) in [
            ("model.layers.0.linear.bias", edit.layers[0].maps[.layer]?.bias ?? []),
            ("model.layers.1.mlp.down_proj.weight", edit.layers[1].feedForwardOutput?.weight ?? []),
        ] {
            let tensor = try got.checkpoint.tensor(name)
            let rounded = tensor.bits(UInt16.self).map { Self.value($0, type) }
            let spacing: Float = type == "BF16" ? 0x1p-8 : 0x1p-11
            #expect(rounded.count == values.count && !values.isEmpty)
            #expect(zip(rounded, values).allSatisfy { abs($0 - $1) <= spacing * abs($1) + 0x1p-25 })
        }
    }

    /// A model of llama/linear's shape with numbers of sixteen bits.
    private static func sixteenBitModel(_ type: String, _ place: TemporaryFolder) throws -> DecoderModel {
        let model = try ExportFixture.named("llama/linear").model()
        let folder = try OutputFolder("\(place.path)/source")
        let elementType = try #require(ElementType(rawValue: type))
        let tensors = try model.checkpoint.tensorNames.map {
            try ExportTensor($0, elementType, rounding: $0, of: model.checkpoint)
        }
        try SafetensorsShards(tensors).write(to: folder)
        let config = try ExportFixture.named("llama/linear").config
        try folder.write(JSON.object(config).serialized(indented: true), to: "config.json")
        try folder.finish()
        return try DecoderModel(Checkpoint.open("\(place.path)/source"))
    }

    private static func value(_ bits: UInt16, _ type: String) -> Float {
        type == "BF16" ? Float(bitPattern: UInt32(bits) << 16) : Float(Float16(bitPattern: bits))
    }

    @Test("a number beyond the type is refused, and nothing is left")
    func overflow() throws {
        let (place, target) = (try TemporaryFolder(), try TemporaryFolder())
        let model = try Self.sixteenBitModel("F16", place)
        var edit = model.changing(0, hasBias: false)
        edit.layers[0].feedForwardOutput?.weight[5] = 1e5
        #expect {
            try HuggingFaceExport(model, edit).write(to: "\(target.path)/model")
        } throws: { "\($0)".contains("model.layers.0.mlp.down_proj.weight") && "\($0)".contains("F16") }
        #expect(target.names() == [])
    }

    // MARK: Refusals

    @Test("an edit that is none of the model is refused")
    func foreignEdits() throws {
        let model = try ExportFixture.named("llama/linear").model()
        var narrow = ModelEdit(keeping: [0, 1])
        narrow.layers[0].maps[.layer] = LinearMap(matrix: [1], bias: [0])
        let edits = [
            ModelEdit(keeping: []), ModelEdit(keeping: [1, 0]), ModelEdit(keeping: [0, 0]), ModelEdit(keeping: [0, 2]),
            ModelEdit(keeping: [-1]), narrow, model.changing(0, hasBias: true),
        ]
        for edit in edits { #expect(throws: ExportError.self) { try HuggingFaceExport(model, edit) } }
        #expect(throws: ExportError.self) { try HuggingFaceExport.check(model, layers: []) }
        _ = try HuggingFaceExport(model, ModelEdit(keeping: [0, 1]))
    }

    @Test("what exists is not replaced")
    func existing() throws {
        let place = try TemporaryFolder()
        let model = try ExportFixture.named("llama/linear").model()
        try place.write("mine", to: "model")
        #expect(throws: ExportError.self) {
            try HuggingFaceExport(model, ModelEdit(keeping: [0])).write(to: "\(place.path)/model")
        }
        #expect(try place.text("model") == "mine" && place.names() == ["model"])
    }

    @Test("a disk that becomes full in the middle leaves nothing")
    func fullDisk() async {
        await #expect(processExitsWith: .success) {
            let model = try ExportFixture.named("llama/linear").model()
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 2000, rlim_max: 2000)
            guard unsafe setrlimit(__rlimit_resource_t(1), &limit) == 0 else { exit(1) }
            let place = try TemporaryFolder()
            do {
                try HuggingFaceExport(model, ModelEdit(keeping: [0])).write(to: "\(place.path)/model")
                exit(2)
            } catch {
                guard "\(error)".contains("\(place.path)/model/model.safetensors could not be written"),
                    place.names() == []
                else {
                    print(error, place.names())
                    exit(3)
                }
            }
        }
    }

    // MARK: Files beside the weights

    @Test("the tokenizer's files and the licence go along; weights, code, states and other folders do not")
    func accompanyingFiles() throws {
        let (place, target) = (try TemporaryFolder(), try TemporaryFolder())
        let fixture = ExportFixture.named("llama/linear")
        let blobs = "\(place.path)/blobs"
        unsafe mkdir(blobs, 0o755)
        let kept = [
            "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt",
            "special_tokens_map.json", "generation_config.json", "chat_template.jinja", "LICENSE", "NOTICE.md",
            "tokenizer.model.v3",
        ]
        let left = [
            "modeling_custom.py", "optimizer.pt", "training_args.bin", "trainer_state.json", "model.gguf",
            "tf_model.h5",
            "flax_model.msgpack", "pytorch_model.bin.index.json", ".env", "run.sh", "licence.py", "manifest.json",
            "params.json", "plan.json", "report.html",
        ]
        for name in kept + left { try place.write("{\"of\": \"\(name)\"}", to: "source/\(name)") }
        try place.write("the card", to: "source/README.md")
        try place.write("", to: "source/added_tokens.json")
        try place.write("a named template", to: "source/additional_chat_templates/tool_use.jinja")
        try place.write("no template", to: "source/additional_chat_templates/notes.txt")
        // As in the cache of the Hub, where files are links; a link to a folder or to a pipe is no file.
        try place.write("a template", to: "blobs/one")
        unsafe symlink("\(blobs)/one", "\(place.path)/source/linked.jinja")
        unsafe symlink(blobs, "\(place.path)/source/folder.json")
        unsafe mkfifo("\(place.path)/source/pipe.json", 0o644)
        unsafe symlink("\(fixture.path)/config.json", "\(place.path)/source/config.json")
        unsafe symlink("\(fixture.path)/model.safetensors", "\(place.path)/source/model.safetensors")

        let model = try DecoderModel(Checkpoint.open("\(place.path)/source"))
        try HuggingFaceExport(model, ModelEdit(keeping: [0])).write(to: "\(target.path)/model")
        let expected =
            kept + [
                "SOURCE_README.md", "added_tokens.json", "additional_chat_templates", "config.json", "linked.jinja",
                "model.safetensors",
            ]
        #expect(target.names(in: "model") == expected.sorted())
        for name in kept { #expect(try target.text("model/\(name)") == "{\"of\": \"\(name)\"}") }
        #expect(target.names(in: "model/additional_chat_templates") == ["tool_use.jinja"])
        #expect(try target.text("model/additional_chat_templates/tool_use.jinja") == "a named template")
        #expect(try target.text("model/linked.jinja") == "a template")
        #expect(try target.text("model/SOURCE_README.md") == "the card")
        #expect(try target.text("model/added_tokens.json") == "")
    }

    @Test("a link to nothing among the tokenizer's files is an error with its name")
    func brokenLink() throws {
        let (place, target) = (try TemporaryFolder(), try TemporaryFolder())
        let fixture = ExportFixture.named("llama/linear")
        unsafe mkdir("\(place.path)/source", 0o755)
        for name in ["config.json", "model.safetensors"] {
            unsafe symlink("\(fixture.path)/\(name)", "\(place.path)/source/\(name)")
        }
        unsafe symlink("\(place.path)/nothing", "\(place.path)/source/tokenizer.model")
        let model = try DecoderModel(Checkpoint.open("\(place.path)/source"))
        #expect {
            try HuggingFaceExport(model, ModelEdit(keeping: [0])).write(to: "\(target.path)/model")
        } throws: { "\($0)".contains("tokenizer.model could not be read") }
        #expect(target.names() == [])
    }
}
