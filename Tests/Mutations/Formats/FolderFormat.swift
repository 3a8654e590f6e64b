import Checkpoints

/// A model folder as Hugging Face writes it: one file of weights or shards under an index.
struct FolderFormat: InputFormat {
    let name = "folder"

    private static let configName = "config.json"
    private static let indexName = "model.safetensors.index.json"
    private static let tokenizerName = "tokenizer.json"
    private static let tokenizerConfigName = "tokenizer_config.json"

    func base(_ random: inout RandomSource) -> CaseFiles { Self.folder(changes: 0, &random) }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 4)
        var files = Self.folder(changes: isBlind ? 0 : 1 + random.index(3), &random)
        if isBlind || random.once(in: 6) { files.mutateBytes(&random) }
        if random.once(in: 12) { Self.replaceFile(&files, &random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) { ModelExercise.run(path, &exercise) }

    // MARK: Files

    /// The parts of a folder before they are written.
    private struct Parts {
        var config: JSONTree
        /// By file name.
        var weights: [(name: String, document: SafetensorsDocument)]
        var index: JSONTree?
        var tokenizer: JSONTree
        var tokenizerConfig: JSONTree
    }

    private static func folder(changes: Int, _ random: inout RandomSource) -> CaseFiles {
        var parts = parts(&random)
        for _ in 0..<changes { mutate(&parts, &random) }
        var files = parts.weights.map { (name: $0.name, bytes: $0.document.bytes) }
        files.append((configName, parts.config.bytes))
        files.append((tokenizerName, parts.tokenizer.bytes))
        files.append((tokenizerConfigName, parts.tokenizerConfig.bytes))
        if let index = parts.index { files.append((indexName, index.bytes)) }
        return CaseFiles(folder: files)
    }

    private static func parts(_ random: inout RandomSource) -> Parts {
        let weights = TinyModel.weights(TinyModel.huggingFaceNames)
        var parts = Parts(
            config: config, weights: [], index: nil, tokenizer: TokenizerDocument.base(&random),
            tokenizerConfig: JSONTree(["bos_token": ["content": "<|end|>"]]))
        guard random.once(in: 2) else {
            parts.weights = [("model.safetensors", SafetensorsDocument(weights, &random))]
            return parts
        }
        let cut = weights.count / 2
        var map = JSONTree([:])
        for (number, shard) in [weights[..<cut], weights[cut...]].enumerated() {
            let name = "model-0000\(number + 1)-of-00002.safetensors"
            parts.weights.append((name, SafetensorsDocument(Array(shard), &random)))
            for weight in shard { map[weight.name] = .leaf(JSONTree.string(name)) }
        }
        parts.index = JSONTree(["metadata": ["total_size": 0]])
        parts.index?["weight_map"] = map
        return parts
    }

    static let config = JSONTree([
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": .integer(TinyModel.controlID),
        "head_dim": .integer(TinyModel.headWidth), "hidden_act": "silu", "hidden_size": .integer(TinyModel.width),
        "intermediate_size": .integer(TinyModel.inner), "max_position_embeddings": 64, "mlp_bias": false,
        "model_type": "llama", "num_attention_heads": .integer(TinyModel.queryCount),
        "num_hidden_layers": .integer(TinyModel.layerCount), "num_key_value_heads": .integer(TinyModel.keyCount),
        "rms_norm_eps": 1e-05, "rope_scaling": nil, "rope_theta": 10000.0, "tie_word_embeddings": true,
        "vocab_size": .integer(TinyModel.tokens.count),
    ])

    // MARK: Mutation

    private static func mutate(_ parts: inout Parts, _ random: inout RandomSource) {
        switch random.index(10) {
        case 0, 1, 2, 3: mutateConfig(&parts.config, &random)
        case 4: parts.config.mutate(&random)
        case 5: parts.weights[random.index(parts.weights.count)].document.mutate(&random)
        case 6: TokenizerDocument.mutate(&parts.tokenizer, &random)
        case 7: parts.tokenizerConfig.mutate(&random)
        default:
            guard var index = parts.index else { return mutateConfig(&parts.config, &random) }
            mutateIndex(&index, parts.weights.map(\.name), &random)
            parts.index = index
        }
    }

    private static func mutateConfig(_ config: inout JSONTree, _ random: inout RandomSource) {
        let keys = [
            "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads",
            "head_dim", "vocab_size", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling",
            "rope_parameters", "attention_bias", "mlp_bias", "tie_word_embeddings", "hidden_act", "model_type",
            "pretraining_tp", "quantization_config", "rope_interleaved", "unknown_setting",
        ]
        let key = random.pick(keys)
        switch random.index(8) {
        case 0: config[key] = nil
        case 1: config[key] = .leaf(JSONTree.hostileString(&random))
        case 2: config[key] = JSONTree(random.pick(["true", "false", "null", "[]", "{}", "[1]"]))
        case 3: config[key] = JSONTree("\(random.index(100))")
        case 4:
            let base = JSONTree.leaf(JSONTree.hostileNumber(&random))
            config["rope_theta"] = nil
            config["rope_parameters"] = .object([
                (JSONTree.string("rope_theta"), base),
                (JSONTree.string(random.pick(["rope_type", "type", "factor"])), JSONTree("\"default\"")),
            ])
        default: config[key] = .leaf(JSONTree.hostileNumber(&random))
        }
    }

    private static func mutateIndex(_ index: inout JSONTree, _ shards: [String], _ random: inout RandomSource) {
        guard var map = index["weight_map"], random.index(4) > 0 else { return index.mutate(&random) }
        let names = TinyModel.weights(TinyModel.huggingFaceNames).map(\.name)
        let name = random.once(in: 4) ? "absent.weight" : random.pick(names)
        let targets =
            shards + [
                "../model.safetensors", "/etc/passwd", "/tmp/x.safetensors", "model-00003-of-00003.safetensors", "",
                ".safetensors", "x\u{0}.safetensors", "config.json", "a/b.safetensors", "é.safetensors",
                "e\u{301}.safetensors",
            ]
        map[name] = random.once(in: 5) ? nil : .leaf(JSONTree.string(random.pick(targets)))
        index["weight_map"] = map
    }

    /// A file is gone, or something else stands in its place.
    private static func replaceFile(_ files: inout CaseFiles, _ random: inout RandomSource) {
        let contents: [CaseFiles.Content?] = [
            nil, .bytes([]), .folder, .pipe, .link("/dev/zero"), .link("nowhere"), .link(configName), .link("."),
        ]
        files.set(random.pick(files.names), random.pick(contents))
    }
}
