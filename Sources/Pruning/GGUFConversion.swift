import Checkpoints
import Compute
import Glibc
import Tensors
import Tokenizers
import Transformers

/// A model of llama.cpp's architectures `llama` and `qwen2` as Hugging Face's libraries have it: its settings, the names
/// of its tensors and the order of their rows, and its tokenizer.
struct GGUFConversion {
    /// The model, with biases of zeros where Hugging Face's has some.
    let model: DecoderModel
    /// Of Hugging Face's model: halves of a head turn together, and scaling has its name.
    let rotaries: [RotaryEmbedding]
    /// config.json.
    let configuration: JSONObject
    /// What the weights are rounded to.
    private let elementType: ElementType
    private let tokenizer: TokenizerFiles
    /// Whether rows of queries and keys stand in the order of interleaved pairs.
    private let isPermuted: Bool

    /// Of llama.cpp.
    static let architectures: Set = ["llama", "qwen2"]

    /// - Parameter elementType: F32, F16 or BF16. nil: that of the matrices, where all have the same; F32 where some are
    ///   wider than F16; and F16 for blocks, whose numbers are products of float16 scales and small integers: bfloat16
    ///   would take three more of their bits.
    /// - Throws: `inexpressible` with what Hugging Face's model cannot be; `tokenizer`.
    init(_ model: DecoderModel, _ file: GGUFFile, _ elementType: ElementType?) throws(ExportError) {
        let path = model.checkpoint.path
        let name = try wrappingCheckpoint { () throws(CheckpointError) in
            try file.metadata.string("general.architecture")
        }
        guard GGUFConversion.architectures.contains(name) else {
            throw .inexpressible(
                path: path,
                problem: "a \(name) model in GGUF is not written as a Hugging Face folder; llama and qwen2 are. Start "
                    + "from the Hugging Face folder that the file was converted from, or remove or merge layers in GGUF"
            )
        }
        self.model = try GGUFConversion.completed(model, isQwen: name == "qwen2")
        isPermuted = name == "llama"
        rotaries = try model.plan.rotaries.map { rotary throws(ExportError) in
            try GGUFConversion.converted(rotary, model.plan, path)
        }
        do throws(TokenizerError) {
            tokenizer = try TokenizerFiles(file, maximumLength: model.plan.maximumPositions)
        } catch {
            throw .tokenizer(error)
        }
        let type = elementType ?? GGUFConversion.defaultType(model)
        guard [.float32, .float16, .bfloat16].contains(type) else {
            throw .edit(path: path, problem: "weights are not written as \(type.rawValue), but as F32, F16 or BF16")
        }
        self.elementType = type
        configuration = GGUFConversion.configuration(self.model.plan, rotaries, type, tokenizer)
    }

    private static func defaultType(_ model: DecoderModel) -> ElementType {
        let names = model.outerTensorNames + model.plan.layers.indices.flatMap { model.tensorNames(ofLayer: $0) }
        let types = Set(
            names.lazy.filter { !$0.contains("norm") && $0.hasSuffix(".weight") }
                .compactMap { model.checkpoint.elementType(of: $0) })
        if types == [.bfloat16] { return .bfloat16 }
        return types.isDisjoint(with: [.float32, .float64, .bfloat16]) ? .float16 : .float32
    }

    func writeTokenizer(to folder: OutputFolder) throws(OutputError) {
        try folder.write(tokenizer.tokenizer.serialized(indented: false), to: "tokenizer.json")
        try folder.write(tokenizer.configuration.serialized(indented: true), to: "tokenizer_config.json")
        let generation = JSON.object(JSONObject(GGUFConversion.roles(tokenizer) + [("_from_model_config", true)]))
        try folder.write(generation.serialized(indented: true), to: "generation_config.json")
    }
}

// MARK: - Settings

extension GGUFConversion {
    private static func configuration(
        _ plan: DecoderPlan, _ rotaries: [RotaryEmbedding], _ elementType: ElementType, _ tokenizer: TokenizerFiles
    ) -> JSONObject {
        let isQwen = plan.family == "qwen2"
        let types: [ElementType: JSON] = [.float32: "float32", .float16: "float16", .bfloat16: "bfloat16"]
        var settings: JSONObject = [
            "architectures": [isQwen ? "Qwen2ForCausalLM" : "LlamaForCausalLM"], "model_type": .string(plan.family),
            "hidden_size": .integer(plan.width), "intermediate_size": .integer(plan.feedForward.width),
            "num_hidden_layers": .integer(plan.layerCount), "num_attention_heads": .integer(plan.heads.queryCount),
            "num_key_value_heads": .integer(plan.heads.keyCount), "head_dim": .integer(plan.heads.width),
            "hidden_act": "silu", "max_position_embeddings": .integer(plan.maximumPositions),
            // The shortest decimal that is the same float32.
            "rms_norm_eps": .number(Double("\(plan.norm.epsilon)") ?? Double(plan.norm.epsilon)),
            "tie_word_embeddings": .bool(plan.isHeadTied), "vocab_size": .integer(plan.vocabularySize),
            "torch_dtype": types[elementType] ?? nil, "attention_dropout": 0.0, "initializer_range": 0.02,
            "use_cache": true,
        ]
        if isQwen {
            settings["use_sliding_window"] = false
        } else {
            settings["attention_bias"] = .bool(plan.biases.contains(.attention))
            settings["mlp_bias"] = .bool(plan.biases.contains(.feedForward))
        }
        for rotary in rotaries {
            settings["rope_theta"] = .number(rotary.base)
            settings["rope_scaling"] = scaling(rotary)
        }
        for (name, id) in roles(tokenizer) { settings[name] = id }
        return settings
    }

    /// The ids of tokens with roles.
    private static func roles(_ tokenizer: TokenizerFiles) -> [(String, JSON)] {
        let ends = tokenizer.endsOfSequence.map(JSON.integer)
        let roles: [(String, JSON?)] = [
            ("bos_token_id", tokenizer.beginningOfSequence.map(JSON.integer)),
            ("eos_token_id", ends.count > 1 ? .array(ends) : ends.first),
            ("pad_token_id", tokenizer.padding.map(JSON.integer)),
        ]
        return roles.compactMap { name, id in id.map { (name, $0) } }
    }

    private static func scaling(_ rotary: RotaryEmbedding) -> JSON {
        switch rotary.scaling {
        case .linear(let factor): ["rope_type": "linear", "factor": .number(factor)]
        case .llama3(let factor, let low, let high, let original):
            [
                "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low),
                "high_freq_factor": .number(high), "original_max_position_embeddings": .integer(original),
            ]
        case .yarn(let yarn):
            [
                "rope_type": "yarn", "factor": .number(yarn.factor),
                "original_max_position_embeddings": .integer(yarn.originalPositions),
                "beta_fast": .number(yarn.fastTurns), "beta_slow": .number(yarn.slowTurns),
                "attention_factor": .number(Double(yarn.attentionFactor)),
            ]
        default: nil
        }
    }

    // MARK: Rotary positions

    private static func converted(
        _ rotary: RotaryEmbedding, _ plan: DecoderPlan, _ path: String
    ) throws(ExportError) -> RotaryEmbedding {
        guard rotary.width == plan.heads.width else {
            throw .inexpressible(
                path: path,
                problem: "\(rotary.width) of a head's \(plan.heads.width) elements are turned; Hugging Face's "
                    + "\(plan.family) turns them all")
        }
        var result = rotary
        result.layout = .halves
        switch rotary.scaling {
        case .none, .linear, .yarn: return result
        case .divided(let divisors):
            if divisors.allSatisfy({ $0 == 1 }) {
                result.scaling = .none
                return result
            }
            guard let scaling = StretchedFrequencies(divisors, base: rotary.base).scaling else { break }
            result.scaling = scaling
            return result
        default: break
        }
        throw .inexpressible(
            path: path,
            problem:
                "the divisors of its rotary frequencies are none that Hugging Face's rope_type \"llama3\" gives; start "
                + "from the folder that the file was converted from")
    }
}

/// The parameters of LLaMA 3.1's stretched frequencies, found again from the divisors that llama.cpp's converter makes of
/// them.
///
/// A wavelength λ is divided by 1 / ((1 - s) / factor + s), where s = (original / λ - low) / (high - low), from 0 to 1.
private struct StretchedFrequencies {
    private let divisors: [Double]
    private let wavelengths: [Double]

    private static let lowFactors = [1.0, 2, 4, 0.5]
    private static let highFactors = [4.0, 2, 8, 16, 3, 1.5, 32]
    private static let powersOfTwo = (0...20).map { 1 << $0 }

    init(_ divisors: [Float], base: Double) {
        self.divisors = divisors.map { Double($0) }
        wavelengths = divisors.indices.map { 2 * .pi * pow(base, Double($0) / Double(divisors.count)) }
    }

    /// nil where there are none of the usual numbers.
    var scaling: RotaryEmbedding.Scaling? {
        guard let factor = divisors.max(), factor > 1, divisors.allSatisfy({ $0 >= 1 }) else { return nil }
        for low in Self.lowFactors {
            for high in Self.highFactors where high > low {
                for original in originals(factor, low, high) + Self.powersOfTwo
                where original > 0 && fits(factor, low, high, original) {
                    return .llama3(factor: factor, lowFactor: low, highFactor: high, originalPositions: original)
                }
            }
        }
        return nil
    }

    /// The original positions as each divisor between the least and the greatest has them.
    private func originals(_ factor: Double, _ low: Double, _ high: Double) -> [Int] {
        zip(divisors, wavelengths).compactMap { divisor, wavelength in
            guard divisor > 1, divisor < factor else { return nil }
            let share = (1 / divisor - 1 / factor) / (1 - 1 / factor)
            return Int(exactly: ((share * (high - low) + low) * wavelength).rounded())
        }
    }

    private func fits(_ factor: Double, _ low: Double, _ high: Double, _ original: Int) -> Bool {
        zip(divisors, wavelengths).allSatisfy { divisor, wavelength in
            let share = min(1, max(0, (Double(original) / wavelength - low) / (high - low)))
            return abs(1 / ((1 - share) / factor + share) - divisor) < 1e-5 * divisor
        }
    }
}

// MARK: - Tensors

extension GGUFConversion {
    private static let outerNames = [
        "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    ]
    private static let parts = [
        "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    ]

    /// A tensor outside the layers.
    func outerTensor(_ name: String, of checkpoint: Checkpoint) throws(ExportError) -> ExportTensor {
        try ExportTensor(Self.outerNames[name] ?? name, elementType, decoding: name, of: checkpoint)
    }

    /// A tensor of a layer.
    ///
    /// - Parameters:
    ///   - prefix: What its name begins with.
    ///   - index: The layer of the new model that it belongs to.
    func tensor(
        _ name: String, prefix: String, layer index: Int, of checkpoint: Checkpoint
    ) throws(ExportError) -> ExportTensor {
        let components = name.dropFirst(prefix.count + 1).split(separator: ".").map(String.init)
        let part = components.first ?? ""
        let newName = (["model.layers.\(index)", Self.parts[part] ?? part] + components.dropFirst())
            .joined(separator: ".")
        let isTurned = isPermuted && (part == "attn_q" || part == "attn_k")
        return try ExportTensor(
            newName, elementType, decoding: name, of: checkpoint, interleavedHeadWidth: isTurned ? headWidth : nil)
    }

    private var headWidth: Int { model.plan.heads.width }

    /// The model with all biases that Hugging Face's has, of which those that the file lacks are zeros.
    private static func completed(_ model: DecoderModel, isQwen: Bool) throws(ExportError) -> DecoderModel {
        let biases = model.plan.biases
        guard !biases.contains(.head), !isQwen || biases.isSubset(of: .queryKeyValue) else {
            throw .inexpressible(
                path: model.checkpoint.path, problem: "it has biases that Hugging Face's \(model.plan.family) has not")
        }
        var wanted: DecoderPlan.Biases = isQwen ? .queryKeyValue : []
        for group: DecoderPlan.Biases in [.attention, .feedForward] where !biases.isDisjoint(with: group) && !isQwen {
            wanted.formUnion(group)
        }
        let missing = wanted.subtracting(biases)
        guard !missing.isEmpty else { return model }
        let (width, heads) = (model.plan.width, model.plan.heads)
        let sizes: [(DecoderPlan.Biases, String, Int)] = [
            (.queryKeyValue, "attn_q", heads.queryCount * heads.width),
            (.queryKeyValue, "attn_k", heads.keyCount * heads.width),
            (.queryKeyValue, "attn_v", heads.keyCount * heads.width), (.attentionOutput, "attn_output", width),
            (.feedForwardInput, "ffn_gate", model.plan.feedForward.width),
            (.feedForwardInput, "ffn_up", model.plan.feedForward.width), (.feedForwardOutput, "ffn_down", width),
        ]
        var zeros: [MemoryTensor] = []
        for layer in model.plan.layers.indices {
            for (bias, part, count) in sizes where missing.contains(bias) {
                zeros.append(
                    try wrappingCheckpoint { () throws(CheckpointError) in
                        try MemoryTensor(
                            name: "blk.\(layer).\(part).bias", shape: [count],
                            values: [Float](repeating: 0, count: count))
                    })
            }
        }
        return try wrappingTransformer { () throws(TransformerError) in
            try DecoderModel(model.checkpoint.adding(zeros))
        }
    }
}

extension ExportTensor {
    /// A tensor of a checkpoint, whatever it is stored as, decoded and rounded to nearest, ties to even.
    ///
    /// - Parameter interleavedHeadWidth: Where rows are those of heads of this width in the order of interleaved pairs, which
    ///   is undone: row 2i + j of a head becomes its row i + j · width/2.
    init(
        _ name: String, _ elementType: ElementType, decoding storedName: String, of checkpoint: Checkpoint,
        interleavedHeadWidth headWidth: Int? = nil
    ) throws(ExportError) {
        let shape = try wrappingCheckpoint { () throws(CheckpointError) in try checkpoint.form(of: storedName).shape }
        self.init(name, elementType, shape) { file throws(ExportError) in
            let stored = try wrappingCheckpoint { () throws(CheckpointError) in try checkpoint.tensor(storedName) }
            // The rows of a vector are its elements; one of blocks is decoded whole.
            let isVector = shape.count == 1 && headWidth == nil
            let rowCount = isVector ? 1 : shape.first ?? 1
            let decoder = RowDecoder(stored, rowCount: rowCount, headWidth: headWidth, device: .host())
            for rows in decoder.pieces {
                try ExportTensor.write(try decoder.values(rows)[...], as: elementType, to: file, name)
            }
        }
    }
}

/// Decodes a stored tensor, some rows at a time.
private struct RowDecoder {
    private let stored: StoredTensor
    private let rowCount: Int
    private let headWidth: Int?
    private let device: Device

    init(_ stored: StoredTensor, rowCount: Int, headWidth: Int?, device: Device) {
        (self.stored, self.rowCount, self.headWidth, self.device) = (stored, rowCount, headWidth, device)
    }

    /// Ranges of rows of about a million elements, which are all rows.
    var pieces: [Range<Int>] {
        guard rowCount > 0, stored.elementCount > 0 else { return [] }
        let count = max(1, (1 << 20) * rowCount / stored.elementCount)
        return stride(from: 0, to: rowCount, by: count).map { $0..<min($0 + count, rowCount) }
    }

    /// The numbers of rows of the result.
    func values(_ rows: Range<Int>) throws(ExportError) -> [Float] {
        let (size, columnCount) = (stored.byteCount / rowCount, stored.elementCount / rowCount)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * size)
        unsafe stored.withBytes { source in
            for row in rows {
                let begin = place(row) * size
                unsafe bytes.append(contentsOf: source[begin..<begin + size])
            }
        }
        stored.release(rows.lowerBound * size..<rows.upperBound * size)
        do throws(ComputeError) {
            let tensor = try device.makeTensor([rows.count, columnCount], .float32, for: "weights to be written")
            try unsafe bytes.withUnsafeBufferPointer { buffer throws(ComputeError) in
                try unsafe device.decode(
                    UnsafeRawBufferPointer(buffer).bytes, elementType: stored.elementType, into: tensor)
            }
            return try device.floats(of: tensor)
        } catch {
            throw .transformer(.compute(error))
        }
    }

    /// Where a row of the result is stored.
    private func place(_ row: Int) -> Int {
        guard let headWidth else { return row }
        let (head, inner) = row.quotientAndRemainder(dividingBy: headWidth)
        let (half, pair) = inner.quotientAndRemainder(dividingBy: headWidth / 2)
        return head * headWidth + 2 * pair + half
    }
}
