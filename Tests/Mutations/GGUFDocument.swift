/// A GGUF file before it is written: every count, length and offset can be made to lie.
struct GGUFDocument {
    struct Pair {
        var key: [UInt8]
        var type: UInt32
        /// As it stands in the file.
        var value: [UInt8]
        /// What the file says the key's length is; nil for the truth.
        var keyLength: UInt64?
    }

    struct Tensor {
        var name: [UInt8]
        /// Innermost first, as the file has it.
        var shape: [UInt64]
        var type: UInt32
        var offset: UInt64
        var nameLength: UInt64?
        var dimensionCount: UInt32?
    }

    var version: UInt32 = 3
    var pairs: [Pair] = []
    var tensors: [Tensor] = []
    var data: [UInt8] = []
    var tensorCount: UInt64?
    var pairCount: UInt64?

    /// The data starts at a multiple of this.
    static let alignment = 32

    var bytes: [UInt8] {
        var file = Array("GGUF".utf8) + Self.number(version)
        file += Self.number(tensorCount ?? UInt64(tensors.count)) + Self.number(pairCount ?? UInt64(pairs.count))
        for pair in pairs {
            file +=
                Self.number(pair.keyLength ?? UInt64(pair.key.count)) + pair.key + Self.number(pair.type) + pair.value
        }
        for tensor in tensors {
            file += Self.number(tensor.nameLength ?? UInt64(tensor.name.count)) + tensor.name
            file += Self.number(tensor.dimensionCount ?? UInt32(tensor.shape.count))
            file += tensor.shape.flatMap(Self.number) + Self.number(tensor.type) + Self.number(tensor.offset)
        }
        while !tensors.isEmpty, file.count % Self.alignment != 0 { file.append(0) }
        return file + data
    }
}

// MARK: - Values

extension GGUFDocument {
    /// The numbers of the format's value types.
    enum ValueType {
        static let uint32: UInt32 = 4
        static let int32: UInt32 = 5
        static let float32: UInt32 = 6
        static let bool: UInt32 = 7
        static let string: UInt32 = 8
        static let array: UInt32 = 9
        static let uint64: UInt32 = 10
        static let float64: UInt32 = 12
    }

    static func number(_ value: some FixedWidthInteger) -> [UInt8] { ByteMutation.bytes(value) }

    static func string(_ bytes: [UInt8]) -> [UInt8] { number(UInt64(bytes.count)) + bytes }

    static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

    /// - Parameter count: what the file says the number of elements is; nil for the truth.
    static func array(_ type: UInt32, _ elements: [[UInt8]], count: UInt64? = nil) -> [UInt8] {
        number(type) + number(count ?? UInt64(elements.count)) + elements.joined()
    }

    mutating func add(_ key: String, _ type: UInt32, _ value: [UInt8]) {
        pairs.append(Pair(key: Array(key.utf8), type: type, value: value))
    }

    /// Sets the pair of this key, and adds it where there is none.
    mutating func set(_ key: String, _ type: UInt32, _ value: [UInt8]) {
        guard let place = pairs.firstIndex(where: { $0.key == Array(key.utf8) }) else {
            add(key, type, value)
            return
        }
        (pairs[place].type, pairs[place].value) = (type, value)
    }

    mutating func add(_ key: String, _ value: String) { add(key, ValueType.string, Self.string(value)) }

    mutating func add(_ key: String, _ value: UInt32) { add(key, ValueType.uint32, Self.number(value)) }
}

// MARK: - The base

extension GGUFDocument {
    /// Element types of weights: number, elements and bytes of a block.
    private static let weightTypes: [(number: UInt32, elementCount: Int, byteCount: Int)] = [
        (0, 1, 4), (1, 1, 2), (30, 1, 2), (28, 1, 8), (2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34),
        (20, 32, 18), (10, 256, 84), (11, 256, 110), (12, 256, 144), (13, 256, 176), (14, 256, 210), (15, 256, 292),
    ]

    /// The tiny model with its tokenizer; the element types are drawn.
    static func tinyModel(_ random: inout RandomSource) -> GGUFDocument {
        var document = GGUFDocument()
        // Wide enough for the types with large blocks, at times.
        let width = random.once(in: 6) ? 256 : TinyModel.width
        document.addSettings(width: width)
        document.addTokenizer()
        for weight in TinyModel.weights(TinyModel.ggufNames, width: width) {
            let columns = weight.shape[weight.shape.count - 1]
            let type = random.pick(weightTypes.filter { columns.isMultiple(of: $0.elementCount) })
            while document.data.count % alignment != 0 { document.data.append(0) }
            document.tensors.append(
                Tensor(
                    name: Array(weight.name.utf8), shape: weight.shape.reversed().map { UInt64($0) },
                    type: type.number, offset: UInt64(document.data.count)))
            document.data += TinyModel.data(weight.elementCount / type.elementCount * type.byteCount, &random)
        }
        return document
    }

    private mutating func addSettings(width: Int) {
        add("general.architecture", "llama")
        add("general.alignment", UInt32(Self.alignment))
        add("llama.block_count", UInt32(TinyModel.layerCount))
        add("llama.embedding_length", UInt32(width))
        add("llama.attention.key_length", UInt32(TinyModel.headWidth))
        add("llama.feed_forward_length", UInt32(TinyModel.inner))
        add("llama.attention.head_count", UInt32(TinyModel.queryCount))
        add("llama.attention.head_count_kv", UInt32(TinyModel.keyCount))
        add("llama.context_length", 64 as UInt32)
        add("llama.rope.freq_base", ValueType.float32, Self.number(Float(10_000).bitPattern))
        add("llama.attention.layer_norm_rms_epsilon", ValueType.float32, Self.number(Float(1e-5).bitPattern))
    }

    mutating func addTokenizer() {
        add("tokenizer.ggml.model", "gpt2")
        add("tokenizer.ggml.pre", "smollm")
        add("tokenizer.ggml.tokens", ValueType.array, Self.array(ValueType.string, TinyModel.tokens.map(Self.string)))
        var types = TinyModel.tokens.map { _ in Self.number(Int32(1)) }
        types[TinyModel.controlID] = Self.number(Int32(3))
        types[TinyModel.userID] = Self.number(Int32(4))
        add("tokenizer.ggml.token_type", ValueType.array, Self.array(ValueType.int32, types))
        let merges = TinyModel.merges.map { Self.string("\($0.0) \($0.1)") }
        add("tokenizer.ggml.merges", ValueType.array, Self.array(ValueType.string, merges))
        add("tokenizer.ggml.bos_token_id", UInt32(TinyModel.controlID))
        add("tokenizer.ggml.add_bos_token", ValueType.bool, [0])
    }
}
