/// A NumPy file before it is written: the dictionary of its header is text, so that it need be none.
struct NumPyDocument {
    var magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    var version: [UInt8]
    /// What the file says the header's length is; nil for the truth.
    var headerLength: UInt64?
    /// Keys and values as they stand in the text.
    var members: [(key: [UInt8], value: [UInt8])]
    /// What closes the dictionary, before spaces and a line end.
    var ending = Array("}".utf8)
    var data: [UInt8]

    /// A matrix in any type, byte order, order and version that are read.
    init(_ matrix: MatrixNumbers, _ random: inout RandomSource) {
        let type = random.pick(MatrixNumbers.ElementType.allCases)
        let isBigEndian = type != .bfloat16 && random.once(in: 2)
        let isColumnMajor = random.once(in: 2)
        version = [UInt8(1 + random.index(3)), 0]
        members = [
            (Self.quoted("descr"), Self.quoted((isBigEndian ? ">" : "<") + type.rawValue)),
            (Self.quoted("fortran_order"), Array((isColumnMajor ? "True" : "False").utf8)),
            (Self.quoted("shape"), Array("(\(matrix.rowCount), \(matrix.width))".utf8)),
        ]
        data = matrix.bytes(type, isBigEndian: isBigEndian, isColumnMajor: isColumnMajor)
    }

    private static func quoted(_ text: String) -> [UInt8] { Array("'\(text)'".utf8) }

    var bytes: [UInt8] {
        let text = header
        let length = headerLength ?? UInt64(text.count)
        let lengthBytes = version.first == 1 ? 2 : 4
        return magic + version + ByteMutation.bytes(length).prefix(lengthBytes) + text + data
    }

    /// As NumPy writes it: the data begins at a multiple of 64 bytes.
    private var header: [UInt8] {
        var text = Array("{".utf8)
        for (key, value) in members { text += key + Array(": ".utf8) + value + Array(", ".utf8) }
        text += ending
        let start = magic.count + version.count + (version.first == 1 ? 2 : 4)
        while (start + text.count + 1) % 64 != 0 { text.append(UInt8(ascii: " ")) }
        return text + [UInt8(ascii: "\n")]
    }
}

// MARK: - Mutation

extension NumPyDocument {
    /// One change that knows the format.
    mutating func mutate(_ random: inout RandomSource) {
        switch random.index(12) {
        case 0: mutateStart(&random)
        case 1:
            let truth = UInt64(header.count)
            headerLength = random.once(in: 2) ? truth &+ UInt64(random.index(17)) &- 8 : random.interesting()
        case 2: data.removeLast(random.size(below: data.count + 1))
        case 3: data += (0..<1 + random.size(below: 4096)).map { _ in random.byte() }
        case 4: mutateMembers(&random)
        case 5: ending = random.pick(Self.endings)
        case 6: set("descr", Self.type(&random))
        case 7: set("fortran_order", Array(random.pick(Self.orders).utf8))
        case 8, 9: set("shape", Self.shape(&random))
        // A key or a value that is something else entirely.
        case 10: set(random.pick(["descr", "fortran_order", "shape"]), Self.literal(&random))
        default: if !members.isEmpty { members[random.index(members.count)].key = Self.literal(&random) }
        }
    }

    private mutating func mutateStart(_ random: inout RandomSource) {
        if random.once(in: 2) {
            version = random.pick([
                [0, 0], [1, 1], [2, 255], [3, 1], [4, 0], [255, 255], [2], [1, 0, 0], [2, 0], [3, 0],
            ])
        } else {
            ByteMutation.mutate(&magic, &random)
        }
    }

    private mutating func mutateMembers(_ random: inout RandomSource) {
        guard !members.isEmpty else { return }
        let place = random.index(members.count)
        switch random.index(5) {
        case 0: members.remove(at: place)
        case 1: members.append(random.pick(members))
        case 2: members.insert((Self.literal(&random), random.pick(members).value), at: place)
        case 3: members.shuffle(using: &random)
        default:
            let count = 1 << (4 + random.index(9))
            members += (0..<count).map { (Self.quoted("k\($0)"), Array("0".utf8)) }
        }
    }

    private mutating func set(_ key: String, _ value: [UInt8]) {
        guard let place = members.firstIndex(where: { $0.key == Self.quoted(key) }) else { return }
        members[place].value = value
    }

    // MARK: Python's literals

    private static let endings = [
        "", "}}", "} }", "}{}", "} # a comment", "}\n# a comment\n", "};import os", "}\0", ",}", "}\\",
        "} 'unterminated",
    ].map { Array($0.utf8) }

    private static let orders = [
        "true", "False", "True", "0", "1", "None", "'True'", "Truest", "Fals", "not True", "True and False", "()", "",
    ]

    private static func type(_ random: inout RandomSource) -> [UInt8] {
        let types = [
            "'<f2'", "'<f4'", "'<f8'", "'>f2'", "'>f4'", "'>f8'", "'<V2'", "'|V2'", "'>V2'", "'|f4'", "'=f8'", "'f4'",
            "'<f16'", "'<i4'", "'|u1'", "'|O'", "'<c8'", "'<U3'", "'<f4 '", "''", "'", "\"<f4\"", "'''<f4'''", "u'<f4'",
            "b'<f4'", "'<' 'f4'", "[('a', '<f4')]", "[('a', [('b', '<f4')])]", "{'names': ['a']}", "('<f4', (2,))",
            "'\\x3cf4'", "'\\N{LESS-THAN SIGN}f4'", "'\u{1B}[2J'", "'<f\u{FF14}'",
        ]
        return Array(random.pick(types).utf8)
    }

    private static func shape(_ random: inout RandomSource) -> [UInt8] {
        if random.once(in: 3) { return Array(random.pick(shapes).utf8) }
        let count = random.once(in: 8) ? 1 << random.index(13) : random.index(6)
        let number = JSONTree.hostileNumber(&random)
        let lengths = (0..<count).map { _ in
            switch random.index(4) {
            case 0: number.prefix(40)
            case 1: Array("-\(random.index(9))".utf8)[...]
            default: Array("\(random.index(41))".utf8)[...]
            }
        }
        return Array("(".utf8) + lengths.joined(separator: Array(", ".utf8))
            + Array(random.pick([")", ",)", "]", ""]).utf8)
    }

    private static let shapes = [
        "(4294967296, 4294967296)", "(4611686018427387904, 4)", "(2305843009213693952, 8)",
        "(3, 0, 9223372036854775807)",
        "(9223372036854775807, 1)", "(9223372036854775808, 1)", "(18446744073709551616, 1)", "(-1, -24)", "(-0, 3)",
        "(0, 0)", "()", "(12)", "(12,)", "12", "(1, 12, 1)", "[12, 2]", "(12 , 2 , )", "(1_2, 2)", "(0x0c, 2)",
        "(0o14, 2)", "(012, 2)", "(12L, 2L)", "(12., 2)", "(1e1, 2)", "(12j, 2)", "(12, 2, # a comment\n)",
        "(12,\\\n2)",
        "(*range(9), 2)", "(True, 2)", "(None, 2)", "('12', 2)", "((12, 2))", "((12,), 2)", "(12,, 2)", "(, )",
        "(+12, 2)",
        "(1\u{660}, 2)", "(6+6, 2)", "(12\u{A0}, 2)",
    ]

    /// What Python may make something of, or choke on.
    private static func literal(_ random: inout RandomSource) -> [UInt8] {
        let quote = Array("'".utf8)
        switch random.index(8) {
        case 0:
            return nested(
                1 << random.index(17), random.pick([("(", ")"), ("[", "]"), ("{1:", "}"), ("(", ""), ("-", "")]))
        case 1: return quote + random.pick(ByteMutation.invalidUTF8) + quote
        case 2:
            return quote + [UInt8](repeating: random.pick([0x61, 0x20, 0x5C]), count: 1 << random.index(18)) + quote
        case 3: return [UInt8](repeating: random.pick([0x31, 0x39, 0x30]), count: 1 << random.index(18))
        case 4: return quote + Array("\u{202E}\u{9B}31m\u{1B}]0;a\u{7}".utf8) + quote
        default: return Array(random.pick(literals).utf8)
        }
    }

    private static func nested(_ depth: Int, _ pair: (open: String, close: String)) -> [UInt8] {
        Array((String(repeating: pair.open, count: depth) + "1" + String(repeating: pair.close, count: depth)).utf8)
    }

    private static let literals = [
        "'", "\"", "'''", "'descr", "'shape'", "'descr'", "'\\u0073hape'", "'\\ud800'", "'\\", "r'\\'", "f'{1}'",
        "b'\\xff'",
        "# a comment", "\n", "\0", "\t", "...", "None", "lambda: 0", "__import__('os')", "1e999999999", "-", "~1", "0x",
        "{}",
        "{1}", "[]", "()", ":", ",", "::", "\u{FEFF}", "\u{2028}", "'a' 'b'", "'a':'b'", "*a", "**a", "a.b",
        "1 if 1 else 2",
    ]
}
