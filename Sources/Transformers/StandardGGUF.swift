import Checkpoints
import Compute
import Glibc

/// The metadata and names of GGUF files, which all architectures of llama.cpp share; each says in what it differs.
struct StandardGGUF {
    var family: String
    var normKind = NormKind.rootMeanSquare
    var activation = Activation.silu
    var isGated = true
    /// nil for models without rotary positions.
    var rotaryLayout: RotaryLayout? = .halves
    var hasLearnedPositions = false
    /// Whether queries, keys and values stand in one tensor, and gate and up.
    var hasFusedAttention = false
    var hasFusedFeedForward = false

    func plan(_ settings: Settings, _ checkpoint: Checkpoint) throws(TransformerError) -> DecoderPlan {
        let name = try settings.string("general.architecture")
        let width = try settings.extent("\(name).embedding_length")
        let queryCount = try settings.headCount("\(name).attention.head_count")
        let keyCount = try settings.headCount("\(name).attention.head_count_kv", otherwise: queryCount)
        let headWidth = try settings.extent(
            "\(name).attention.key_length", otherwise: max(1, width / queryCount))
        try settings.require("\(name).attention.value_length", equals: .integer(headWidth))
        try settings.require("\(name).expert_count", equals: 0)
        try settings.require("\(name).expert_used_count", equals: 0)
        // Whether a model was trained with its scaling.
        _ = try settings.json("\(name).rope.scaling.finetuned")
        let positions = try settings.count("\(name).context_length")
        // The vocabulary is as large as its embedding table; the metadata need not say it.
        let vocabularySize = try wrappingCheckpoint { () throws(CheckpointError) in
            try checkpoint.tensor(GGUFNames.embedding).shape.first ?? 0
        }
        try settings.require("\(name).vocab_size", equals: .integer(vocabularySize))
        var rotaries: [RotaryEmbedding] = []
        if let rotaryLayout {
            rotaries = [
                try rotary(settings, checkpoint, name, headWidth: headWidth, positions: positions, rotaryLayout)
            ]
        }
        let layer = DecoderPlan.Layer(
            rotary: rotaries.isEmpty ? nil : 0,
            attention: AttentionRule(scale: 1 / Float(headWidth).squareRoot()))
        var plan = DecoderPlan(
            family: family, layers: Array(repeating: layer, count: try settings.layerCount("\(name).block_count")),
            width: width, vocabularySize: vocabularySize,
            maximumPositions: rotaryLayout == nil && !hasLearnedPositions ? 1 << 20 : positions,
            heads: AttentionHeads(queryCount: queryCount, keyCount: keyCount, width: headWidth),
            norm: try norm(settings, checkpoint, name), rotaries: rotaries,
            feedForward: DecoderPlan.FeedForward(
                activation, isGated: isGated, width: try settings.extent("\(name).feed_forward_length")),
            biases: biases(checkpoint), isHeadTied: !checkpoint.contains(GGUFNames.head))
        if hasLearnedPositions { plan.embedding.learnedPositionOffset = 0 }
        return plan
    }

    private func norm(
        _ settings: Settings, _ checkpoint: Checkpoint, _ name: String
    ) throws(TransformerError) -> DecoderPlan.Norm {
        switch normKind {
        case .rootMeanSquare:
            .rootMeanSquare(epsilon: try settings.positiveFloat("\(name).attention.layer_norm_rms_epsilon"))
        case .layer:
            DecoderPlan.Norm(
                kind: .layer, epsilon: try settings.positiveFloat("\(name).attention.layer_norm_epsilon"),
                hasWeight: checkpoint.contains("output_norm.weight"), hasBias: checkpoint.contains("output_norm.bias"))
        }
    }

    /// Biases are known by their presence.
    private func biases(_ checkpoint: Checkpoint) -> DecoderPlan.Biases {
        let names: [(DecoderPlan.Biases, String)] = [
            (.queryKeyValue, hasFusedAttention ? "blk.0.attn_qkv.bias" : "blk.0.attn_q.bias"),
            (.attentionOutput, "blk.0.attn_output.bias"), (.feedForwardInput, "blk.0.ffn_up.bias"),
            (.feedForwardOutput, "blk.0.ffn_down.bias"), (.head, "output.bias"),
        ]
        return names.reduce(into: []) { if checkpoint.contains($1.1) { $0.formUnion($1.0) } }
    }

    // MARK: Rotary positions

    private func rotary(
        _ settings: Settings, _ checkpoint: Checkpoint, _ name: String, headWidth: Int, positions: Int,
        _ layout: RotaryLayout
    ) throws(TransformerError) -> RotaryEmbedding {
        let width = try settings.extent("\(name).rope.dimension_count", otherwise: headWidth)
        let base = try settings.positive("\(name).rope.freq_base", otherwise: 10000)
        guard base >= 1, base <= Double(Float.greatestFiniteMagnitude) else {
            throw settings.problem("\(name).rope.freq_base", "is \(base); expected a base of at least 1")
        }
        var rotary = RotaryEmbedding(width: width, base: base, layout: layout)
        let original = try settings.count("\(name).rope.scaling.original_context_length", otherwise: positions)
        let factor = try settings.positiveFloatIfPresent("\(name).rope.scaling.factor")
        let kind = try settings.string("\(name).rope.scaling.type", otherwise: "none")
        switch kind {
        // The divisors in the file say which numbers longrope has.
        case "none", "longrope": break
        case "linear", "yarn":
            guard let factor else { throw settings.problem("\(name).rope.scaling.factor", "is missing") }
            rotary.scaling =
                kind == "linear"
                ? .linear(factor: Double(factor))
                : .yarn(try yarn(settings, "\(name).rope.scaling", Double(factor), original))
        case let other:
            throw settings.problem("\(name).rope.scaling.type", "rotary scaling \(other.quoted) is not supported")
        }
        if checkpoint.contains(GGUFNames.frequencyDivisors) {
            rotary.scaling = .divided(by: try divisors(checkpoint, GGUFNames.frequencyDivisors, width / 2))
        } else if checkpoint.contains(GGUFNames.longDivisors) {
            rotary.scaling = .longRope(
                short: try divisors(checkpoint, GGUFNames.shortDivisors, width / 2),
                long: try divisors(checkpoint, GGUFNames.longDivisors, width / 2), originalPositions: original,
                attentionFactor: try settings.positiveFloat("\(name).rope.scaling.attn_factor", otherwise: 1))
        }
        return rotary
    }

    /// - Parameter prefix: Of the keys.
    private func yarn(
        _ settings: Settings, _ prefix: String, _ factor: Double, _ original: Int
    ) throws(TransformerError) -> RotaryEmbedding.YaRN {
        RotaryEmbedding.YaRN(
            factor: factor, originalPositions: original,
            fastTurns: try settings.positive("\(prefix).yarn_beta_fast", otherwise: 32),
            slowTurns: try settings.positive("\(prefix).yarn_beta_slow", otherwise: 1),
            attentionFactor: Float(factor <= 1 ? 1 : 0.1 * log(factor) + 1), truncates: true)
    }

    /// A vector of float32 in the file.
    private func divisors(
        _ checkpoint: Checkpoint, _ name: String, _ count: Int
    ) throws(TransformerError) -> [Float] {
        let tensor = try wrappingCheckpoint { () throws(CheckpointError) in
            try checkpoint.tensor(name, shape: [count])
        }
        guard tensor.elementType == .float32 else {
            throw .setting(path: checkpoint.path, key: name, problem: "is not of float32")
        }
        let values = (0..<count).map {
            unsafe tensor.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }
        guard values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw .setting(path: checkpoint.path, key: name, problem: "holds a number that is not positive")
        }
        return values
    }
}

// MARK: - Names

enum GGUFNames {
    static let embedding = "token_embd.weight"
    static let head = "output.weight"
    static let frequencyDivisors = "rope_freqs.weight"
    static let shortDivisors = "rope_factors_short.weight"
    static let longDivisors = "rope_factors_long.weight"
}

extension StandardGGUF {
    /// The tensors, `change` applied to those of each layer.
    func sources(
        _ plan: DecoderPlan, change: (_ layer: inout LayerSources, _ prefix: String) -> Void = { _, _ in }
    ) -> ModelSources {
        let layers = (0..<plan.layerCount).map { index in
            var layer = layer(plan, "blk.\(index)")
            change(&layer, "blk.\(index)")
            return layer
        }
        return ModelSources(
            embedding: GGUFNames.embedding,
            positions: plan.embedding.learnedPositionOffset == nil ? nil : "position_embd.weight",
            embeddingNorm: plan.embedding.norm == nil ? nil : NormSource("token_embd_norm.weight"),
            finalNorm: NormSource("output_norm.weight"),
            head: plan.isHeadTied ? GGUFNames.embedding : GGUFNames.head, layers: layers,
            ignored: [GGUFNames.frequencyDivisors, GGUFNames.shortDivisors, GGUFNames.longDivisors])
    }

    private func layer(_ plan: DecoderPlan, _ prefix: String) -> LayerSources {
        let heads = plan.heads
        let (queryRows, keyRows) = (heads.queryCount * heads.width, heads.keyCount * heads.width)
        let inner = plan.feedForward.width
        let queryKeyValue: ProjectionSource =
            hasFusedAttention
            ? ProjectionSource("\(prefix).attn_qkv.weight", queryRows + 2 * keyRows)
            : .stacked([
                ("\(prefix).attn_q.weight", queryRows), ("\(prefix).attn_k.weight", keyRows),
                ("\(prefix).attn_v.weight", keyRows),
            ])
        let feedForwardInput: ProjectionSource =
            hasFusedFeedForward
            ? ProjectionSource("\(prefix).ffn_up.weight", plan.feedForward.projectionCount * inner)
            : .stacked((isGated ? ["ffn_gate", "ffn_up"] : ["ffn_up"]).map { ("\(prefix).\($0).weight", inner) })
        let hasNormBefore = plan.normPlacement == .before || plan.normPlacement == .beforeAndAfter
        var layer = LayerSources(
            attentionNorm: hasNormBefore ? NormSource("\(prefix).attn_norm.weight") : nil,
            attentionOutputNorm: plan.hasNormBehindSublayers
                ? NormSource("\(prefix).post_attention_norm.weight") : nil,
            queryKeyValue: queryKeyValue,
            attentionOutput: ProjectionSource("\(prefix).attn_output.weight", plan.width),
            feedForwardNorm: hasNormBefore ? NormSource("\(prefix).ffn_norm.weight") : nil,
            feedForwardOutputNorm: plan.hasNormBehindSublayers ? NormSource("\(prefix).post_ffw_norm.weight") : nil,
            feedForwardInput: feedForwardInput,
            feedForwardOutput: ProjectionSource("\(prefix).ffn_down.weight", plan.width))
        if plan.queryKeyNorm != nil {
            layer.queryNorm = [NormSource("\(prefix).attn_q_norm.weight")]
            layer.keyNorm = [NormSource("\(prefix).attn_k_norm.weight")]
        }
        return layer
    }
}
