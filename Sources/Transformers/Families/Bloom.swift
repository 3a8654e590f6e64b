import Checkpoints
import Compute
import Glibc

/// BLOOM: ALiBi in the place of positions, a LayerNorm behind the embeddings (BigScience 2022).
extension Family {
    static let bloom = Family(
        name: "bloom", modelTypes: ["bloom"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let plan = try Bloom.plan(settings)
            try settings.require("apply_residual_connection_post_layernorm", equals: false)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union([
                    "slow_but_exact", "offset_alibi", "skip_bias_add", "skip_bias_add_qkv", "attention_softmax_in_fp32",
                    "bias_dropout_fusion", "masked_softmax_fusion", "seq_length", "multi_query",
                ]))
            return Architecture(plan: plan, sources: Bloom.sources(plan, checkpoint))
        },
        architectures: ["bloom"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "bloom", normKind: .layer, activation: .geluTanh, isGated: false, rotaryLayout: nil,
                hasFusedAttention: true)
            var plan = try standard.plan(settings, checkpoint)
            plan.embedding.norm = plan.norm
            plan.setALiBi(largestExponent: 8)
            try settings.refuseUnread(prefix: "bloom.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum Bloom {
    static func plan(_ settings: Settings) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("hidden_size", "n_embed", "n_embd")
        let headCount = try settings.headCount("n_head", "num_attention_heads")
        let headWidth = max(1, width / headCount)
        let layer = DecoderPlan.Layer(
            rotary: nil, attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        let norm = DecoderPlan.Norm.layer(epsilon: try settings.positiveFloat("layer_norm_epsilon", otherwise: 1e-5))
        var plan = DecoderPlan(
            family: "bloom",
            layers: Array(repeating: layer, count: try settings.layerCount("n_layer", "num_hidden_layers")),
            width: width, vocabularySize: try settings.extent("vocab_size"), maximumPositions: 1 << 20,
            heads: AttentionHeads(queryCount: headCount, keyCount: headCount, width: headWidth), norm: norm,
            feedForward: DecoderPlan.FeedForward(.geluTanh, isGated: false, width: 4 * width),
            biases: [.attention, .feedForward],
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: true))
        plan.embedding.norm = norm
        plan.setALiBi(largestExponent: 8)
        return plan
    }

    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        let prefix = checkpoint.prefix(["transformer.", ""], of: "word_embeddings.weight")
        let width = plan.heads.width
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)h.\(index)"
            return LayerSources(
                attentionNorm: NormSource("\(layer).input_layernorm.weight"),
                queryKeyValue: .grouped(
                    "\(layer).self_attention.query_key_value.weight", groupCount: plan.heads.queryCount, queries: width,
                    keys: width),
                attentionOutput: ProjectionSource("\(layer).self_attention.dense.weight", plan.width),
                feedForwardNorm: NormSource("\(layer).post_attention_layernorm.weight"),
                feedForwardInput: ProjectionSource("\(layer).mlp.dense_h_to_4h.weight", plan.feedForward.width),
                feedForwardOutput: ProjectionSource("\(layer).mlp.dense_4h_to_h.weight", plan.width))
        }
        let embedding = "\(prefix)word_embeddings.weight"
        return ModelSources(
            embedding: embedding, embeddingNorm: NormSource("\(prefix)word_embeddings_layernorm.weight"),
            finalNorm: NormSource("\(prefix)ln_f.weight"), head: plan.isHeadTied ? embedding : "lm_head.weight",
            layers: layers, ignored: plan.isHeadTied ? ["lm_head.weight"] : [])
    }
}

extension DecoderPlan {
    /// Gives all layers the slopes of ALiBi (Press et al. 2022): 2^(-m·k/P) for k = 1…P, P the largest power of two that is
    /// not above the number of heads and m the largest exponent, and every second of those for 2·P where heads are left.
    mutating func setALiBi(largestExponent: Double) {
        var power = 1
        while 2 * power <= heads.queryCount { power *= 2 }
        func slope(_ k: Int, of count: Int) -> Float { Float(exp2(-largestExponent * Double(k) / Double(count))) }
        let slopes =
            (1...power).map { slope($0, of: power) }
            + (0..<heads.queryCount - power).map { slope(2 * $0 + 1, of: 2 * power) }
        for index in layers.indices { layers[index].attention.slopes = slopes }
    }
}
