extension GGUFDocument {
    /// One change that knows the format.
    mutating func mutate(_ random: inout RandomSource) {
        switch random.index(16) {
        case 0: version = UInt32(truncatingIfNeeded: random.interesting())
        case 1: tensorCount = random.interesting()
        case 2: pairCount = random.interesting()
        case 3, 4: mutatePair(&random)
        case 5: pairs.insert(random.pick(pairs), at: random.index(pairs.count + 1))
        case 6: pairs.remove(at: random.index(pairs.count))
        case 7, 8, 9: mutateSetting(&random)
        case 10, 11, 12: mutateTensor(&random)
        case 13: mutateTensors(&random)
        case 14: swell(&random)
        default: mutateTokens(&random)
        }
        if pairs.isEmpty { add("general.architecture", "llama") }
        if tensors.isEmpty { tensors.append(Tensor(name: [], shape: [0], type: 0, offset: 0)) }
    }

    /// One change of the metadata of a tokenizer.
    mutating func mutateTokenizer(_ random: inout RandomSource) {
        switch random.index(4) {
        case 0: mutatePair(&random)
        case 1: swell(&random)
        default: mutateTokens(&random)
        }
    }

    private mutating func mutatePair(_ random: inout RandomSource) {
        let place = random.index(pairs.count)
        switch random.index(6) {
        case 0: pairs[place].keyLength = random.interesting()
        case 1: pairs[place].key = random.pick(ByteMutation.invalidUTF8)
        case 2: pairs[place].key = Self.hostileText(&random)
        case 3: pairs[place].type = UInt32(random.index(16))
        case 4: ByteMutation.mutate(&pairs[place].value, &random)
        default: (pairs[place].type, pairs[place].value) = Self.value(&random)
        }
    }

    /// A setting of the model or the file gets a value that somebody might believe.
    private mutating func mutateSetting(_ random: inout RandomSource) {
        let key = random.pick(Self.settings)
        let (type, value) = Self.value(&random)
        set(key, type, value)
    }

    private static let settings = [
        "general.alignment", "general.architecture", "llama.block_count", "llama.embedding_length",
        "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.head_count_kv",
        "llama.attention.key_length", "llama.attention.value_length", "llama.rope.dimension_count", "llama.vocab_size",
        "llama.context_length", "llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon",
        "llama.expert_count", "llama.rope.scaling.type", "llama.unknown",
    ]

    // MARK: Tensors

    private mutating func mutateTensor(_ random: inout RandomSource) {
        let place = random.index(tensors.count)
        let other = random.pick(tensors)
        switch random.index(12) {
        case 0: tensors[place].nameLength = random.interesting()
        case 1: tensors[place].name = random.pick(ByteMutation.invalidUTF8)
        case 2: tensors[place].name = Self.hostileText(&random)
        case 3: tensors[place].name = other.name
        case 4: tensors[place].dimensionCount = UInt32(truncatingIfNeeded: random.interesting())
        case 5: tensors[place].shape = (0..<random.index(7)).map { _ in random.interesting() }
        case 6, 7:
            guard !tensors[place].shape.isEmpty else { return }
            tensors[place].shape[random.index(tensors[place].shape.count)] = random.interesting()
        case 8: tensors[place].shape.reverse()
        case 9: tensors[place].type = UInt32(random.index(48))
        case 10: tensors[place].offset = random.interesting()
        default: tensors[place].offset = other.offset
        }
    }

    private mutating func mutateTensors(_ random: inout RandomSource) {
        switch random.index(5) {
        case 0: tensors.remove(at: random.index(tensors.count))
        case 1: tensors.append(random.pick(tensors))
        case 2: tensors.shuffle(using: &random)
        case 3: ByteMutation.mutate(&data, &random)
        default:
            // Also a type that is not known, so that nothing says how much it takes.
            tensors.append(
                Tensor(
                    name: Self.hostileText(&random), shape: [random.interesting()], type: UInt32(random.index(1000)),
                    offset: 0))
        }
    }

    // MARK: The vocabulary

    private mutating func mutateTokens(_ random: inout RandomSource) {
        let texts = (0..<random.index(12)).map { _ in
            Self.string(random.once(in: 3) ? Self.hostileText(&random) : Array(random.pick(TinyModel.tokens).utf8))
        }
        let count = random.once(in: 8) ? random.interesting() : nil
        switch random.index(6) {
        case 0: set("tokenizer.ggml.tokens", ValueType.array, Self.array(ValueType.string, texts, count: count))
        case 1: set("tokenizer.ggml.merges", ValueType.array, Self.array(ValueType.string, texts, count: count))
        case 2:
            let types = TinyModel.tokens.map { _ in Self.number(Int32(random.index(9)) - 1) }
            set("tokenizer.ggml.token_type", ValueType.array, Self.array(ValueType.int32, types, count: count))
        case 3: set("tokenizer.ggml.bos_token_id", ValueType.uint64, Self.number(random.interesting()))
        case 4: set("tokenizer.ggml.add_bos_token", ValueType.bool, [random.byte() & 3])
        default:
            let (type, value) = Self.value(&random)
            set("tokenizer.ggml.\(random.pick(["model", "pre", "tokens", "merges", "token_type"]))", type, value)
        }
    }

    // MARK: Much of something

    /// Many of one thing, so that memory or time that grows faster than the file shows.
    private mutating func swell(_ random: inout RandomSource) {
        let count = 1 << (8 + random.index(8))
        switch random.index(7) {
        case 0:
            for index in 0..<count { add("k\(index)", ValueType.bool, [1]) }
        case 1:
            for index in 0..<count {
                tensors.append(Tensor(name: Array("t\(index)".utf8), shape: [0], type: 0, offset: 0))
            }
        case 2:
            add(
                "strings", ValueType.array,
                Self.array(ValueType.string, Array(repeating: Self.string(""), count: count)))
        case 3:
            let empty = Self.array(UInt32(random.index(13)), [])
            add("arrays", ValueType.array, Self.array(ValueType.array, Array(repeating: empty, count: count)))
        case 4:
            let tokens = TinyModel.tokens + (0..<count).map { "t\($0)" }
            let type = Int32(random.pick([1, 1, 3, 4]))
            set("tokenizer.ggml.tokens", ValueType.array, Self.array(ValueType.string, tokens.map(Self.string)))
            let types = tokens.map { _ in Self.number(type) }
            set("tokenizer.ggml.token_type", ValueType.array, Self.array(ValueType.int32, types))
        case 5:
            let long = Self.string([UInt8](repeating: random.pick([0x61, 0x20]), count: 8 * count))
            let tokens = TinyModel.tokens.dropLast().map(Self.string) + [long]
            set("tokenizer.ggml.tokens", ValueType.array, Self.array(ValueType.string, tokens))
        default:
            let merges = (0..<count).map { Self.string("a \(random.once(in: 2) ? "b" : "\($0)")") }
            set("tokenizer.ggml.merges", ValueType.array, Self.array(ValueType.string, merges))
        }
    }
}

// MARK: - Pieces

extension GGUFDocument {
    /// A value of any type that takes what stands in its way.
    private static func value(_ random: inout RandomSource) -> (type: UInt32, value: [UInt8]) {
        let integer = random.interesting()
        switch random.index(10) {
        case 0, 1: return (ValueType.uint32, number(UInt32(truncatingIfNeeded: integer)))
        case 2: return (ValueType.int32, number(Int32(truncatingIfNeeded: integer)))
        case 3: return (ValueType.uint64, number(integer))
        case 4: return (ValueType.float32, number(random.pick(floats).bitPattern))
        case 5: return (ValueType.float64, number(Double(random.pick(floats)).bitPattern))
        case 6: return (ValueType.string, string(hostileText(&random)))
        case 7: return (ValueType.array, nested(depth: random.pick([1, 2, 7, 8, 9, 100, 10_000]), &random))
        case 8:
            return (ValueType.array, array(UInt32(random.index(13)), [number(integer)], count: random.interesting()))
        default: return (ValueType.uint32, number(UInt32(random.index(64))))
        }
    }

    private static let floats: [Float] = [
        0, -0.0, -1, 1, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e-30, 1e30,
        .signalingNaN,
    ]

    private static func nested(depth: Int, _ random: inout RandomSource) -> [UInt8] {
        let header = number(ValueType.array) + number(UInt64(1))
        return Array(repeatElement(header, count: depth).joined()) + array(UInt32(random.index(13)), [])
    }

    /// Text that a terminal, a message or a comparison might stumble over.
    static func hostileText(_ random: inout RandomSource) -> [UInt8] {
        switch random.index(8) {
        case 0: []
        case 1: Array("\u{1B}[2J\u{7}".utf8)
        case 2: Array("\u{9B}31m".utf8)
        case 3: Array("e\u{301}".utf8)
        case 4: Array("\u{E9}".utf8)
        case 5: [UInt8](repeating: 0x78, count: 1 << random.index(17))
        case 6: random.pick(ByteMutation.invalidUTF8)
        default: Array("a\u{0}b ".utf8)
        }
    }
}
