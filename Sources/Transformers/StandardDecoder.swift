import Checkpoints
import Compute

/// The settings and names of Hugging Face's LLaMA, which most later families share; each says in what it differs.
struct StandardDecoder {
    var family: String
    var norm = NormStyle.rootMeanSquare
    /// Where the settings are silent; nil: as many as there are queries.
    var keyHeadCount: Int?
    var hasKeyHeadDefault = false
    /// Where the settings are silent; nil: the stream's width shared by the heads.
    var headWidth: Int?
    var maximumPositions = 2048
    var isTied = false
    var activation = "silu"
    var activationName = "hidden_act"
    var isGated = true
    /// Biases that the settings do not name.
    var biases: DecoderPlan.Biases = []
    /// `attention_bias` and `mlp_bias`, where the family has them.
    var hasAttentionBiasSetting = false
    var hasFeedForwardBiasSetting = false
    /// nil for a family that reads its own.
    var rotary: RotaryDefaults? = RotaryDefaults()

    enum NormStyle {
        /// `rms_norm_eps`.
        case rootMeanSquare
        /// RMSNorm by 1 + weight.
        case rootMeanSquareFromOne
        /// `layer_norm_eps`, with biases or without.
        case layer(epsilonName: String, hasBias: Bool)
        /// Without weights, and with this epsilon.
        case plainLayer(epsilon: Float)
    }

    /// The plan of the shared settings. All layers are alike and see all tokens before.
    func plan(_ settings: Settings) throws(TransformerError) -> DecoderPlan {
        let width = try settings.extent("hidden_size")
        let queryCount = try settings.headCount("num_attention_heads")
        let silent = hasKeyHeadDefault && !settings.isPresent("num_key_value_heads") ? keyHeadCount : queryCount
        let keyCount = try settings.headCount("num_key_value_heads", otherwise: silent)
        let headWidth = try settings.extent("head_dim", otherwise: headWidth ?? max(1, width / queryCount))
        let positions = try settings.count("max_position_embeddings", otherwise: maximumPositions)
        var rotaries: [RotaryEmbedding] = []
        if let rotary { rotaries = [try settings.rotary(headWidth: headWidth, positions: positions, rotary)] }
        var biases = biases
        if hasAttentionBiasSetting, try settings.flag("attention_bias", otherwise: false) {
            biases.formUnion(.attention)
        }
        if hasFeedForwardBiasSetting, try settings.flag("mlp_bias", otherwise: false) {
            biases.formUnion(.feedForward)
        }
        let layer = DecoderPlan.Layer(
            rotary: rotaries.isEmpty ? nil : 0,
            attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        return DecoderPlan(
            family: family,
            layers: Array(repeating: layer, count: try settings.layerCount("num_hidden_layers")), width: width,
            vocabularySize: try settings.extent("vocab_size"),
            maximumPositions: rotaries.first?.reach(positions) ?? positions,
            heads: AttentionHeads(queryCount: queryCount, keyCount: keyCount, width: headWidth),
            norm: try norm(settings), rotaries: rotaries,
            feedForward: DecoderPlan.FeedForward(
                try settings.activation(activationName, otherwise: activation), isGated: isGated,
                width: try settings.extent("intermediate_size")),
            biases: biases, isHeadTied: try settings.flag("tie_word_embeddings", otherwise: isTied))
    }

    private func norm(_ settings: Settings) throws(TransformerError) -> DecoderPlan.Norm {
        switch norm {
        case .rootMeanSquare: .rootMeanSquare(epsilon: try settings.positiveFloat("rms_norm_eps", otherwise: 1e-6))
        case .rootMeanSquareFromOne:
            .rootMeanSquare(epsilon: try settings.positiveFloat("rms_norm_eps", otherwise: 1e-6), weightOffset: 1)
        case .layer(let name, let hasBias):
            .layer(epsilon: try settings.positiveFloat(name, otherwise: 1e-5), hasBias: hasBias)
        case .plainLayer(let epsilon): DecoderPlan.Norm(kind: .layer, epsilon: epsilon, hasWeight: false)
        }
    }
}

extension RotaryEmbedding {
    /// The longest sequence, given the positions of the settings: a base that grows is for longer ones.
    func reach(_ positions: Int) -> Int {
        if case .dynamic = scaling { max(positions, 1 << 20) } else { positions }
    }
}

// MARK: - Names

extension StandardDecoder {
    /// The tensors of LLaMA's names, `change` applied to those of each layer.
    static func sources(
        _ plan: DecoderPlan, _ checkpoint: Checkpoint,
        change: (_ layer: inout LayerSources, _ prefix: String) -> Void = { _, _ in }
    ) -> ModelSources {
        // A base model was saved without its head's name before everything.
        let prefix = checkpoint.prefix(["model.", ""], of: "embed_tokens.weight")
        let layers = (0..<plan.layerCount).map { index in
            let layerPrefix = "\(prefix)layers.\(index)"
            var layer = layer(plan, layerPrefix)
            change(&layer, layerPrefix)
            return layer
        }
        let frequencies = (0..<plan.layerCount).map { "\(prefix)layers.\($0).self_attn.rotary_emb.inv_freq" }
        let embedding = "\(prefix)embed_tokens.weight"
        return ModelSources(
            embedding: embedding, finalNorm: NormSource("\(prefix)norm.weight"),
            head: plan.isHeadTied ? embedding : "lm_head.weight", layers: layers,
            ignored: Set(frequencies + ["\(prefix)rotary_emb.inv_freq"] + (plan.isHeadTied ? ["lm_head.weight"] : [])))
    }

    private static func layer(_ plan: DecoderPlan, _ prefix: String) -> LayerSources {
        let heads = plan.heads
        let (queryRows, keyRows) = (heads.queryCount * heads.width, heads.keyCount * heads.width)
        let attention = "\(prefix).self_attn"
        let inner = plan.feedForward.isGated ? ["gate_proj", "up_proj"] : ["up_proj"]
        var layer = LayerSources(
            attentionNorm: NormSource("\(prefix).input_layernorm.weight"),
            queryKeyValue: .stacked([
                ("\(attention).q_proj.weight", queryRows), ("\(attention).k_proj.weight", keyRows),
                ("\(attention).v_proj.weight", keyRows),
            ]),
            attentionOutput: ProjectionSource("\(attention).o_proj.weight", plan.width),
            feedForwardNorm: NormSource("\(prefix).post_attention_layernorm.weight"),
            feedForwardInput: .stacked(inner.map { ("\(prefix).mlp.\($0).weight", plan.feedForward.width) }),
            feedForwardOutput: ProjectionSource("\(prefix).mlp.down_proj.weight", plan.width))
        if plan.queryKeyNorm != nil {
            layer.queryNorm = [NormSource("\(attention).q_norm.weight")]
            layer.keyNorm = [NormSource("\(attention).k_norm.weight")]
        }
        return layer
    }
}

extension Checkpoint {
    /// The first of some prefixes with which a tensor of this name is there; the first of all if none is.
    func prefix(_ prefixes: [String], of name: String) -> String {
        prefixes.first { contains($0 + name) } ?? prefixes[0]
    }
}
