import Checkpoints
import Compute

/// GPT-J: attention and MLP side by side behind one LayerNorm, interleaved rotary positions on part of each head.
extension Family {
    static let gptj = Family(
        name: "gptj", modelTypes: ["gptj"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let plan = try GPTJ.plan(settings)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union([
                    "scale_attn_weights", "rotary", "summary_type", "summary_use_proj", "summary_activation",
                    "summary_proj_to_labels", "summary_first_dropout", "n_ctx",
                ]))
            return Architecture(plan: plan, sources: GPTJ.sources(plan, checkpoint))
        })
}

private enum GPTJ {
    static func plan(_ settings: Settings) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("n_embd", "hidden_size")
        let headCount = try settings.headCount("n_head", "num_attention_heads")
        let headWidth = max(1, width / headCount)
        let rotary = RotaryEmbedding(width: try settings.extent("rotary_dim"), base: 10000, layout: .interleaved)
        let layer = DecoderPlan.Layer(
            rotary: 0, attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        return DecoderPlan(
            family: "gptj",
            layers: Array(repeating: layer, count: try settings.layerCount("n_layer", "num_hidden_layers")),
            width: width, vocabularySize: try settings.extent("vocab_size"),
            maximumPositions: try settings.count("n_positions", "max_position_embeddings", otherwise: 2048),
            heads: AttentionHeads(queryCount: headCount, keyCount: headCount, width: headWidth),
            norm: .layer(epsilon: try settings.positiveFloat("layer_norm_epsilon", otherwise: 1e-5)),
            rotaries: [rotary], residual: .parallel,
            feedForward: DecoderPlan.FeedForward(
                try settings.activation("activation_function", otherwise: "gelu_new"), isGated: false,
                width: try settings.extent("n_inner", otherwise: 4 * width)),
            biases: [.feedForward, .head],
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: false))
    }

    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        let prefix = checkpoint.prefix(["transformer.", ""], of: "wte.weight")
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)h.\(index)"
            // One norm for both sublayers.
            let norm = NormSource("\(layer).ln_1.weight")
            return LayerSources(
                attentionNorm: norm,
                queryKeyValue: .stacked(["q", "k", "v"].map { ("\(layer).attn.\($0)_proj.weight", plan.width) }),
                attentionOutput: ProjectionSource("\(layer).attn.out_proj.weight", plan.width),
                feedForwardNorm: norm,
                feedForwardInput: ProjectionSource("\(layer).mlp.fc_in.weight", plan.feedForward.width),
                feedForwardOutput: ProjectionSource("\(layer).mlp.fc_out.weight", plan.width))
        }
        let masks = (0..<plan.layerCount).flatMap {
            ["\(prefix)h.\($0).attn.bias", "\(prefix)h.\($0).attn.masked_bias"]
        }
        return ModelSources(
            embedding: "\(prefix)wte.weight", finalNorm: NormSource("\(prefix)ln_f.weight"),
            head: plan.isHeadTied ? "\(prefix)wte.weight" : "lm_head.weight", headBias: "lm_head.bias", layers: layers,
            ignored: Set(masks + (plan.isHeadTied ? ["lm_head.weight"] : [])))
    }
}
