import Checkpoints
import Compute

/// GPT-2: learned positions, LayerNorm, a plain MLP (Radford et al. 2019). Its matrices are stored (inputs, outputs).
extension Family {
    static let gpt2 = Family(
        name: "gpt2", modelTypes: ["gpt2"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            var plan = try LearnedPositions.plan("gpt2", activation: "gelu_new", settings)
            plan.heads = AttentionHeads(
                queryCount: plan.heads.queryCount, keyCount: plan.heads.queryCount, width: plan.heads.width)
            let scales = try settings.flag("scale_attn_weights", otherwise: true)
            let dividesByLayer = try settings.flag("scale_attn_by_inverse_layer_idx", otherwise: false)
            for index in plan.layers.indices {
                plan.layers[index].attention.scale =
                    (scales ? 1 / Float(plan.heads.width).squareRoot() : 1) / (dividesByLayer ? Float(index + 1) : 1)
            }
            try settings.require("add_cross_attention", equals: false)
            try settings.refuseUnread(harmless: Settings.harmlessKeys.union(LearnedPositions.harmlessKeys))
            return Architecture(
                plan: plan,
                sources: LearnedPositions.sources(plan, checkpoint, isInputMajor: true) { name, plan in
                    ProjectionSource(name, 3 * plan.width, isInputMajor: true)
                })
        },
        architectures: ["gpt2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "gpt2", normKind: .layer, activation: .geluTanh, isGated: false, rotaryLayout: nil,
                hasLearnedPositions: true, hasFusedAttention: true)
            let plan = try standard.plan(settings, checkpoint)
            try settings.refuseUnread(prefix: "gpt2.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

/// GPT-BigCode (StarCoder, SantaCoder): GPT-2 with one key head for all queries, and matrices (outputs, inputs).
extension Family {
    static let gptBigCode = Family(
        name: "gpt_bigcode", modelTypes: ["gpt_bigcode"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            var plan = try LearnedPositions.plan("gpt_bigcode", activation: "gelu_pytorch_tanh", settings)
            let sharesKeys = try settings.flag("multi_query", otherwise: true)
            let heads = plan.heads
            plan.heads = AttentionHeads(
                queryCount: heads.queryCount, keyCount: sharesKeys ? 1 : heads.queryCount, width: heads.width)
            try settings.require("num_key_value_heads", equals: .integer(plan.heads.keyCount))
            if try !settings.flag("scale_attn_weights", otherwise: true) {
                for index in plan.layers.indices { plan.layers[index].attention.scale = 1 }
            }
            try settings.require("add_cross_attention", equals: false)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union(LearnedPositions.harmlessKeys).union([
                    "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "inference_runner",
                    "validate_runner_input", "pre_allocate_kv_cache", "max_batch_size",
                    "pad_key_length",
                ]))
            return Architecture(
                plan: plan,
                sources: LearnedPositions.sources(plan, checkpoint, isInputMajor: false) { name, plan in
                    sharesKeys
                        ? ProjectionSource(name, plan.width + 2 * plan.heads.width)
                        : .grouped(
                            name, groupCount: plan.heads.queryCount, queries: plan.heads.width, keys: plan.heads.width)
                })
        },
        architectures: ["starcoder"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "gpt_bigcode", normKind: .layer, activation: .geluTanh, isGated: false, rotaryLayout: nil,
                hasLearnedPositions: true, hasFusedAttention: true)
            let plan = try standard.plan(settings, checkpoint)
            try settings.refuseUnread(prefix: "starcoder.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

/// What GPT-2 and GPT-BigCode share.
private enum LearnedPositions {
    static func plan(
        _ family: String, activation: String, _ settings: Settings
    ) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("n_embd", "hidden_size")
        let headCount = try settings.headCount("n_head", "num_attention_heads")
        let headWidth = max(1, width / headCount)
        let layer = DecoderPlan.Layer(
            rotary: nil, attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        var plan = DecoderPlan(
            family: family,
            layers: Array(repeating: layer, count: try settings.layerCount("n_layer", "num_hidden_layers")),
            width: width, vocabularySize: try settings.extent("vocab_size"),
            maximumPositions: try settings.extent("n_positions", "max_position_embeddings", otherwise: 1024),
            heads: AttentionHeads(queryCount: headCount, keyCount: headCount, width: headWidth),
            norm: .layer(epsilon: try settings.positiveFloat("layer_norm_epsilon", otherwise: 1e-5)),
            feedForward: DecoderPlan.FeedForward(
                try settings.activation("activation_function", otherwise: activation), isGated: false,
                width: try settings.extent("n_inner", otherwise: 4 * width)),
            biases: [.attention, .feedForward],
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: true))
        plan.embedding.learnedPositionOffset = 0
        return plan
    }

    static func sources(
        _ plan: DecoderPlan, _ checkpoint: Checkpoint, isInputMajor: Bool,
        queryKeyValue: (String, DecoderPlan) -> ProjectionSource
    ) -> ModelSources {
        let prefix = checkpoint.prefix(["transformer.", ""], of: "wte.weight")
        let (width, inner) = (plan.width, plan.feedForward.width)
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)h.\(index)"
            return LayerSources(
                attentionNorm: NormSource("\(layer).ln_1.weight"),
                queryKeyValue: queryKeyValue("\(layer).attn.c_attn.weight", plan),
                attentionOutput: ProjectionSource("\(layer).attn.c_proj.weight", width, isInputMajor: isInputMajor),
                feedForwardNorm: NormSource("\(layer).ln_2.weight"),
                feedForwardInput: ProjectionSource("\(layer).mlp.c_fc.weight", inner, isInputMajor: isInputMajor),
                feedForwardOutput: ProjectionSource("\(layer).mlp.c_proj.weight", width, isInputMajor: isInputMajor))
        }
        let masks = (0..<plan.layerCount).flatMap {
            ["\(prefix)h.\($0).attn.bias", "\(prefix)h.\($0).attn.masked_bias"]
        }
        return ModelSources(
            embedding: "\(prefix)wte.weight", positions: "\(prefix)wpe.weight",
            finalNorm: NormSource("\(prefix)ln_f.weight"),
            head: plan.isHeadTied ? "\(prefix)wte.weight" : "lm_head.weight", layers: layers,
            ignored: Set(masks + ["\(prefix)bias"] + (plan.isHeadTied ? ["lm_head.weight"] : [])))
    }

    static let harmlessKeys: Set<String> = [
        "reorder_and_upcast_attn", "n_ctx", "n_special", "predict_special_tokens", "summary_type", "summary_use_proj",
        "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
    ]
}
