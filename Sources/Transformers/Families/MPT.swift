import Checkpoints
import Compute

/// MPT: ALiBi, LayerNorms without bias, a plain MLP four times as wide, no biases (MosaicML 2023).
extension Family {
    static let mpt = Family(
        name: "mpt", modelTypes: ["mpt"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let plan = try MPT.plan(settings)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union([
                    "embedding_fraction", "init_device", "init_config", "verbose", "logit_scale_", "is_causal",
                    "fc_type", "norm_config",
                ]))
            return Architecture(plan: plan, sources: MPT.sources(plan, checkpoint))
        },
        architectures: ["mpt"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "mpt", normKind: .layer, activation: .gelu, isGated: false, rotaryLayout: nil,
                hasFusedAttention: true)
            var plan = try standard.plan(settings, checkpoint)
            plan.queryKeyValueLimit = try settings.clampIfPresent("mpt.attention.clamp_kqv")
            plan.setALiBi(largestExponent: try settings.positive("mpt.attention.max_alibi_bias"))
            try settings.refuseUnread(prefix: "mpt.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum MPT {
    static func plan(_ settings: Settings) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("d_model", "hidden_size")
        let headCount = try settings.headCount("n_heads", "num_attention_heads")
        let headWidth = max(1, width / headCount)
        let attention = Settings(
            path: settings.path, config: try settings.json("attn_config") ?? .object(JSONObject([])), tensorCount: 0)
        let scale = try attention.positiveFloatIfPresent("softmax_scale") ?? 1 / Float(headWidth).squareRoot()
        var plan = DecoderPlan(
            family: "mpt",
            layers: Array(
                repeating: DecoderPlan.Layer(rotary: nil, attention: AttentionRule(scale: scale)),
                count: try settings.layerCount("n_layers", "num_hidden_layers")),
            width: width, vocabularySize: try settings.extent("vocab_size"), maximumPositions: 1 << 20,
            heads: AttentionHeads(queryCount: headCount, keyCount: headCount, width: headWidth),
            norm: .layer(epsilon: try settings.positiveFloat("layer_norm_epsilon", otherwise: 1e-5), hasBias: false),
            feedForward: DecoderPlan.FeedForward(.gelu, isGated: false, width: 4 * width),
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: true))
        plan.queryKeyValueLimit = try attention.clampIfPresent("clip_qkv")
        plan.setALiBi(largestExponent: 8)
        try requireDefaults(settings, attention)
        return plan
    }

    /// What Hugging Face's code for the family takes for granted, whatever the settings say.
    private static func requireDefaults(
        _ settings: Settings, _ attention: Settings
    ) throws(TransformerError) {
        try settings.require("expansion_ratio", equals: 4)
        try settings.require("no_bias", equals: true)
        try settings.require("norm_type", oneOf: ["low_precision_layernorm", "layer_norm"])
        try settings.requireAbsent("logit_scale")
        // Which attention did not use when it is ALiBi's.
        _ = try settings.json("learned_pos_emb")
        _ = try settings.json("max_seq_len")
        try attention.require("alibi", equals: true)
        try attention.require("alibi_bias_max", equals: 8)
        try attention.require("qk_ln", equals: false)
        try attention.require("attn_type", equals: "multihead_attention")
        try attention.require("prefix_lm", equals: false)
        try attention.require("attn_uses_sequence_id", equals: false)
        try attention.refuseUnread(
            harmless: Settings.harmlessKeys.union(["attn_impl", "model_type"]))
    }

    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        let prefix = checkpoint.prefix(["transformer.", ""], of: "wte.weight")
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)blocks.\(index)"
            return LayerSources(
                attentionNorm: NormSource("\(layer).norm_1.weight"),
                queryKeyValue: ProjectionSource("\(layer).attn.Wqkv.weight", 3 * plan.width),
                attentionOutput: ProjectionSource("\(layer).attn.out_proj.weight", plan.width),
                feedForwardNorm: NormSource("\(layer).norm_2.weight"),
                feedForwardInput: ProjectionSource("\(layer).ffn.up_proj.weight", plan.feedForward.width),
                feedForwardOutput: ProjectionSource("\(layer).ffn.down_proj.weight", plan.width))
        }
        return ModelSources(
            embedding: "\(prefix)wte.weight", finalNorm: NormSource("\(prefix)norm_f.weight"),
            head: plan.isHeadTied ? "\(prefix)wte.weight" : "lm_head.weight", layers: layers,
            ignored: plan.isHeadTied ? ["lm_head.weight"] : [])
    }
}

extension Settings {
    /// A bound of queries, keys and values, where 0 means none.
    func clampIfPresent(_ key: String) throws(TransformerError) -> Float? {
        try json(key)?.number == 0 ? nil : try positiveFloatIfPresent(key)
    }
}
