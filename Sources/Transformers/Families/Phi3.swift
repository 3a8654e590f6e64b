import Checkpoints
import Compute

/// Phi-3, Phi-3.5 and Phi-4: LLaMA with its projections fused, and divisors of its frequencies that reach further
/// (Abdin et al. 2024).
extension Family {
    static let phi3 = Family(
        name: "phi3", modelTypes: ["phi3"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "phi3", maximumPositions: 4096,
                rotary: RotaryDefaults(
                    aliases: ["su": "longrope", "yarn": "longrope"], scalings: ["longrope"]))
            var plan = try standard.plan(settings)
            plan.norm.epsilon = try settings.positiveFloat("rms_norm_eps", otherwise: 1e-5)
            plan.setWindow(try settings.countIfPresent("sliding_window"))
            for name in ["attention_bias", "mlp_bias", "lm_head_bias"] { try settings.require(name, equals: false) }
            // Phi-4-mini has them, and transformers reads past them.
            for name in ["full_attn_mod", "interpolate_factor"] { try settings.require(name, equals: 1) }
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union(["original_max_position_embeddings"]))
            return Architecture(plan: plan, sources: Phi3.sources(plan, checkpoint))
        },
        architectures: ["phi3"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "phi3", hasFusedAttention: true, hasFusedFeedForward: true)
            var plan = try standard.plan(settings, checkpoint)
            plan.setWindow(try settings.windowIfPresent("phi3.attention.sliding_window"))
            try settings.refuseUnread(prefix: "phi3.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum Phi3 {
    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        let rows = (plan.heads.queryCount + 2 * plan.heads.keyCount) * plan.heads.width
        return StandardDecoder.sources(plan, checkpoint) { layer, prefix in
            layer.queryKeyValue = ProjectionSource("\(prefix).self_attn.qkv_proj.weight", rows)
            layer.feedForwardInput = ProjectionSource("\(prefix).mlp.gate_up_proj.weight", 2 * plan.feedForward.width)
        }
    }
}
