import Checkpoints
import Compute

/// Nemotron and Minitron: LayerNorms by 1 + weight, a plain MLP with the square of ReLU, rotary positions on part of each
/// head (Parmar et al. 2024).
extension Family {
    static let nemotron = Family(
        name: "nemotron", modelTypes: ["nemotron"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "nemotron", norm: .layer(epsilonName: "norm_eps", hasBias: true), maximumPositions: 4096,
                activation: "relu2", isGated: false, hasAttentionBiasSetting: true, hasFeedForwardBiasSetting: true,
                rotary: RotaryDefaults(
                    fraction: 0.5, fractionNames: ["partial_rotary_factor", "rope_percent", "rope_percentage"]))
            var plan = try standard.plan(settings)
            plan.norm.weightOffset = 1
            // Minitron's files say so; transformers takes the width of the stream over the number of heads.
            try settings.require("kv_channels", equals: .integer(plan.heads.width))
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["nemotron"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            // Its files have the 1 in the norms' weights.
            let standard = StandardGGUF(
                family: "nemotron", normKind: .layer, activation: .reluSquared, isGated: false)
            let plan = try standard.plan(settings, checkpoint)
            // The converter writes the epsilon under both names.
            try settings.refuseUnread(
                prefix: "nemotron.", harmless: ["nemotron.attention.layer_norm_rms_epsilon"])
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}
