import Checkpoints
import Compute

/// Qwen2 and Qwen2.5: LLaMA with biases on queries, keys and values (Yang et al. 2024).
extension Family {
    static let qwen2 = Family(
        name: "qwen2", modelTypes: ["qwen2"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "qwen2", keyHeadCount: 32, hasKeyHeadDefault: true, maximumPositions: 32768,
                biases: .queryKeyValue)
            var plan = try standard.plan(settings)
            try Qwen.setWindow(&plan, settings)
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(harmless: Settings.harmlessKeys.union(Qwen.harmlessKeys))
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["qwen2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "qwen2")
            let plan = try standard.plan(settings, checkpoint)
            try settings.refuseUnread(prefix: "qwen2.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

/// Qwen3: LLaMA with a norm on the queries and keys of each head (Yang et al. 2025).
extension Family {
    static let qwen3 = Family(
        name: "qwen3", modelTypes: ["qwen3"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "qwen3", keyHeadCount: 32, hasKeyHeadDefault: true, headWidth: 128, maximumPositions: 32768,
                hasAttentionBiasSetting: true)
            var plan = try standard.plan(settings)
            plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .head)
            try Qwen.setWindow(&plan, settings)
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(harmless: Settings.harmlessKeys.union(Qwen.harmlessKeys))
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["qwen3"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "qwen3")
            var plan = try standard.plan(settings, checkpoint)
            plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .head)
            try settings.refuseUnread(prefix: "qwen3.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum Qwen {
    /// A window on the layers from `max_window_layers`, or on those that `layer_types` names, where it is used at all.
    static func setWindow(_ plan: inout DecoderPlan, _ settings: Settings) throws(TransformerError) {
        let isUsed = try settings.flag("use_sliding_window", otherwise: false)
        let silent = settings.isPresent("sliding_window") ? nil : 4096
        let window = try settings.countIfPresent("sliding_window") ?? silent
        let first = try settings.number("max_window_layers", otherwise: 28)
        let isWindowed = isUsed && window != nil
        let areSliding = try settings.slidingLayers(plan) { isWindowed && Double($0) >= first }
        guard isWindowed || !areSliding.contains(true) else {
            throw settings.problem("layer_types", "names sliding layers, and no sliding window is used")
        }
        plan.setWindow(window, on: areSliding)
    }

    static let harmlessKeys: Set<String> = ["use_mrope"]
}
