import Checkpoints
import Compute

/// OPT: learned positions and LayerNorm before each sublayer; OPT-350m has its norms behind the residual sums, and a
/// narrower embedding table (Zhang et al. 2022).
extension Family {
    static let opt = Family(
        name: "opt", modelTypes: ["opt"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let plan = try OPT.plan(settings)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union(["init_std", "output_projection"]))
            return Architecture(plan: plan, sources: OPT.sources(plan, checkpoint))
        })
}

private enum OPT {
    static func plan(_ settings: Settings) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("hidden_size")
        let headCount = try settings.headCount("num_attention_heads")
        let headWidth = max(1, width / headCount)
        let isNormBefore = try settings.flag("do_layer_norm_before", otherwise: true)
        var norm = DecoderPlan.Norm.layer(epsilon: 1e-5)
        if try !settings.flag("layer_norm_elementwise_affine", otherwise: true) {
            (norm.hasWeight, norm.hasBias) = (false, false)
        }
        let removesFinalNorm = try settings.flag("_remove_final_layer_norm", otherwise: false)
        let hasBiases = try settings.flag("enable_bias", otherwise: true)
        let layer = DecoderPlan.Layer(
            rotary: nil, attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        var plan = DecoderPlan(
            family: "opt", layers: Array(repeating: layer, count: try settings.layerCount("num_hidden_layers")),
            width: width, vocabularySize: try settings.extent("vocab_size"),
            maximumPositions: try settings.extent("max_position_embeddings", otherwise: 2048),
            heads: AttentionHeads(queryCount: headCount, keyCount: headCount, width: headWidth), norm: norm,
            normPlacement: isNormBefore ? .before : .afterResidual,
            hasFinalNorm: isNormBefore && !removesFinalNorm,
            feedForward: DecoderPlan.FeedForward(
                try settings.activation("activation_function", otherwise: "relu"), isGated: false,
                width: try settings.extent("ffn_dim")),
            biases: hasBiases ? [.attention, .feedForward] : [],
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: true))
        // The table's first two rows are no positions.
        plan.embedding.learnedPositionOffset = 2
        let tableWidth = try settings.extent("word_embed_proj_dim", otherwise: width)
        plan.embedding.projectedWidth = tableWidth == width ? nil : tableWidth
        return plan
    }

    static func sources(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> ModelSources {
        let prefix = checkpoint.prefix(["model.decoder.", "decoder.", ""], of: "embed_tokens.weight")
        let isNormBefore = plan.normPlacement == .before
        let layers = (0..<plan.layerCount).map { index in
            let layer = "\(prefix)layers.\(index)"
            let attentionNorm = NormSource("\(layer).self_attn_layer_norm.weight")
            let feedForwardNorm = NormSource("\(layer).final_layer_norm.weight")
            return LayerSources(
                attentionNorm: isNormBefore ? attentionNorm : nil,
                attentionOutputNorm: isNormBefore ? nil : attentionNorm,
                queryKeyValue: .stacked(["q", "k", "v"].map { ("\(layer).self_attn.\($0)_proj.weight", plan.width) }),
                attentionOutput: ProjectionSource("\(layer).self_attn.out_proj.weight", plan.width),
                feedForwardNorm: isNormBefore ? feedForwardNorm : nil,
                feedForwardOutputNorm: isNormBefore ? nil : feedForwardNorm,
                feedForwardInput: ProjectionSource("\(layer).fc1.weight", plan.feedForward.width),
                feedForwardOutput: ProjectionSource("\(layer).fc2.weight", plan.width))
        }
        let embedding = "\(prefix)embed_tokens.weight"
        let isProjected = plan.embedding.projectedWidth != nil
        return ModelSources(
            embedding: embedding, embeddingProjection: isProjected ? "\(prefix)project_in.weight" : nil,
            headProjection: isProjected ? "\(prefix)project_out.weight" : nil,
            positions: "\(prefix)embed_positions.weight",
            finalNorm: plan.hasFinalNorm ? NormSource("\(prefix)final_layer_norm.weight") : nil,
            head: plan.isHeadTied ? embedding : "lm_head.weight", layers: layers,
            ignored: plan.isHeadTied ? ["lm_head.weight"] : [])
    }
}
