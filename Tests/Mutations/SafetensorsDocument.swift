import Checkpoints

/// A safetensors file before it is written: the header's length and everything in it can be made to lie.
struct SafetensorsDocument {
    var header: JSONTree
    var data: [UInt8]
    /// What the file says the header's length is; nil for the truth.
    var headerLength: UInt64?

    /// Tensors with their types, one after the other.
    init(_ weights: [TinyModel.Weight], _ random: inout RandomSource) {
        header = .object([(JSONTree.string("__metadata__"), JSONTree(["format": "pt"]))])
        data = []
        for weight in weights {
            let (type, byteCount) = random.pick([("F32", 4), ("F16", 2), ("BF16", 2), ("F64", 8)])
            let bytes = TinyModel.data(weight.elementCount * byteCount, &random)
            header[weight.name] = Self.entry(type, weight.shape, data.count, data.count + bytes.count)
            data += bytes
        }
    }

    /// A matrix in any type that is read, as the only tensor.
    init(_ matrix: MatrixNumbers, _ random: inout RandomSource) {
        let type = random.pick(MatrixNumbers.ElementType.allCases)
        data = matrix.bytes(type)
        let entry = Self.entry(type.safetensorsName, [matrix.rowCount, matrix.width], 0, data.count)
        header = .object([(JSONTree.string("words"), entry)])
    }

    var bytes: [UInt8] {
        var text = header.bytes
        // As its writers do, so that the data is aligned.
        while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
        return ByteMutation.bytes(headerLength ?? UInt64(text.count)) + text + data
    }

    private static func entry(_ type: String, _ shape: [Int], _ start: Int, _ end: Int) -> JSONTree {
        JSONTree([
            "dtype": .string(type), "shape": .array(shape.map { .integer($0) }),
            "data_offsets": [.integer(start), .integer(end)],
        ])
    }
}

// MARK: - Mutation

extension SafetensorsDocument {
    /// One change that knows the format.
    mutating func mutate(_ random: inout RandomSource) {
        switch random.index(10) {
        case 0:
            let truth = UInt64(header.bytes.count)
            headerLength = random.once(in: 2) ? truth &+ UInt64(random.index(17)) &- 8 : random.interesting()
        case 1, 2: header.mutate(&random)
        case 3: ByteMutation.mutate(&data, &random)
        case 4: swell(&random)
        default: mutateTensor(&random)
        }
    }

    private mutating func mutateTensor(_ random: inout RandomSource) {
        guard case .object(var members) = header, !members.isEmpty else { return }
        let place = random.index(members.count)
        let other = random.pick(members)
        var entry = members[place].value
        switch random.index(9) {
        case 0:
            let type = random.pick([
                "F64", "F32", "F16", "BF16", "I64", "BOOL", "F4", "F8_E4M3", "", "C64", "x\u{1B}[2J",
            ])
            entry["dtype"] = .leaf(JSONTree.string(type))
        case 1: entry["shape"] = numbers(random.index(6), &random)
        // A product of shape and size that overflows to something harmless.
        case 2:
            entry["shape"] = JSONTree(
                random.pick(["[4294967296,4294967296]", "[4611686018427387904,4]", "[3,0,9223372036854775807]"]))
        case 3: entry["data_offsets"] = numbers(2, &random)
        case 4: entry["data_offsets"] = numbers(random.index(5), &random)
        case 5: entry["data_offsets"] = other.value["data_offsets"]
        case 6: entry["shape"] = other.value["shape"]
        case 7: members[place].key = random.once(in: 2) ? other.key : JSONTree.hostileString(&random)
        default: entry[random.pick(["dtype", "shape", "data_offsets"])] = nil
        }
        members[place].value = entry
        header = .object(members)
    }

    /// Near what the data has, or anything.
    private func numbers(_ count: Int, _ random: inout RandomSource) -> JSONTree {
        .array(
            (0..<count).map { _ in
                random.once(in: 2)
                    ? JSONTree("\(random.index(data.count + 2))") : .leaf(JSONTree.hostileNumber(&random))
            })
    }

    private mutating func swell(_ random: inout RandomSource) {
        let count = 1 << (4 + random.index(10))
        switch random.index(3) {
        case 0:
            guard case .object(let members) = header else { return }
            header = .object(
                members + (0..<count).map { (JSONTree.string("t\($0)"), Self.entry("F32", [0], 0, 0)) })
        case 1: header["wide"] = Self.entry("U8", [Int](repeating: 1, count: count), 0, 1)
        default:
            header["__metadata__"] = .object(
                (0..<count).map { (JSONTree.string("k\($0)"), .leaf(JSONTree.string(""))) })
        }
    }
}
