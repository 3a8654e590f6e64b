/// A LLaMA decoder of two layers and a byte-level vocabulary of eight tokens: what the base files hold.
enum TinyModel {
    static let layerCount = 2
    static let width = 32
    static let queryCount = 4
    static let keyCount = 2
    static let headWidth = 8
    static let inner = 32

    /// By id. "Ġ" is a space in the byte-level alphabet.
    static let tokens = ["a", "b", "c", "Ġ", "ab", "Ġa", "<|end|>", "<user>"]
    static let merges = [("a", "b"), ("Ġ", "a")]
    /// The tokens that are found as they are: one control token and one of the user's.
    static let controlID = 6
    static let userID = 7

    /// Text with what the vocabulary has, and what it has not.
    static let text = "ab a c<|end|>é12 's\n\n  <user> \u{1F600}a"

    struct Weight {
        let name: String
        /// Outermost first.
        let shape: [Int]

        var elementCount: Int { shape.reduce(1, *) }
    }

    /// The names of GGUF files.
    static let ggufNames = Names(
        embedding: "token_embd", finalNorm: "output_norm", layer: { "blk.\($0)" },
        matrices: ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"],
        norms: ["attn_norm", "ffn_norm"])

    /// The names of Hugging Face's models.
    static let huggingFaceNames = Names(
        embedding: "model.embed_tokens", finalNorm: "model.norm", layer: { "model.layers.\($0)" },
        matrices: [
            "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj",
            "mlp.up_proj", "mlp.down_proj",
        ],
        norms: ["input_layernorm", "post_attention_layernorm"])

    struct Names: Sendable {
        let embedding: String
        let finalNorm: String
        let layer: @Sendable (Int) -> String
        /// Query, key, value, output, gate, up, down.
        let matrices: [String]
        let norms: [String]
    }

    static func weights(_ names: Names, width: Int = width) -> [Weight] {
        let (queryWidth, keyWidth) = (queryCount * headWidth, keyCount * headWidth)
        let shapes = [
            [queryWidth, width], [keyWidth, width], [keyWidth, width], [width, queryWidth], [inner, width],
            [inner, width], [width, inner],
        ]
        var weights = [Weight(name: "\(names.embedding).weight", shape: [tokens.count, width])]
        for layer in 0..<layerCount {
            let prefix = names.layer(layer)
            weights += names.norms.map { Weight(name: "\(prefix).\($0).weight", shape: [width]) }
            weights += zip(names.matrices, shapes).map { Weight(name: "\(prefix).\($0).weight", shape: $1) }
        }
        return weights + [Weight(name: "\(names.finalNorm).weight", shape: [width])]
    }

    /// Bytes that are small finite numbers, or blocks of such, whatever the element type.
    static func data(_ byteCount: Int, _ random: inout RandomSource) -> [UInt8] {
        (0..<byteCount).map { _ in 0x20 + UInt8(random.index(0x1C)) }
    }
}
