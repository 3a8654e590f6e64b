import Checkpoints
import Compute

/// Gemma: norms by 1 + weight, embeddings times the root of the width, heads of their own width (Gemma Team 2024).
extension Family {
    static let gemma = Family(
        name: "gemma", modelTypes: ["gemma"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "gemma", norm: .rootMeanSquareFromOne, keyHeadCount: 16, hasKeyHeadDefault: true,
                headWidth: 256, maximumPositions: 8192, isTied: true, activation: "gelu_pytorch_tanh",
                hasAttentionBiasSetting: true)
            var plan = try standard.plan(settings)
            // Files of the first release say gelu and mean its tanh form.
            if plan.feedForward.activation == .gelu { plan.feedForward.activation = .geluTanh }
            try settings.require("hidden_activation", oneOf: ["gelu_pytorch_tanh", "gelu"])
            try Gemma.complete(&plan, settings)
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["gemma"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "gemma", activation: .geluTanh)
            var plan = try standard.plan(settings, checkpoint)
            plan.embedding.scale = Float(plan.width).squareRoot()
            try settings.refuseUnread(prefix: "gemma.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

/// Gemma 2: norms on both sides of each sublayer, soft caps, every other layer with a sliding window (Gemma Team 2024).
extension Family {
    static let gemma2 = Family(
        name: "gemma2", modelTypes: ["gemma2"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "gemma2", norm: .rootMeanSquareFromOne, keyHeadCount: 4, hasKeyHeadDefault: true,
                headWidth: 256, maximumPositions: 8192, isTied: true, activation: "gelu_pytorch_tanh",
                activationName: "hidden_activation", hasAttentionBiasSetting: true)
            var plan = try standard.plan(settings)
            let attentionCap = try settings.capOrDefault("attn_logit_softcapping", 50)
            plan.logitSoftCap = try settings.capOrDefault("final_logit_softcapping", 30)
            let scale = 1 / Float(try settings.positive("query_pre_attn_scalar", otherwise: 256)).squareRoot()
            let silent = settings.isPresent("sliding_window") ? nil : 4096
            let window = try settings.countIfPresent("sliding_window") ?? silent
            plan.setWindow(window, on: try settings.slidingLayers(plan) { $0.isMultiple(of: 2) })
            // Published files say it twice; transformers reads past the second.
            if let window { try settings.require("sliding_window_size", equals: .integer(window)) }
            for index in plan.layers.indices {
                plan.layers[index].attention.scale = scale
                plan.layers[index].attention.softCap = attentionCap
            }
            plan.normPlacement = .beforeAndAfter
            try Gemma.complete(&plan, settings)
            return Architecture(plan: plan, sources: Gemma.sources(plan, checkpoint))
        },
        architectures: ["gemma2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "gemma2", activation: .geluTanh)
            var plan = try standard.plan(settings, checkpoint)
            plan.embedding.scale = Float(plan.width).squareRoot()
            plan.normPlacement = .beforeAndAfter
            plan.logitSoftCap = try settings.positiveFloat("gemma2.final_logit_softcapping", otherwise: 30)
            let cap = try settings.positiveFloat("gemma2.attn_logit_softcapping", otherwise: 50)
            // The 27B model, of 46 layers, divides by the width of its heads' share of the stream.
            let scalar = plan.layerCount == 46 ? plan.width / plan.heads.queryCount : plan.heads.width
            for index in plan.layers.indices {
                plan.layers[index].attention.softCap = cap
                plan.layers[index].attention.scale = 1 / Float(scalar).squareRoot()
            }
            let window = try settings.count("gemma2.attention.sliding_window", otherwise: 4096)
            plan.setWindow(window, on: plan.layers.indices.map { $0.isMultiple(of: 2) })
            try settings.refuseUnread(prefix: "gemma2.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

/// Gemma 3: norms of queries and keys, five layers with a sliding window and a base of their own for each that sees all
/// (Gemma Team 2025).
extension Family {
    static let gemma3 = Family(
        name: "gemma3", modelTypes: ["gemma3_text"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "gemma3", norm: .rootMeanSquareFromOne, keyHeadCount: 4, hasKeyHeadDefault: true,
                headWidth: 256, maximumPositions: 131072, isTied: true, activation: "gelu_pytorch_tanh",
                activationName: "hidden_activation", hasAttentionBiasSetting: true, rotary: nil)
            var plan = try standard.plan(settings)
            plan.rotaries = try Gemma.rotaries(plan, settings)
            let pattern = try settings.count("sliding_window_pattern", otherwise: 6)
            let silent = settings.isPresent("sliding_window") ? nil : 4096
            let window = try settings.countIfPresent("sliding_window") ?? silent
            let scale = 1 / Float(try settings.positive("query_pre_attn_scalar", otherwise: 256)).squareRoot()
            let areSliding = try settings.slidingLayers(plan) { !($0 + 1).isMultiple(of: pattern) }
            for (index, isSliding) in areSliding.enumerated() {
                plan.layers[index] = DecoderPlan.Layer(
                    rotary: isSliding ? 1 : 0,
                    attention: AttentionRule(scale: scale, window: isSliding ? window : nil))
            }
            plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .head)
            plan.normPlacement = .beforeAndAfter
            plan.logitSoftCap = try settings.positiveFloatIfPresent("final_logit_softcapping")
            try settings.requireAbsent("attn_logit_softcapping")
            try Gemma.complete(&plan, settings)
            return Architecture(plan: plan, sources: Gemma.sources(plan, checkpoint))
        },
        architectures: ["gemma3"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "gemma3", activation: .geluTanh)
            var plan = try standard.plan(settings, checkpoint)
            plan.embedding.scale = Float(plan.width).squareRoot()
            plan.normPlacement = .beforeAndAfter
            plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .head)
            let base = try settings.positive("gemma3.rope.freq_base_swa", otherwise: 10000)
            plan.rotaries.append(RotaryEmbedding(width: plan.rotaries[0].width, base: base, layout: .halves))
            let window = try settings.countIfPresent("gemma3.attention.sliding_window")
            for index in plan.layers.indices where !(index + 1).isMultiple(of: 6) {
                plan.layers[index].rotary = 1
                plan.layers[index].attention.window = window
            }
            // The 27B model, of 62 layers, divides by the width of its heads' share of the stream.
            if plan.layerCount == 62 {
                let scale = 1 / Float(plan.width / plan.heads.queryCount).squareRoot()
                for index in plan.layers.indices { plan.layers[index].attention.scale = scale }
            }
            plan.logitSoftCap = try settings.positiveFloatIfPresent("gemma3.final_logit_softcapping")
            try settings.refuseUnread(prefix: "gemma3.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum Gemma {
    /// What all three have.
    static func complete(_ plan: inout DecoderPlan, _ settings: Settings) throws(TransformerError) {
        // A model of 16 bits rounds the factor in Hugging Face's code; in float32 it is this.
        plan.embedding.scale = Float(plan.width).squareRoot()
        try settings.require("use_bidirectional_attention", equals: false)
        try settings.requireWholeHeads(plan)
        try settings.refuseUnread(
            harmless: Settings.harmlessKeys.union(["hidden_act", "_sliding_window_pattern"]))
    }

    /// Of the layers that see all tokens, and of those with a window, which are never scaled.
    static func rotaries(
        _ plan: DecoderPlan, _ settings: Settings
    ) throws(TransformerError) -> [RotaryEmbedding] {
        let (width, positions) = (plan.heads.width, plan.maximumPositions)
        let (full, local) = (RotaryDefaults(base: 1_000_000), RotaryDefaults(scalings: []))
        let nested = (
            try settings.nestedRotary("full_attention", headWidth: width, positions: positions, full),
            try settings.nestedRotary("sliding_attention", headWidth: width, positions: positions, local)
        )
        let localBase = try settings.positive("rope_local_base_freq", otherwise: 10000)
        guard let fullRotary = nested.0, let localRotary = nested.1 else {
            return [
                try settings.rotary(headWidth: width, positions: positions, full),
                RotaryEmbedding(width: width, base: localBase, layout: .halves),
            ]
        }
        for (key, base) in [("rope_theta", fullRotary.base), ("rope_local_base_freq", localRotary.base)] {
            guard let beside = try settings.json(key)?.number, beside != base else { continue }
            throw settings.problem(key, "contradicts rope_parameters")
        }
        _ = try settings.json("rope_scaling")
        return [fullRotary, localRotary]
    }

    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        StandardDecoder.sources(plan, checkpoint) { layer, prefix in
            layer.attentionOutputNorm = NormSource("\(prefix).post_attention_layernorm.weight")
            layer.feedForwardNorm = NormSource("\(prefix).pre_feedforward_layernorm.weight")
            layer.feedForwardOutputNorm = NormSource("\(prefix).post_feedforward_layernorm.weight")
        }
    }
}

extension Settings {
    /// A soft cap; null means none, and silence the default.
    func capOrDefault(_ key: String, _ silent: Float) throws(TransformerError) -> Float? {
        isPresent(key) ? try positiveFloatIfPresent(key) : silent
    }
}
