import Checkpoints
import Compute

/// Falcon: one key head for all queries or few for groups of them, attention and MLP side by side, rotary positions
/// (Almazrouei et al. 2023).
extension Family {
    static let falcon = Family(
        name: "falcon", modelTypes: ["falcon", "RefinedWeb", "RefinedWebModel"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let layout = try Falcon.layout(settings)
            let plan = try Falcon.plan(settings, layout)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union(["apply_residual_connection_post_layernorm", "n_ctx"]))
            return Architecture(plan: plan, sources: Falcon.sources(plan, layout, checkpoint))
        },
        architectures: ["falcon"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "falcon", normKind: .layer, activation: .gelu, isGated: false, hasFusedAttention: true)
            var plan = try standard.plan(settings, checkpoint)
            plan.residual = .parallel
            let hasTwoNorms = checkpoint.contains("blk.0.attn_norm_2.weight")
            try settings.refuseUnread(prefix: "falcon.", harmless: ["falcon.tensor_data_layout"])
            let sources = standard.sources(plan) { layer, prefix in
                // llama.cpp calls the norm of attention the second where there are two.
                layer.attentionNorm = NormSource("\(prefix).\(hasTwoNorms ? "attn_norm_2" : "attn_norm").weight")
                layer.feedForwardNorm = NormSource("\(prefix).attn_norm.weight")
            }
            return Architecture(plan: plan, sources: sources)
        })
}

private enum Falcon {
    struct Layout {
        var isNewArchitecture: Bool
        var sharesKeys: Bool
        var isParallel: Bool
        var hasTwoNorms: Bool
    }

    static func layout(_ settings: Settings) throws(TransformerError) -> Layout {
        let isNew = try settings.flag("new_decoder_architecture", otherwise: false)
        let sharesKeys = try settings.flag("multi_query", otherwise: true)
        let isParallel = try settings.flag("parallel_attn", otherwise: true)
        // Its biases are rounded to bfloat16 in a way that no other family has.
        try settings.require("alibi", equals: false)
        guard isParallel || !isNew else {
            throw settings.problem("parallel_attn", "is false, which the new decoder architecture does not have")
        }
        let normCount = try settings.count("num_ln_in_parallel_attn", otherwise: isNew ? 2 : 1)
        guard normCount == 1 || normCount == 2 && isNew else {
            throw settings.problem("num_ln_in_parallel_attn", "is \(normCount), which this layout does not have")
        }
        return Layout(
            isNewArchitecture: isNew, sharesKeys: sharesKeys, isParallel: isParallel, hasTwoNorms: normCount == 2)
    }

    static func plan(_ settings: Settings, _ layout: Layout) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("hidden_size", "n_embed")
        let queryCount = try settings.headCount("num_attention_heads", "n_head")
        let written = try settings.headCount("num_kv_heads", "n_head_kv", otherwise: queryCount)
        let keyCount = layout.isNewArchitecture ? written : layout.sharesKeys ? 1 : queryCount
        let headWidth = max(1, width / queryCount)
        let positions = try settings.count("max_position_embeddings", otherwise: 2048)
        let inner = try settings.extent("ffn_hidden_size", otherwise: 4 * width)
        // Falcon 2 says so as well; transformers reads past it.
        try settings.require("ff_factor", equals: .integer(inner / width))
        let rotary = try settings.rotary(headWidth: headWidth, positions: positions)
        let layer = DecoderPlan.Layer(
            rotary: 0, attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        return DecoderPlan(
            family: "falcon",
            layers: Array(repeating: layer, count: try settings.layerCount("num_hidden_layers", "n_layer")),
            width: width, vocabularySize: try settings.extent("vocab_size"),
            maximumPositions: rotary.reach(positions),
            heads: AttentionHeads(queryCount: queryCount, keyCount: keyCount, width: headWidth),
            norm: .layer(epsilon: try settings.positiveFloat("layer_norm_epsilon", otherwise: 1e-5)),
            rotaries: [rotary], residual: layout.isParallel ? .parallel : .sequential,
            feedForward: DecoderPlan.FeedForward(
                try settings.activation("activation", otherwise: "gelu"), isGated: false,
                width: inner),
            biases: try settings.flag("bias", otherwise: false) ? [.attention, .feedForward] : [],
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: true))
    }

    static func sources(_ plan: DecoderPlan, _ layout: Layout, _ checkpoint: Checkpoint) -> ModelSources {
        let prefix = checkpoint.prefix(["transformer.", ""], of: "word_embeddings.weight")
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)h.\(index)"
            let norms =
                layout.hasTwoNorms
                ? ["ln_attn", "ln_mlp"]
                : ["input_layernorm", layout.isParallel ? "input_layernorm" : "post_attention_layernorm"]
            return LayerSources(
                attentionNorm: NormSource("\(layer).\(norms[0]).weight"),
                queryKeyValue: queryKeyValue("\(layer).self_attention.query_key_value.weight", plan, layout),
                attentionOutput: ProjectionSource("\(layer).self_attention.dense.weight", plan.width),
                feedForwardNorm: NormSource("\(layer).\(norms[1]).weight"),
                feedForwardInput: ProjectionSource("\(layer).mlp.dense_h_to_4h.weight", plan.feedForward.width),
                feedForwardOutput: ProjectionSource("\(layer).mlp.dense_4h_to_h.weight", plan.width))
        }
        let embedding = "\(prefix)word_embeddings.weight"
        return ModelSources(
            embedding: embedding, finalNorm: NormSource("\(prefix)ln_f.weight"),
            head: plan.isHeadTied ? embedding : "lm_head.weight", layers: layers,
            ignored: plan.isHeadTied ? ["lm_head.weight"] : [])
    }

    private static func queryKeyValue(_ name: String, _ plan: DecoderPlan, _ layout: Layout) -> ProjectionSource {
        let heads = plan.heads
        // All queries, one key and one value are one group too.
        let groupCount = layout.isNewArchitecture || !layout.sharesKeys ? heads.keyCount : 1
        return .grouped(
            name, groupCount: groupCount, queries: heads.queryCount / groupCount * heads.width, keys: heads.width)
    }
}
