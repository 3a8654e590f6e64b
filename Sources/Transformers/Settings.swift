import Checkpoints

/// The settings of a model file, read one by one: what is missing, mistyped or not understood is an error with its
/// key.
struct Settings {
    let path: String
    private let keys: [String]
    private let value: (String) -> JSON?

    /// The members of a config.json.
    init(path: String, config: JSON) {
        self.path = path
        keys = config.object?.keys ?? []
        // A null stands for the default, as in Python.
        value = { key in
            guard let value = config[key], !value.isNull else { return nil }
            return value
        }
    }

    /// The metadata of a GGUF file.
    init(path: String, gguf file: GGUFFile) {
        self.path = path
        keys = file.metadata.keys
        value = { key in file.metadata[key].map(Settings.json) }
    }

    private static func json(_ value: GGUFValue) -> JSON {
        switch value {
        case .unsigned(let integer): .integer(Int(clamping: integer))
        case .signed(let integer): .integer(Int(integer))
        case .number(let number): .number(number)
        case .bool(let flag): .bool(flag)
        case .string(let bytes): .string(String(decoding: bytes, as: UTF8.self))
        case .array: .array([])
        }
    }

    // MARK: Typed values

    func string(_ key: String, otherwise: String? = nil) throws(TransformerError) -> String {
        guard let json = value(key) else { return try required(otherwise, key) }
        guard let string = json.string else { throw problem(key, "is not a string") }
        return string
    }

    /// A count from 1 to 2³¹.
    func count(_ key: String, otherwise: Int? = nil) throws(TransformerError) -> Int {
        guard let json = value(key) else { return try required(otherwise, key) }
        guard let integer = json.integer, (1..<(1 << 31)).contains(integer) else {
            throw problem(key, "is not a whole number between 1 and 2^31")
        }
        return integer
    }

    func positive(_ key: String, otherwise: Double? = nil) throws(TransformerError) -> Double {
        guard let json = value(key) else { return try required(otherwise, key) }
        guard let number = json.number, number > 0, number.isFinite else {
            throw problem(key, "is not a positive number")
        }
        return number
    }

    /// A number that stays above 0 and finite where it is computed with.
    func positiveFloat(_ key: String, otherwise: Double? = nil) throws(TransformerError) -> Float {
        let number = Float(try positive(key, otherwise: otherwise))
        guard number > 0, number.isFinite else { throw problem(key, "is not a positive number of 32 bits") }
        return number
    }

    func flag(_ key: String, otherwise: Bool) throws(TransformerError) -> Bool {
        guard let json = value(key) else { return otherwise }
        guard let flag = json.bool else { throw problem(key, "is neither true nor false") }
        return flag
    }

    /// The base of the rotary frequencies: from 1 to the largest float32, so that all frequencies are above 0 and none
    /// is above 1.
    func rotaryBase(_ key: String) throws(TransformerError) -> Double {
        try checkedBase(try positive(key, otherwise: 10000), key)
    }

    private func checkedBase(_ base: Double, _ key: String) throws(TransformerError) -> Double {
        guard base >= 1, base <= Double(Float.greatestFiniteMagnitude) else {
            throw problem(key, "is \(base); expected a base from 1 to \(Float.greatestFiniteMagnitude)")
        }
        return base
    }

    /// The base of the rotary frequencies: `rope_theta`, or `rope_parameters` as transformers 5 writes them.
    func rotaryBase() throws(TransformerError) -> Double {
        for key in ["rope_parameters", "rope_scaling"] {
            guard let parameters = value(key) else { continue }
            guard let object = parameters.object else { throw problem(key, "is not an object") }
            let kind = (object["rope_type"] ?? object["type"])?.string ?? "default"
            guard kind == "default" else { throw problem(key, "rotary scaling \(kind.quoted) is not supported") }
            if let unknown = object.keys.first(where: { !["rope_type", "type", "rope_theta"].contains($0) }) {
                throw problem("\(key).\(unknown)", "is not understood, and may change the mathematics")
            }
        }
        let nested = value("rope_parameters")?["rope_theta"]
        if let nested, let outer = value("rope_theta"), nested.number != outer.number {
            throw problem("rope_theta", "contradicts rope_parameters.rope_theta")
        }
        guard let nested else { return try rotaryBase("rope_theta") }
        guard let base = nested.number else { throw problem("rope_parameters.rope_theta", "is not a number") }
        return try checkedBase(base, "rope_parameters.rope_theta")
    }

    // MARK: Requirements

    func require(_ key: String, equals expected: JSON, otherwise: JSON? = nil) throws(TransformerError) {
        guard let got = value(key) ?? otherwise, got != expected else { return }
        throw problem(
            key,
            "is \(got.serialized(indented: false).legible); only \(expected.serialized(indented: false)) is supported")
    }

    func require(_ key: String, equals expected: Int) throws(TransformerError) {
        try require(key, equals: .integer(expected))
    }

    func requireAbsent(_ key: String) throws(TransformerError) {
        if value(key) != nil { throw problem(key, "is not supported") }
    }

    func refuseUnknown(understood: Set<String>, harmless: Set<String>) throws(TransformerError) {
        for key in keys where !understood.contains(key) && !harmless.contains(key) && value(key) != nil {
            throw problem(key, "is not understood, and may change the mathematics; it is refused rather than ignored")
        }
    }

    func refuseUnknown(prefix: String, understood: Set<String>) throws(TransformerError) {
        for key in keys where key.hasPrefix(prefix) && !understood.contains(key) {
            throw problem(key, "is not understood, and may change the mathematics; it is refused rather than ignored")
        }
    }

    /// Relations between the numbers of a plan, and bounds that keep products of them far from overflow.
    ///
    /// - Parameter tensorCount: of the checkpoint: a layer has tensors, and a number alone must not make layers.
    func check(_ plan: DecoderPlan, tensorCount: Int) throws(TransformerError) {
        guard plan.layerCount <= tensorCount else {
            throw problem("layers", "the plan has \(plan.layerCount), and the checkpoint \(tensorCount) tensors in all")
        }
        guard plan.heads.queryCount <= Self.headLimit else {
            throw problem("attention heads", "\(plan.heads.queryCount) are out of range, 1 to \(Self.headLimit)")
        }
        guard plan.heads.queryCount.isMultiple(of: plan.heads.keyCount) else {
            throw problem(
                "attention heads", "\(plan.heads.queryCount) do not share \(plan.heads.keyCount) key heads evenly")
        }
        guard plan.heads.width.isMultiple(of: 2) else {
            throw problem("head width", "\(plan.heads.width) is odd; rotary positions need pairs")
        }
        let extents = [
            plan.width, plan.heads.queryCount * plan.heads.width, plan.feedForwardWidth, plan.vocabularySize,
            plan.layerCount,
        ]
        guard extents.allSatisfy({ (1...(1 << 24)).contains($0) }) else {
            throw problem("sizes", "one of \(extents) is out of range")
        }
    }

    /// Of queries. The largest models have some hundred; attention takes memory for each token and head at once.
    private static let headLimit = 4096

    /// Keys of config.json that say nothing about the mathematics of a forward pass.
    static let harmlessKeys: Set<String> = [
        "_name_or_path", "architectures", "attention_dropout", "auto_map", "bad_words_ids", "begin_suppress_tokens",
        "bos_token_id", "chunk_size_feed_forward", "decoder_start_token_id", "diversity_penalty", "do_sample", "dtype",
        "early_stopping", "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty",
        "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "id2label", "initializer_range",
        "is_decoder", "is_encoder_decoder", "label2id", "length_penalty", "max_length", "min_length",
        "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_attentions",
        "output_hidden_states", "output_scores", "pad_token_id", "prefix", "problem_type", "remove_invalid_values",
        "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens",
        "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class", "top_k", "top_p", "torch_dtype",
        "torchscript", "transformers_version", "typical_p", "unsloth_version", "use_bfloat16", "use_cache",
    ]

    private func required<Value>(_ value: Value?, _ key: String) throws(TransformerError) -> Value {
        guard let value else { throw problem(key, "is missing") }
        return value
    }

    private func problem(_ key: String, _ text: String) -> TransformerError {
        .setting(path: path, key: key, problem: text)
    }
}
