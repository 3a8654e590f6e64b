import Checkpoints
import Compute

/// GPT-NeoX and Pythia: attention and MLP side by side, each behind a LayerNorm of its own, rotary positions on part of
/// each head (Black et al. 2022; Biderman et al. 2023).
extension Family {
    static let gptNeoX = Family(
        name: "gpt_neox", modelTypes: ["gpt_neox"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "gpt_neox", norm: .layer(epsilonName: "layer_norm_eps", hasBias: true), activation: "gelu",
                isGated: false, biases: .feedForward,
                rotary: RotaryDefaults(
                    fraction: 0.25, baseNames: ["rotary_emb_base", "rope_theta"],
                    fractionNames: ["rotary_pct", "partial_rotary_factor"]))
            var plan = try standard.plan(settings)
            if try settings.flag("attention_bias", otherwise: true) { plan.biases.formUnion(.attention) }
            if try settings.flag("use_parallel_residual", otherwise: true) { plan.residual = .parallel }
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: GPTNeoX.sources(plan, checkpoint))
        },
        architectures: ["gptneox"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "gpt_neox", normKind: .layer, activation: .gelu, isGated: false, hasFusedAttention: true)
            var plan = try standard.plan(settings, checkpoint)
            if try settings.flag("gptneox.use_parallel_residual", otherwise: true) { plan.residual = .parallel }
            try settings.refuseUnread(prefix: "gptneox.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum GPTNeoX {
    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        let prefix = checkpoint.prefix(["gpt_neox.", ""], of: "embed_in.weight")
        let width = plan.heads.width
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)layers.\(index)"
            return LayerSources(
                attentionNorm: NormSource("\(layer).input_layernorm.weight"),
                queryKeyValue: .grouped(
                    "\(layer).attention.query_key_value.weight", groupCount: plan.heads.queryCount, queries: width,
                    keys: width),
                attentionOutput: ProjectionSource("\(layer).attention.dense.weight", plan.width),
                feedForwardNorm: NormSource("\(layer).post_attention_layernorm.weight"),
                feedForwardInput: ProjectionSource("\(layer).mlp.dense_h_to_4h.weight", plan.feedForward.width),
                feedForwardOutput: ProjectionSource("\(layer).mlp.dense_4h_to_h.weight", plan.width))
        }
        let buffers = (0..<plan.layerCount).flatMap { index in
            ["bias", "masked_bias", "rotary_emb.inv_freq"].map { "\(prefix)layers.\(index).attention.\($0)" }
        }
        let embedding = "\(prefix)embed_in.weight"
        let head = checkpoint.prefix(["embed_out", "lm_head"], of: ".weight") + ".weight"
        return ModelSources(
            embedding: embedding, finalNorm: NormSource("\(prefix)final_layer_norm.weight"),
            head: plan.isHeadTied ? embedding : head, layers: layers,
            ignored: Set(buffers + (plan.isHeadTied ? [head] : [])))
    }
}
