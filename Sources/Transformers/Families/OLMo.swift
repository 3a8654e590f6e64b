import Checkpoints
import Compute

/// OLMo: LLaMA with LayerNorms that have no weights, queries, keys and values bounded (Groeneveld et al. 2024).
extension Family {
    static let olmo = Family(
        name: "olmo", modelTypes: ["olmo"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "olmo", norm: .plainLayer(epsilon: 1e-5), hasAttentionBiasSetting: true)
            var plan = try standard.plan(settings)
            plan.queryKeyValueLimit = try settings.positiveFloatIfPresent("clip_qkv")
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["olmo"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            // llama.cpp's converter permutes the rows of Q and K into interleaved pairs.
            let standard = StandardGGUF(family: "olmo", normKind: .layer, rotaryLayout: .interleaved)
            var plan = try standard.plan(settings, checkpoint)
            plan.queryKeyValueLimit = try settings.positiveFloatIfPresent("olmo.attention.clamp_kqv")
            try settings.refuseUnread(prefix: "olmo.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

/// OLMo 2: norms behind the sublayers, and over all queries and all keys (OLMo Team 2024).
extension Family {
    static let olmo2 = Family(
        name: "olmo2", modelTypes: ["olmo2"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(family: "olmo2", hasAttentionBiasSetting: true)
            var plan = try standard.plan(settings)
            plan.norm.epsilon = try settings.positiveFloat("rms_norm_eps", otherwise: 1e-5)
            OLMo2.complete(&plan)
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            let sources = StandardDecoder.sources(plan, checkpoint) { layer, prefix in
                layer.attentionNorm = nil
                layer.attentionOutputNorm = NormSource("\(prefix).post_attention_layernorm.weight")
                layer.feedForwardNorm = nil
                layer.feedForwardOutputNorm = NormSource("\(prefix).post_feedforward_layernorm.weight")
            }
            return Architecture(plan: plan, sources: sources)
        },
        architectures: ["olmo2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "olmo2")
            var plan = try standard.plan(settings, checkpoint)
            OLMo2.complete(&plan)
            try settings.refuseUnread(prefix: "olmo2.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum OLMo2 {
    static func complete(_ plan: inout DecoderPlan) {
        plan.normPlacement = .after
        plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .projection)
    }
}
