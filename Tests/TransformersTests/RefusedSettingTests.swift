import Checkpoints
import Testing
import Transformers

@Suite("A setting of any family that is not understood is refused by name")
struct RefusedSettingTests {
    /// A fixture of each family.
    private static let families: [FamilyFixture] = {
        var seen: Set<Substring> = []
        return FamilyFixture.all.filter {
            !$0.name.hasSuffix("-bin") && seen.insert($0.name.split(separator: "/")[0]).inserted
        }
    }()

    /// Where it is not `hidden_act`; BLOOM's and MPT's activation no setting changes, and `hidden_act` is unknown there.
    private static let activationKeys = [
        "gpt2": "activation_function", "gptj": "activation_function", "gpt_bigcode": "activation_function",
        "opt": "activation_function", "falcon": "activation", "gemma2": "hidden_activation",
        "gemma3_text": "hidden_activation",
    ]

    @Test("a key that nobody knows", arguments: families)
    func unknownKey(fixture: FamilyFixture) throws {
        try expectRefusal(of: fixture, adding: "\"unknown_multiplier\": 2", naming: "unknown_multiplier")
    }

    @Test("an activation", arguments: families)
    func activation(fixture: FamilyFixture) throws {
        let key = Self.activationKeys[fixture.family] ?? "hidden_act"
        try expectRefusal(of: fixture, adding: "\"\(key)\": \"mish\"", naming: key)
    }

    @Test("a rotary scaling", arguments: families)
    func rotaryScaling(fixture: FamilyFixture) throws {
        let config = try JSON.read("\(fixture.path)/config.json")
        let key = config["rope_parameters"] == nil ? "rope_scaling" : "rope_parameters"
        try expectRefusal(of: fixture, adding: "\"\(key)\": {\"rope_type\": \"axial\", \"factor\": 2}", naming: key)
    }

    @Test("a kind of norm", arguments: families)
    func norm(fixture: FamilyFixture) throws {
        try expectRefusal(of: fixture, adding: "\"norm_type\": \"group_norm\"", naming: "norm_type")
    }

    @Test("heads that were cut, and attention to an encoder", arguments: families)
    func otherAttention(fixture: FamilyFixture) throws {
        try expectRefusal(of: fixture, adding: "\"pruned_heads\": {\"0\": [1]}", naming: "pruned_heads")
        try expectRefusal(of: fixture, adding: "\"add_cross_attention\": true", naming: "add_cross_attention")
    }

    @Test("what software and training have written beside the mathematics is read over", arguments: families)
    func harmlessKeys(fixture: FamilyFixture) throws {
        let folder = try TemporaryModel(
            copying: "families/\(fixture.name)",
            addingToConfig: """
                "_name_or_path": "x", "_attn_implementation": "eager", "_attn_implementation_autoset": true, \
                "_flash_attn_2_enabled": true, "_commit_hash": "0", "_num_labels": 1, "custom_pipelines": {}, \
                "gradient_checkpointing": false, "max_sequence_length": 2048, "model_max_length": 2048, \
                "output_past": true, "pretraining_tp": 2, "pruned_heads": {}, "tie_encoder_decoder": false, \
                "add_cross_attention": false, "transformers.js_config": {}, "unk_token_id": 0, "num_labels": 2, \
                "use_flash_attention": true, "trust_remote_code": true, "quantization_config": null
                """)
        let plan = try DecoderModel(Checkpoint.open(folder.path)).plan
        #expect(try "\(plan)" == "\(DecoderModel(Checkpoint.open(fixture.path)).plan)")
    }

    @Test("what some files say besides is held to be what the family has")
    func redundantSettings() throws {
        for (name, same, other) in [
            ("nemotron/plain", "\"kv_channels\": 8", "\"kv_channels\": 4"),
            (
                "phi3/longrope", "\"full_attn_mod\": 1, \"interpolate_factor\": 1, \"lm_head_bias\": false",
                "\"mlp_bias\": true"
            ),
            ("gpt2/tied", "\"n_special\": 0, \"predict_special_tokens\": true", "\"n_embed\": 4"),
            ("gemma2/capped", "\"sliding_window_size\": 5", "\"sliding_window_size\": 6"),
            ("starcoder2/no-biases", "\"activation_function\": \"gelu\", \"layer_norm_epsilon\": 1e-5", "\"norm\": 1"),
            ("falcon/grouped", "\"ff_factor\": 4", "\"ff_factor\": 3"),
            ("opt/after", "\"output_projection\": true", "\"output_projections\": true"),
        ] {
            let fixture = try FamilyFixture.named(name)
            let folder = try TemporaryModel(copying: "families/\(name)", addingToConfig: same)
            _ = try DecoderModel(Checkpoint.open(folder.path))
            try expectRefusal(of: fixture, adding: other, naming: String(other.split(separator: "\"")[0]))
        }
    }

    @Test("experts, state spaces and encoders", arguments: ["mixtral", "mamba", "bert", "t5", "deepseek_v3"])
    func otherArchitectures(modelType: String) throws {
        let fixture = try FamilyFixture.named("llama/linear")
        try expectRefusal(of: fixture, adding: "\"model_type\": \"\(modelType)\"", naming: modelType)
    }

    private func expectRefusal(of fixture: FamilyFixture, adding member: String, naming key: String) throws {
        let folder = try TemporaryModel(copying: "families/\(fixture.name)", addingToConfig: member)
        let error = #expect(throws: TransformerError.self) { try DecoderModel(Checkpoint.open(folder.path)) }
        #expect("\(try #require(error))".contains(key))
    }
}
