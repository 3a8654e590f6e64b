import Checkpoints
import Compute

/// Phi-1, Phi-1.5 and Phi-2: attention and MLP side by side behind one LayerNorm, rotary positions on part of each head,
/// biases everywhere (Li et al. 2023).
extension Family {
    static let phi = Family(
        name: "phi", modelTypes: ["phi"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "phi", norm: .layer(epsilonName: "layer_norm_eps", hasBias: true), activation: "gelu_new",
                isGated: false, biases: [.attention, .feedForward, .head], rotary: RotaryDefaults(fraction: 0.5))
            var plan = try standard.plan(settings)
            plan.residual = .parallel
            if try settings.flag("qk_layernorm", otherwise: false) {
                plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .head)
            }
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: Phi.sources(plan, checkpoint))
        },
        architectures: ["phi2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            var standard = StandardGGUF(
                family: "phi", normKind: .layer, activation: .geluTanh, isGated: false)
            standard.hasFusedAttention = checkpoint.contains("blk.0.attn_qkv.weight")
            var plan = try standard.plan(settings, checkpoint)
            plan.residual = .parallel
            try settings.refuseUnread(prefix: "phi2.")
            let sources = standard.sources(plan) { layer, _ in layer.feedForwardNorm = layer.attentionNorm }
            return Architecture(plan: plan, sources: sources)
        })
}

private enum Phi {
    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        var sources = StandardDecoder.sources(plan, checkpoint) { layer, prefix in
            layer.feedForwardNorm = layer.attentionNorm
            layer.attentionOutput = ProjectionSource("\(prefix).self_attn.dense.weight", plan.width)
            layer.feedForwardInput = ProjectionSource("\(prefix).mlp.fc1.weight", plan.feedForward.width)
            layer.feedForwardOutput = ProjectionSource("\(prefix).mlp.fc2.weight", plan.width)
            guard plan.queryKeyNorm != nil else { return }
            layer.queryNorm = [NormSource("\(prefix).self_attn.q_layernorm.weight")]
            layer.keyNorm = [NormSource("\(prefix).self_attn.k_layernorm.weight")]
        }
        let prefix = checkpoint.prefix(["model.", ""], of: "embed_tokens.weight")
        sources.finalNorm = NormSource("\(prefix)final_layernorm.weight")
        sources.headBias = "lm_head.bias"
        return sources
    }
}
