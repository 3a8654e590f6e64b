/// A pickle before it is written: its instructions one by one, so that any of them can be lost, doubled or another.
struct PickleProgram {
    /// Each with its argument.
    var instructions: [[UInt8]] = []
    private var memoCount = 0
    private var rememberedNames: [String: Int] = [:]
    private let version: UInt8

    init(version: UInt8) {
        self.version = version
        instructions = [[0x80, version]]
    }

    var bytes: [UInt8] { Array(instructions.joined()) }

    // MARK: Writing as Python does

    mutating func add(_ code: Unicode.Scalar, _ argument: [UInt8] = []) {
        instructions.append([UInt8(ascii: code)] + argument)
    }

    /// Remembers the value on top, as each is that could be used again.
    mutating func remember() {
        if version >= 4 {
            instructions.append([0x94])
        } else if memoCount < 256 {
            add("q", [UInt8(memoCount)])
        } else {
            add("r", ByteMutation.bytes(UInt32(memoCount)))
        }
        memoCount += 1
    }

    mutating func text(_ text: String) {
        let bytes = Array(text.utf8)
        if version >= 4 {
            instructions.append([0x8C, UInt8(bytes.count)] + bytes)
        } else {
            add("X", ByteMutation.bytes(UInt32(bytes.count)) + bytes)
        }
        remember()
    }

    mutating func integer(_ value: Int) {
        switch value {
        case 0...0xFF: add("K", [UInt8(value)])
        case 0...0xFFFF: add("M", ByteMutation.bytes(UInt16(value)))
        default: add("J", ByteMutation.bytes(Int32(truncatingIfNeeded: value)))
        }
    }

    mutating func global(_ module: String, _ name: String) {
        let key = "\(module) \(name)"
        if let index = rememberedNames[key] {
            index < 256 ? add("h", [UInt8(index)]) : add("j", ByteMutation.bytes(UInt32(index)))
            return
        }
        if version >= 4 {
            text(module)
            text(name)
            instructions.append([0x93])
        } else {
            add("c", Array("\(module)\n\(name)\n".utf8))
        }
        rememberedNames[key] = memoCount
        remember()
    }

    mutating func tuple(_ values: [Int]) {
        add("(")
        for value in values { integer(value) }
        add("t")
        remember()
    }

    mutating func emptyOrderedDictionary() {
        global("collections", "OrderedDict")
        add(")")
        add("R")
        remember()
    }

    /// A tensor of a storage.
    mutating func tensor(
        key: String, type: String, storageCount: Int, offset: Int, shape: [Int], strides: [Int], isParameter: Bool
    ) {
        if isParameter {
            global("torch._utils", "_rebuild_parameter")
            add("(")
        }
        global("torch._utils", "_rebuild_tensor_v2")
        add("(")
        add("(")
        text("storage")
        global("torch", type)
        text(key)
        text("cpu")
        integer(storageCount)
        add("t")
        remember()
        add("Q")
        integer(offset)
        tuple(shape)
        tuple(strides)
        instructions.append([0x89])
        emptyOrderedDictionary()
        add("t")
        remember()
        add("R")
        remember()
        guard isParameter else { return }
        instructions.append([0x88])
        emptyOrderedDictionary()
        add("t")
        add("R")
        remember()
    }
}

// MARK: - Mutation

extension PickleProgram {
    /// One change that knows the format.
    mutating func mutate(_ random: inout RandomSource) {
        let place = random.index(instructions.count)
        switch random.index(12) {
        case 0: instructions.remove(at: place)
        case 1: instructions.insert(random.pick(instructions), at: place)
        case 2: instructions.swapAt(place, random.index(instructions.count))
        case 3: instructions[place] = [random.pick(Self.codes)] + instructions[place].dropFirst()
        case 4: ByteMutation.mutate(&instructions[place], &random)
        case 5, 6, 7: mutateNumber(&random)
        case 8: mutateText(&random)
        case 9: instructions.insert(Self.hostile(&random), at: place)
        case 10: instructions.insert(Self.repeated(&random), at: place)
        default: instructions.removeSubrange(place..<min(instructions.count, place + 1 + random.size(below: 40)))
        }
        if instructions.isEmpty { instructions = [[0x2E]] }
    }

    /// Every instruction of Python's pickles.
    private static let codes: [UInt8] =
        Array("(.012BCFGIJKLMNPQRSTUVX]abcdeghijloprstu})".utf8) + Array(0x80...0x98)

    /// A number that stands for an offset, a length, a stride or a count is another.
    private mutating func mutateNumber(_ random: inout RandomSource) {
        let places = instructions.indices.filter { "KMJ".utf8.contains(instructions[$0].first ?? 0) }
        guard !places.isEmpty else { return }
        let place = random.pick(places)
        switch random.index(4) {
        case 0: instructions[place] = [UInt8(ascii: "K"), random.byte()]
        case 1: instructions[place] = [0x8A, 8] + ByteMutation.bytes(random.interesting())
        case 2:
            instructions[place] =
                [UInt8(ascii: "J")] + ByteMutation.bytes(UInt32(truncatingIfNeeded: random.interesting()))
        default: instructions[place] = instructions[random.pick(places)]
        }
    }

    private mutating func mutateText(_ random: inout RandomSource) {
        let places = instructions.indices.filter {
            instructions[$0].first == UInt8(ascii: "X") || instructions[$0].first == 0x8C
        }
        guard !places.isEmpty else { return }
        let text =
            random.once(in: 4)
            ? random.pick(ByteMutation.invalidUTF8) : Array(random.pick(Self.texts).utf8)
        let length = random.once(in: 6) ? UInt32(truncatingIfNeeded: random.interesting()) : UInt32(text.count)
        instructions[random.pick(places)] = [UInt8(ascii: "X")] + ByteMutation.bytes(length) + text
    }

    private static let texts = [
        "", "storage", "0", "1", "../data.pkl", "data.pkl", "/etc/passwd", "state_dict", "model", "module",
        "\u{1B}[2J", "\u{202E}\u{9B}31m", "a\0b", "model.norm.weight", "os", "system", "torch._utils",
        String(repeating: "x", count: 4000),
    ]

    /// What a hostile pickle does.
    private static func hostile(_ random: inout RandomSource) -> [UInt8] {
        let (module, name) = random.pick(names)
        let argument = [UInt8(ascii: "X")] + ByteMutation.bytes(UInt32(2)) + Array("id".utf8)
        let global = [UInt8(ascii: "c")] + Array("\(module)\n\(name)\n".utf8)
        switch random.index(6) {
        case 0: return global
        case 1: return global + argument + [0x85, UInt8(ascii: "R")]
        case 2: return [UInt8(ascii: "(")] + argument + [UInt8(ascii: "i")] + Array("\(module)\n\(name)\n".utf8)
        case 3: return global + [UInt8(ascii: ")"), 0x81]
        case 4: return [UInt8(ascii: "}"), UInt8(ascii: "b")]
        default: return global + [UInt8(ascii: ")"), UInt8(ascii: "R"), UInt8(ascii: "}"), UInt8(ascii: "b")]
        }
    }

    private static let names = [
        ("os", "system"), ("builtins", "eval"), ("builtins", "getattr"), ("torch.storage", "_load_from_bytes"),
        ("torch", "Size"), ("torch", "device"), ("torch", "float32"), ("torch", "FloatStorage"),
        ("torch", "LongStorage"), ("torch.storage", "UntypedStorage"), ("torch._utils", "_rebuild_tensor_v3"),
        ("torch._utils", "_rebuild_parameter"), ("collections", "OrderedDict"), ("", ""), ("\u{1B}[2J", "\u{9B}31m"),
        ("x", String(repeating: "y", count: 5000)),
    ]

    /// Many of one instruction: depth, values, entries of the memo.
    private static func repeated(_ random: inout RandomSource) -> [UInt8] {
        let unit = random.pick([
            Array("(".utf8), Array(")".utf8), Array("]".utf8), Array("}".utf8), Array("N".utf8), [0x85], [0x94],
            Array("}K\0s".utf8), Array("(t".utf8), Array("]Na".utf8), Array(")0".utf8), [0x8C, 0], Array("h\0".utf8),
            Array("}h\0h\0s".utf8), Array("(]]]]]]]]l".utf8), Array("2".utf8), Array("(h\0h\0h\0t".utf8),
        ])
        return Array(repeatElement(unit, count: 1 << random.index(17)).joined())
    }
}
