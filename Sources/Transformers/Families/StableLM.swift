import Checkpoints
import Compute

/// StableLM and StableLM 2: LLaMA with LayerNorms and rotary positions on part of each head (Bellagente et al. 2024).
extension Family {
    static let stableLM = Family(
        name: "stablelm", modelTypes: ["stablelm"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "stablelm", norm: .layer(epsilonName: "layer_norm_eps", hasBias: true), keyHeadCount: 32,
                hasKeyHeadDefault: true, maximumPositions: 4096, rotary: RotaryDefaults(fraction: 0.25))
            var plan = try standard.plan(settings)
            if try settings.flag("use_qkv_bias", otherwise: false) { plan.biases.insert(.queryKeyValue) }
            if try settings.flag("use_parallel_residual", otherwise: false) { plan.residual = .parallel }
            if try settings.flag("qk_layernorm", otherwise: false) {
                let norm = DecoderPlan.Norm.layer(epsilon: plan.norm.epsilon, hasBias: false)
                plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: norm, scope: .headWithOwnWeights)
            }
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: StableLM.sources(plan, checkpoint))
        },
        architectures: ["stablelm"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "stablelm", normKind: .layer)
            var plan = try standard.plan(settings, checkpoint)
            if checkpoint.contains("blk.0.attn_q_norm.weight") {
                let norm = DecoderPlan.Norm.layer(epsilon: plan.norm.epsilon, hasBias: false)
                plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: norm, scope: .headWithOwnWeights)
            }
            let isNormShared = !checkpoint.contains("blk.0.ffn_norm.weight")
            if try settings.flag("stablelm.use_parallel_residual", otherwise: isNormShared) {
                plan.residual = .parallel
            }
            try settings.refuseUnread(prefix: "stablelm.")
            let isParallel = plan.residual == .parallel
            return Architecture(
                plan: plan,
                sources: standard.sources(plan) { layer, _ in
                    if isParallel { layer.feedForwardNorm = layer.attentionNorm }
                })
        })
}

private enum StableLM {
    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        StandardDecoder.sources(plan, checkpoint) { layer, prefix in
            if plan.residual == .parallel { layer.feedForwardNorm = layer.attentionNorm }
            guard plan.queryKeyNorm != nil else { return }
            layer.queryNorm = norms("\(prefix).self_attn.q_layernorm", plan.heads.queryCount)
            layer.keyNorm = norms("\(prefix).self_attn.k_layernorm", plan.heads.keyCount)
        }
    }

    private static func norms(_ prefix: String, _ headCount: Int) -> [NormSource] {
        (0..<headCount).map { NormSource("\(prefix).norms.\($0).weight") }
    }
}
