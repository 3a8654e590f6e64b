import Checkpoints
import Compute

/// Command-R: attention and MLP side by side behind one LayerNorm without bias, interleaved rotary positions, scaled
/// logits.
extension Family {
    static let cohere = Family(
        name: "cohere", modelTypes: ["cohere"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            var plan = try Cohere.standard("cohere", rotaryBase: 10000).plan(settings)
            if try settings.flag("use_qk_norm", otherwise: false) {
                plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .headWithOwnWeights)
            }
            return try Cohere.complete(plan, settings, checkpoint)
        },
        architectures: ["command-r"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            var plan = try Cohere.standardGGUF("cohere").plan(settings, checkpoint)
            if checkpoint.contains("blk.0.attn_q_norm.weight") {
                plan.queryKeyNorm = DecoderPlan.QueryKeyNorm(norm: plan.norm, scope: .headWithOwnWeights)
            }
            return try Cohere.completeGGUF(plan, settings, "command-r")
        })
}

/// Command-R7B: three layers with a sliding window for each that sees all tokens and no positions.
extension Family {
    static let cohere2 = Family(
        name: "cohere2", modelTypes: ["cohere2"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            var plan = try Cohere.standard("cohere2", rotaryBase: 10000).plan(settings)
            let pattern = try settings.count("sliding_window_pattern", otherwise: 4)
            let silent = settings.isPresent("sliding_window") ? nil : 4096
            let window = try settings.countIfPresent("sliding_window") ?? silent
            Cohere.alternate(&plan, window, try settings.slidingLayers(plan) { !($0 + 1).isMultiple(of: pattern) })
            return try Cohere.complete(plan, settings, checkpoint)
        },
        architectures: ["cohere2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            var plan = try Cohere.standardGGUF("cohere2").plan(settings, checkpoint)
            let window = try settings.count("cohere2.attention.sliding_window")
            Cohere.alternate(&plan, window, plan.layers.indices.map { !($0 + 1).isMultiple(of: 4) })
            return try Cohere.completeGGUF(plan, settings, "cohere2")
        })
}

private enum Cohere {
    static func standard(_ family: String, rotaryBase: Double) -> StandardDecoder {
        StandardDecoder(
            family: family, norm: .layer(epsilonName: "layer_norm_eps", hasBias: false), maximumPositions: 8192,
            isTied: true, hasAttentionBiasSetting: true,
            rotary: RotaryDefaults(base: rotaryBase, layout: .interleaved))
    }

    static func standardGGUF(_ family: String) -> StandardGGUF {
        StandardGGUF(family: family, normKind: .layer, rotaryLayout: .interleaved)
    }

    /// Layers with a window are rotated, the others are not.
    static func alternate(_ plan: inout DecoderPlan, _ window: Int?, _ areSliding: [Bool]) {
        plan.setWindow(window, on: areSliding)
        for index in plan.layers.indices where !areSliding[index] { plan.layers[index].rotary = nil }
    }

    static func complete(
        _ plan: DecoderPlan, _ settings: Settings, _ checkpoint: Checkpoint
    ) throws(TransformerError) -> Architecture {
        var plan = plan
        plan.residual = .parallel
        plan.logitScale = try settings.positiveFloat("logit_scale", otherwise: 0.0625)
        try settings.requireWholeHeads(plan)
        try settings.require("use_parallel_block", equals: true)
        try settings.require("use_gated_activation", equals: true)
        try settings.require("position_embedding_type", equals: "rope_gptj")
        try settings.refuseUnread(
            harmless: Settings.harmlessKeys.union([
                "order_of_interleaved_layers", "rotary_pct", "use_embedding_sharing", "_sliding_window_pattern",
                "max_input_length",
            ]))
        let sources = StandardDecoder.sources(plan, checkpoint) { layer, _ in
            layer.feedForwardNorm = layer.attentionNorm
        }
        return Architecture(plan: plan, sources: sources)
    }

    static func completeGGUF(
        _ plan: DecoderPlan, _ settings: Settings, _ name: String
    ) throws(TransformerError) -> Architecture {
        var plan = plan
        plan.residual = .parallel
        plan.logitScale = try settings.positiveFloat("\(name).logit_scale")
        try settings.refuseUnread(prefix: "\(name).")
        let sources = standardGGUF(plan.family).sources(plan) { layer, _ in layer.feedForwardNorm = layer.attentionNorm
        }
        return Architecture(plan: plan, sources: sources)
    }
}
