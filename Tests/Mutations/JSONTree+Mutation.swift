extension JSONTree {
    /// One change at a place that is drawn.
    mutating func mutate(_ random: inout RandomSource) {
        var source = random
        let other = any(&source)
        random = source
        change(random.index(nodeCount)) { $0.mutateHere(other, &source) }
        random = source
    }

    /// A copy of a value in this one.
    private func any(_ random: inout RandomSource) -> JSONTree {
        var (copy, found) = (self, self)
        copy.change(random.index(nodeCount)) { found = $0 }
        return found
    }

    private mutating func mutateHere(_ other: JSONTree, _ random: inout RandomSource) {
        switch random.index(12) {
        case 0, 1: self = .leaf(Self.hostileNumber(&random))
        case 2, 3: self = .leaf(Self.hostileString(&random))
        case 4:
            self = JSONTree(random.pick(["null", "true", "false", "{}", "[]", "", "nul", "NaN", "Infinity", "'a'"]))
        case 5: self = other
        case 6: self = Self.deep(random.pick([1, 2, 100, 510, 511, 512, 513, 10_000, 300_000]), self, &random)
        case 7: self = Self.wide(self, &random)
        case 8: self = .array([self])
        default: mutateContainer(other, &random)
        }
    }

    private mutating func mutateContainer(_ other: JSONTree, _ random: inout RandomSource) {
        switch self {
        case .leaf(var text):
            if random.once(in: 2) { ByteMutation.mutate(&text, &random) } else { text = Self.hostileString(&random) }
            self = .leaf(text)
        case .array(var elements):
            switch random.index(4) {
            case 0: if !elements.isEmpty { elements.remove(at: random.index(elements.count)) }
            case 1: elements.insert(other, at: random.index(elements.count + 1))
            case 2: if !elements.isEmpty { elements.append(random.pick(elements)) }
            default: elements.shuffle(using: &random)
            }
            self = .array(elements)
        case .object(var members):
            switch random.index(5) {
            case 0: if !members.isEmpty { members.remove(at: random.index(members.count)) }
            case 1: members.append((Self.hostileString(&random), other))
            // A key that is there twice.
            case 2: if !members.isEmpty { members.append((random.pick(members).key, other)) }
            case 3: if !members.isEmpty { members[random.index(members.count)].key = Self.hostileString(&random) }
            default: members.shuffle(using: &random)
            }
            self = .object(members)
        }
    }

    // MARK: Much of something

    private static func deep(_ depth: Int, _ inner: JSONTree, _ random: inout RandomSource) -> JSONTree {
        let (open, close) = random.pick([("[", "]"), ("{\"a\":", "}"), ("[[],", "]"), ("[", "")])
        let text = Array(repeatElement(open, count: depth).joined().utf8) + inner.bytes
        return .leaf(text + Array(repeatElement(close, count: depth).joined().utf8))
    }

    private static func wide(_ element: JSONTree, _ random: inout RandomSource) -> JSONTree {
        let text = element.bytes
        let count = min(1 << (4 + random.index(14)), ByteMutation.byteCountLimit / (text.count + 12))
        if random.once(in: 3) { return .object((0..<count).map { (string("k\($0)"), .leaf(text)) }) }
        let small = random.pick([text, Array("0".utf8), Array("[]".utf8), Array("{}".utf8), Array("\"\"".utf8)])
        return .array(Array(repeating: .leaf(small), count: count))
    }
}

// MARK: - Leaves

extension JSONTree {
    static func hostileNumber(_ random: inout RandomSource) -> [UInt8] {
        if random.once(in: 2) {
            let value = random.interesting()
            return Array((random.once(in: 2) ? "\(value)" : "\(Int64(bitPattern: value))").utf8)
        }
        if random.once(in: 12) { return [UInt8](repeating: random.pick([0x31, 0x30]), count: 1 << random.index(18)) }
        return Array(random.pick(numbers).utf8)
    }

    private static let numbers = [
        "-1", "-0", "0.5", "1e400", "-1e400", "1e-400", "1e308", "1e30", "1e-30", "1e39", "1E+999999999999999999999",
        "9223372036854775808", "-9223372036854775809", "18446744073709551616", "3.4028236e38", "1e-46", "0e0", "01",
        "1.",
        ".5", "1e", "+1", "0x10", "2147483647", "2147483648", "-2147483648", "4294967296", "16777216", "16777217",
        "1.0",
        "NaN", "-Infinity", "5e-324",
    ]

    static func hostileString(_ random: inout RandomSource) -> [UInt8] {
        let quote = [UInt8(ascii: "\"")]
        switch random.index(6) {
        case 0: return quote + random.pick(ByteMutation.invalidUTF8) + quote
        case 1: return quote + [UInt8](repeating: random.pick([0x61, 0x20]), count: 1 << random.index(18)) + quote
        default: return quote + Array(random.pick(strings).utf8) + quote
        }
    }

    private static let strings = [
        "", "a", "\\ud800", "\\ud800\\ud800", "\\udc00", "\\ud83d\\ude00", "\\u0000", "\\u001b[2J", "\\u009b31m",
        "\\u12",
        "\\x", "\\", "\\\\", "e\u{301}", "\u{E9}", "../x.safetensors", "/etc/passwd", "x\\u0000.safetensors", "\u{1}",
        "\u{FEFF}", "\\/", "F32", "I64", "float32", "llama", "BPE", "a b", " ", "\\n", "<|end|>", "Ġ",
    ]
}
