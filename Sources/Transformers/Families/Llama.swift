import Checkpoints
import Compute

/// The LLaMA family: RMSNorm before each sublayer, rotary positions, grouped-query attention, SwiGLU.
enum Llama {
    static let family = "llama"
}

// MARK: Hugging Face

extension Llama {
    static func read(
        _ config: JSON, checkpoint: Checkpoint
    ) throws(TransformerError) -> (DecoderPlan, TensorNames) {
        let settings = Settings(path: "\(checkpoint.path)/config.json", config: config)
        let modelType = try settings.string("model_type")
        guard modelType == family else {
            throw .unknownFamily(path: checkpoint.path, name: modelType, known: DecoderModel.knownFamilies)
        }
        try settings.refuseUnknown(understood: understoodKeys, harmless: Settings.harmlessKeys.union(harmlessKeys))
        try settings.require("hidden_act", equals: "silu", otherwise: "silu")
        try settings.require("rope_interleaved", equals: false)
        try settings.require("pretraining_tp", equals: 1)
        try settings.requireAbsent("quantization_config")

        let width = try settings.count("hidden_size")
        let queryCount = try settings.count("num_attention_heads")
        let keyCount = try settings.count("num_key_value_heads", otherwise: queryCount)
        let headWidth = try settings.count("head_dim", otherwise: width / queryCount)
        let plan = DecoderPlan(
            family: family, layerCount: try settings.count("num_hidden_layers"), width: width,
            vocabularySize: try settings.count("vocab_size"),
            maximumPositions: try settings.count("max_position_embeddings", otherwise: 2048),
            heads: AttentionHeads(queryCount: queryCount, keyCount: keyCount, width: headWidth),
            norm: .rootMeanSquare(epsilon: try settings.positiveFloat("rms_norm_eps", otherwise: 1e-6)),
            positions: .rotary(base: try settings.rotaryBase(), layout: .halves),
            feedForward: .gatedSiLU(width: try settings.count("intermediate_size")),
            hasAttentionBias: try settings.flag("attention_bias", otherwise: false),
            hasFeedForwardBias: try settings.flag("mlp_bias", otherwise: false),
            isHeadTied: try settings.flag("tie_word_embeddings", otherwise: false))
        try settings.check(plan, tensorCount: checkpoint.tensorNames.count)
        return (plan, names(plan, checkpoint))
    }

    private static let understoodKeys: Set<String> = [
        "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "num_hidden_layers", "vocab_size",
        "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters", "intermediate_size",
        "attention_bias", "mlp_bias", "tie_word_embeddings", "hidden_act", "model_type", "rope_interleaved",
        "pretraining_tp", "quantization_config",
    ]

    private static let harmlessKeys: Set<String> = ["is_llama_config", "transformers.js_config"]

    private static func names(_ plan: DecoderPlan, _ checkpoint: Checkpoint) -> TensorNames {
        let layers = (0..<plan.layerCount).map { index in
            let prefix = "model.layers.\(index)"
            return LayerNames(
                attentionNorm: "\(prefix).input_layernorm.weight", query: "\(prefix).self_attn.q_proj.weight",
                key: "\(prefix).self_attn.k_proj.weight", value: "\(prefix).self_attn.v_proj.weight",
                attentionOutput: "\(prefix).self_attn.o_proj.weight",
                feedForwardNorm: "\(prefix).post_attention_layernorm.weight", gate: "\(prefix).mlp.gate_proj.weight",
                up: "\(prefix).mlp.up_proj.weight", down: "\(prefix).mlp.down_proj.weight")
        }
        let frequencies = (0..<plan.layerCount).map { "model.layers.\($0).self_attn.rotary_emb.inv_freq" }
        return TensorNames(
            embedding: "model.embed_tokens.weight", finalNorm: "model.norm.weight",
            head: plan.isHeadTied ? "model.embed_tokens.weight" : "lm_head.weight", layers: layers,
            ignored: Set(frequencies + ["model.rotary_emb.inv_freq"] + (plan.isHeadTied ? ["lm_head.weight"] : [])))
    }
}

// MARK: GGUF

extension Llama {
    static func read(
        _ file: GGUFFile, checkpoint: Checkpoint
    ) throws(TransformerError) -> (DecoderPlan, TensorNames) {
        let path = checkpoint.path
        let settings = Settings(path: path, gguf: file)
        let architecture = try settings.string("general.architecture")
        guard architecture == family else {
            throw .unknownFamily(path: path, name: architecture, known: DecoderModel.knownFamilies)
        }
        try settings.refuseUnknown(prefix: "llama.", understood: understoodMetadata)
        try settings.require("llama.expert_count", equals: 0)
        try settings.require("llama.rope.scaling.type", equals: "none", otherwise: "none")

        let width = try settings.count("llama.embedding_length")
        let queryCount = try settings.count("llama.attention.head_count")
        let keyCount = try settings.count("llama.attention.head_count_kv", otherwise: queryCount)
        let headWidth = try settings.count("llama.attention.key_length", otherwise: width / queryCount)
        try settings.require("llama.attention.value_length", equals: headWidth)
        try settings.require("llama.rope.dimension_count", equals: headWidth)
        let embedding = "token_embd.weight"
        // The vocabulary is as large as its embedding table; the metadata need not say it.
        let vocabularySize = try wrappingCheckpoint { () throws(CheckpointError) in
            try checkpoint.tensor(embedding).shape.first ?? 0
        }
        try settings.require("llama.vocab_size", equals: vocabularySize)
        let plan = DecoderPlan(
            family: family, layerCount: try settings.count("llama.block_count"), width: width,
            vocabularySize: vocabularySize, maximumPositions: try settings.count("llama.context_length"),
            heads: AttentionHeads(queryCount: queryCount, keyCount: keyCount, width: headWidth),
            norm: .rootMeanSquare(epsilon: try settings.positiveFloat("llama.attention.layer_norm_rms_epsilon")),
            // llama.cpp's converter permutes the rows of Q and K into interleaved pairs.
            positions: .rotary(base: try settings.rotaryBase("llama.rope.freq_base"), layout: .interleaved),
            feedForward: .gatedSiLU(width: try settings.count("llama.feed_forward_length")),
            hasAttentionBias: checkpoint.contains("blk.0.attn_q.bias"),
            hasFeedForwardBias: checkpoint.contains("blk.0.ffn_gate.bias"),
            isHeadTied: !checkpoint.contains("output.weight"))
        try settings.check(plan, tensorCount: checkpoint.tensorNames.count)
        return (plan, names(plan, embedding: embedding))
    }

    private static let understoodMetadata: Set<String> = [
        "llama.embedding_length", "llama.attention.head_count", "llama.attention.head_count_kv",
        "llama.attention.key_length", "llama.attention.value_length", "llama.rope.dimension_count", "llama.vocab_size",
        "llama.block_count", "llama.context_length", "llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base",
        "llama.feed_forward_length", "llama.expert_count", "llama.rope.scaling.type",
    ]

    private static func names(_ plan: DecoderPlan, embedding: String) -> TensorNames {
        let layers = (0..<plan.layerCount).map { index in
            LayerNames(
                attentionNorm: "blk.\(index).attn_norm.weight", query: "blk.\(index).attn_q.weight",
                key: "blk.\(index).attn_k.weight", value: "blk.\(index).attn_v.weight",
                attentionOutput: "blk.\(index).attn_output.weight", feedForwardNorm: "blk.\(index).ffn_norm.weight",
                gate: "blk.\(index).ffn_gate.weight", up: "blk.\(index).ffn_up.weight",
                down: "blk.\(index).ffn_down.weight")
        }
        return TensorNames(
            embedding: embedding, finalNorm: "output_norm.weight",
            head: plan.isHeadTied ? embedding : "output.weight", layers: layers, ignored: [])
    }
}
