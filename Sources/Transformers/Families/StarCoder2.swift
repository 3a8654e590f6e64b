import Checkpoints
import Compute

/// StarCoder2: LLaMA with LayerNorms, a plain MLP and biases (Lozhkov et al. 2024).
extension Family {
    static let starCoder2 = Family(
        name: "starcoder2", modelTypes: ["starcoder2"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let hasBiases = try settings.flag("use_bias", otherwise: true)
            let standard = StandardDecoder(
                family: "starcoder2", norm: .layer(epsilonName: "norm_epsilon", hasBias: true), keyHeadCount: 2,
                hasKeyHeadDefault: true, maximumPositions: 4096, isTied: true, activation: "gelu_pytorch_tanh",
                isGated: false, biases: hasBiases ? [.attention, .feedForward] : [])
            var plan = try standard.plan(settings)
            plan.setWindow(try settings.countIfPresent("sliding_window"))
            try settings.require("norm_type", equals: "layer_norm")
            try settings.require("mlp_type", equals: "default")
            try settings.requireWholeHeads(plan)
            // Published files have an activation and an epsilon by older names, too, which transformers reads past.
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union(["activation_function", "layer_norm_epsilon"]))
            let sources = StandardDecoder.sources(plan, checkpoint) { layer, prefix in
                layer.feedForwardInput = ProjectionSource("\(prefix).mlp.c_fc.weight", plan.feedForward.width)
                layer.feedForwardOutput = ProjectionSource("\(prefix).mlp.c_proj.weight", plan.width)
            }
            return Architecture(plan: plan, sources: sources)
        },
        architectures: ["starcoder2"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(
                family: "starcoder2", normKind: .layer, activation: .geluTanh, isGated: false)
            var plan = try standard.plan(settings, checkpoint)
            plan.setWindow(try settings.countIfPresent("starcoder2.attention.sliding_window"))
            try settings.refuseUnread(prefix: "starcoder2.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}
