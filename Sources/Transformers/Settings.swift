import Checkpoints
import Compute

/// The settings of a model file, read one by one: what is missing, mistyped or contradicts itself is an error with its
/// key, and so is what nobody has read.
final class Settings {
    let path: String
    /// Of the checkpoint: a layer has tensors, and a number alone must not make layers.
    private let tensorCount: Int
    private let keys: [String]
    private let value: (String) -> JSON?
    private var read: Set<String> = []

    /// The members of a config.json.
    init(path: String, config: JSON, tensorCount: Int) {
        self.path = path
        self.tensorCount = tensorCount
        keys = config.object?.keys ?? []
        value = { config[$0] }
    }

    /// The metadata of a GGUF file.
    init(path: String, gguf file: GGUFFile, tensorCount: Int) {
        self.path = path
        self.tensorCount = tensorCount
        keys = file.metadata.keys
        value = { file.metadata[$0].map(Settings.json) }
    }

    private static func json(_ value: GGUFValue) -> JSON {
        switch value {
        case .unsigned(let integer): .integer(Int(clamping: integer))
        case .signed(let integer): .integer(Int(integer))
        case .number(let number): .number(number)
        case .bool(let flag): .bool(flag)
        case .string(let bytes): .string(String(decoding: bytes, as: UTF8.self))
        case .array(let array): .array(elements(array))
        }
    }

    /// Of an array that a layer or a frequency has an element of; longer ones are vocabularies.
    private static func elements(_ array: GGUFArray) -> [JSON] {
        guard array.count <= 1 << 16 else { return [] }
        if let bools = array.bools { return bools.map(JSON.bool) }
        if let integers = array.integers { return integers.map(JSON.integer) }
        return (array.numbers ?? []).map(JSON.number)
    }
}

// MARK: - Values

extension Settings {
    /// The value of the first of some names of one setting; nil where all are absent or null, which stands for the
    /// default, as in Python. Values under several of the names must agree.
    func json(_ names: String...) throws(TransformerError) -> JSON? { try json(names) }

    func json(_ names: [String]) throws(TransformerError) -> JSON? {
        read.formUnion(names)
        var found: (key: String, value: JSON)?
        for key in names {
            guard let value = value(key), !value.isNull else { continue }
            if let found, found.value != value { throw problem(key, "contradicts \(found.key.legible)") }
            found = found ?? (key, value)
        }
        return found?.value
    }

    /// Whether a setting is there, be it null.
    func isPresent(_ key: String) -> Bool { value(key) != nil }

    func string(_ names: String..., otherwise: String? = nil) throws(TransformerError) -> String {
        guard let json = try json(names) else { return try required(otherwise, names) }
        guard let string = json.string else { throw problem(names[0], "is not a string") }
        return string
    }

    func flag(_ names: String..., otherwise: Bool) throws(TransformerError) -> Bool {
        guard let json = try json(names) else { return otherwise }
        guard let flag = json.bool else { throw problem(names[0], "is neither true nor false") }
        return flag
    }

    func number(_ names: String..., otherwise: Double? = nil) throws(TransformerError) -> Double {
        guard let json = try json(names) else { return try required(otherwise, names) }
        guard let number = json.number, number.isFinite else { throw problem(names[0], "is not a number") }
        return number
    }

    func positive(_ names: String..., otherwise: Double? = nil) throws(TransformerError) -> Double {
        guard let json = try json(names) else { return try required(otherwise, names) }
        guard let number = json.number, number > 0, number.isFinite else {
            throw problem(names[0], "is not a positive number")
        }
        return number
    }

    /// A number that stays above 0 and finite where it is computed with.
    func positiveFloat(_ names: String..., otherwise: Double? = nil) throws(TransformerError) -> Float {
        guard let json = try json(names) else { return Float(try required(otherwise, names)) }
        guard let number = json.number.map({ Float($0) }), number > 0, number.isFinite else {
            throw problem(names[0], "is not a positive number of 32 bits")
        }
        return number
    }

    /// A number that stays above 0 and finite where it is computed with, or nil where it is absent or null.
    func positiveFloatIfPresent(_ names: String...) throws(TransformerError) -> Float? {
        guard let json = try json(names) else { return nil }
        guard let number = json.number.map({ Float($0) }), number > 0, number.isFinite else {
            throw problem(names[0], "is not a positive number of 32 bits")
        }
        return number
    }

    /// A number of positions or the like, from 1 to 2³¹.
    func count(_ names: String..., otherwise: Int? = nil) throws(TransformerError) -> Int {
        guard let json = try json(names) else { return try required(otherwise, names) }
        return try checkedCount(json, names[0], limit: 1 << 31)
    }

    func countIfPresent(_ names: String...) throws(TransformerError) -> Int? {
        guard let json = try json(names) else { return nil }
        return try checkedCount(json, names[0], limit: 1 << 31)
    }

    /// The extent of a tensor: products of two or three of them stay far from overflow.
    func extent(_ names: String..., otherwise: Int? = nil) throws(TransformerError) -> Int {
        guard let json = try json(names) else { return try required(otherwise, names) }
        return try checkedCount(json, names[0], limit: 1 << 24)
    }

    func extentIfPresent(_ names: String...) throws(TransformerError) -> Int? {
        guard let json = try json(names) else { return nil }
        return try checkedCount(json, names[0], limit: 1 << 24)
    }

    /// A number of heads. The largest models have some hundred; attention takes memory for each token and head at once.
    func headCount(_ names: String..., otherwise: Int? = nil) throws(TransformerError) -> Int {
        guard let json = try json(names) else { return try required(otherwise, names) }
        return try checkedCount(json, names[0], limit: 4096)
    }

    /// The number of layers, of which each must have a tensor.
    func layerCount(_ names: String...) throws(TransformerError) -> Int {
        guard let json = try json(names) else { throw problem(names[0], "is missing") }
        let count = try checkedCount(json, names[0], limit: 1 << 24)
        guard count <= tensorCount else {
            throw problem(names[0], "is \(count), and the checkpoint has \(tensorCount) tensors in all")
        }
        return count
    }

    private func checkedCount(_ json: JSON, _ key: String, limit: Int) throws(TransformerError) -> Int {
        guard let integer = json.integer, (1...limit).contains(integer) else {
            throw problem(key, "is not a whole number between 1 and \(limit)")
        }
        return integer
    }

    private func required<Value>(_ value: Value?, _ names: [String]) throws(TransformerError) -> Value {
        guard let value else { throw problem(names[0], "is missing") }
        return value
    }

    func problem(_ key: String, _ text: String) -> TransformerError { .setting(path: path, key: key, problem: text) }
}

// MARK: - Requirements

extension Settings {
    /// A setting of which one value alone is supported, and is the default.
    func require(_ key: String, equals expected: JSON) throws(TransformerError) {
        try require(key, oneOf: [expected])
    }

    func require(_ key: String, oneOf supported: [JSON]) throws(TransformerError) {
        guard let got = try json(key), !supported.contains(got) else { return }
        let list = supported.map { $0.serialized(indented: false) }.joined(separator: " or ")
        throw problem(key, "is \(got.serialized(indented: false).legible); only \(list) is supported")
    }

    func requireAbsent(_ key: String) throws(TransformerError) {
        if try json(key) != nil { throw problem(key, "is not supported") }
    }

    /// An activation, by the names that Hugging Face has for it.
    func activation(_ names: String..., otherwise: String) throws(TransformerError) -> Activation {
        let json = try json(names)
        guard let name = json == nil ? otherwise : json?.string else { throw problem(names[0], "is not a string") }
        switch name {
        case "silu", "swish": return .silu
        case "gelu", "gelu_python": return .gelu
        case "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate", "gelu_fast": return .geluTanh
        case "relu": return .relu
        case "relu2": return .reluSquared
        case "quick_gelu": return .quickGELU
        default: throw problem(names[0], "the activation \(name.quoted) is not supported")
        }
    }

    /// Refuses every setting that was not read and is not known to be harmless.
    ///
    /// - Parameter prefix: Of the keys in question; others belong to someone else.
    func refuseUnread(prefix: String = "", harmless: Set<String> = []) throws(TransformerError) {
        if prefix.isEmpty {
            try require("add_cross_attention", equals: false)
            try require("pruned_heads", equals: [:])
        }
        for key in keys where key.hasPrefix(prefix) && !read.contains(key) && !harmless.contains(key) {
            guard let value = value(key), !value.isNull else { continue }
            throw problem(key, "is not understood, and may change the mathematics; it is refused rather than ignored")
        }
    }

    /// Relations between the numbers of a plan.
    func check(_ plan: DecoderPlan) throws(TransformerError) {
        guard plan.heads.queryCount.isMultiple(of: plan.heads.keyCount) else {
            throw problem(
                "attention heads", "\(plan.heads.queryCount) do not share \(plan.heads.keyCount) key heads evenly")
        }
        for rotary in plan.rotaries where !(2...plan.heads.width).contains(rotary.width) || rotary.width % 2 != 0 {
            throw problem(
                "rotary width", "\(rotary.width) of a head's \(plan.heads.width) elements cannot be turned in pairs")
        }
        guard plan.heads.queryCount * plan.heads.width <= 1 << 24 else {
            throw problem("sizes", "\(plan.heads.queryCount) heads of width \(plan.heads.width) are out of range")
        }
    }

    /// Keys of config.json that say nothing about the mathematics of a forward pass: of training, of generation, of how
    /// software runs it.
    static let harmlessKeys: Set<String> = [
        "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash",
        "_flash_attn_2_enabled", "_model_name_or_path", "_name_or_path", "_num_labels", "activation_dropout",
        "architectures", "attention_dropout", "attention_probs_dropout_prob", "attn_implementation", "attn_pdrop",
        "auto_map", "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cache_implementation",
        "chunk_size_feed_forward", "classifier_dropout", "cls_token_id", "cross_attention_hidden_size",
        "custom_pipelines", "decoder_start_token_id", "diversity_penalty", "do_sample", "dropout", "dtype",
        "early_stopping", "emb_pdrop", "embd_pdrop", "embedding_dropout", "encoder_no_repeat_ngram_size",
        "eos_token_id", "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id",
        "forced_eos_token_id", "gradient_checkpointing", "hidden_dropout", "hidden_dropout_prob", "id2label",
        "initializer_range", "is_decoder", "is_encoder_decoder", "label2id", "layerdrop", "length_penalty",
        "mask_token_id", "max_length", "max_sequence_length", "min_length", "model_max_length", "neftune_noise_alpha",
        "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_labels", "num_return_sequences",
        "output_attentions", "output_hidden_states", "output_past", "output_scores", "pad_token_id", "prefix",
        "pretraining_tp", "problem_type", "remove_invalid_values", "repetition_penalty", "resid_pdrop",
        "residual_dropout", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens",
        "task_specific_params", "temperature", "tf_legacy_loss", "tie_encoder_decoder", "tokenizer_class",
        "tokenizer_file", "tokenizer_name", "top_k", "top_p", "torch_dtype", "torchscript", "transformers.js_config",
        "transformers_version", "trust_remote_code", "typical_p", "unk_token_id", "unsloth_fixed", "unsloth_version",
        "use_bfloat16", "use_cache", "use_flash_attention", "use_flash_attn", "use_parallel_embedding",
    ]
}
