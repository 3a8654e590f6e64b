import Tensors

/// Reads the parts of a GGUF file in their order: header, metadata, tensor infos.
struct GGUFReader {
    private var reader: ByteReader

    /// Arrays of metadata may stand inside each other this deep; real files have none that are nested.
    private static let depthLimit = 8
    /// ggml's tensors have at most this many dimensions.
    private static let dimensionLimit = 4

    init(_ file: MappedFile) { reader = ByteReader(file) }

    mutating func readHeader() throws(CheckpointError) -> (version: Int, tensorCount: Int, pairCount: Int) {
        guard GGUFFile.matches(reader.file) else { throw FileKind.wrongFormat(reader.file) }
        try reader.skip(4, "the magic number")
        let version = try reader.read(UInt32.self, "the version")
        guard version == 2 || version == 3 else {
            let isBigEndian = version & 0xFFFF == 0
            throw .unsupportedVersion(
                path: reader.file.path,
                found: isBigEndian ? "a big-endian GGUF file" : "a GGUF file of version \(version)")
        }
        // An info takes at least its name's length, the number of dimensions, the type and the offset; a pair its
        // key's length, the type and one byte.
        let tensorCount = try reader.readCount(unit: 24, "the number of tensors")
        let pairCount = try reader.readCount(unit: 13, "the number of metadata pairs")
        return (Int(version), tensorCount, pairCount)
    }
}

// MARK: - Metadata

extension GGUFReader {
    /// The pairs, and where each of them stands.
    mutating func readMetadata(
        count: Int
    ) throws(CheckpointError) -> (metadata: GGUFMetadata, pairRanges: [Range<Int>]) {
        var metadata = GGUFMetadata(path: reader.file.path)
        var pairRanges: [Range<Int>] = []
        for index in 0..<count {
            let start = reader.offset
            let key = try reader.readString("the key of metadata pair \(index)")
            let type = try readType("the type of \(key.quoted)")
            let value = try readValue(type, key)
            guard metadata.append(key, value) else {
                throw reader.malformed("the metadata key \(key.quoted) is repeated", at: start)
            }
            pairRanges.append(start..<reader.offset)
        }
        return (metadata, pairRanges)
    }

    private mutating func readType(_ what: @autoclosure () -> String) throws(CheckpointError) -> GGUFValueType {
        let start = reader.offset
        let number = try reader.read(UInt32.self, what())
        guard let type = GGUFValueType(rawValue: number) else {
            throw reader.malformed("\(what()) is \(number); expected 0 to 12", at: start)
        }
        return type
    }

    private mutating func readValue(_ type: GGUFValueType, _ key: String) throws(CheckpointError) -> GGUFValue {
        switch type {
        case .uint8: .unsigned(UInt64(try reader.read(UInt8.self, key.quoted)))
        case .uint16: .unsigned(UInt64(try reader.read(UInt16.self, key.quoted)))
        case .uint32: .unsigned(UInt64(try reader.read(UInt32.self, key.quoted)))
        case .uint64: .unsigned(try reader.read(UInt64.self, key.quoted))
        case .int8: .signed(Int64(try reader.read(Int8.self, key.quoted)))
        case .int16: .signed(Int64(try reader.read(Int16.self, key.quoted)))
        case .int32: .signed(Int64(try reader.read(Int32.self, key.quoted)))
        case .int64: .signed(try reader.read(Int64.self, key.quoted))
        case .float32: .number(Double(Float(bitPattern: try reader.read(UInt32.self, key.quoted))))
        case .float64: .number(Double(bitPattern: try reader.read(UInt64.self, key.quoted)))
        case .bool: .bool(try readBool(key))
        case .string: .string(try readBytes(key))
        case .array: .array(try readArray(key, depth: 1))
        }
    }

    private mutating func readBool(_ key: String) throws(CheckpointError) -> Bool {
        let start = reader.offset
        let byte = try reader.read(UInt8.self, key.quoted)
        guard byte <= 1 else {
            throw reader.malformed("the boolean of \(key.quoted) is \(byte); expected 0 or 1", at: start)
        }
        return byte == 1
    }

    private mutating func readBytes(_ key: String) throws(CheckpointError) -> [UInt8] {
        let range = try reader.readStringRange("the string of \(key.quoted)")
        return unsafe Array(reader.file.bytes[range])
    }

    private mutating func readArray(_ key: String, depth: Int) throws(CheckpointError) -> GGUFArray {
        guard depth <= Self.depthLimit else {
            throw reader.malformed("\(key.quoted) has more than \(Self.depthLimit) nested arrays", at: reader.offset)
        }
        let type = try readType("the element type of \(key.quoted)")
        let count = try reader.readCount(unit: type.leastByteCount, "the length of the array \(key.quoted)")
        let start = reader.offset
        var stringOffsets: [Int] = []
        var arrays: [GGUFArray] = []
        switch type {
        case .string:
            stringOffsets.reserveCapacity(count)
            for index in 0..<count {
                stringOffsets.append(reader.offset)
                _ = try reader.readStringRange("string \(index) of \(key.quoted)")
            }
        case .array:
            for _ in 0..<count { arrays.append(try readArray(key, depth: depth + 1)) }
        case .bool:
            for _ in 0..<count { _ = try readBool(key) }
        default:
            try reader.skip(count * type.leastByteCount, "the array \(key.quoted)")
        }
        return GGUFArray(
            elementType: type, count: count, file: reader.file, byteOffset: start, stringOffsets: stringOffsets,
            arrays: arrays)
    }
}

// MARK: - Tensors

extension GGUFReader {
    /// What an info says, before the place of the data is known.
    private struct Info {
        let name: String
        let shape: [Int]
        let type: GGUFTensorType
        /// From the start of the data.
        let relativeOffset: UInt64
        /// Where the info itself stands, for messages.
        let place: Int
    }

    mutating func readDirectory(count: Int, alignment: Int) throws(CheckpointError) -> TensorDirectory {
        var infos: [Info] = []
        infos.reserveCapacity(count)
        for index in 0..<count { infos.append(try readInfo(index)) }

        let (padded, overflow) = reader.offset.addingReportingOverflow(alignment - 1)
        let dataStart = padded & ~(alignment - 1)
        guard count == 0 || (!overflow && dataStart <= reader.file.byteCount) else {
            throw reader.malformed("the file ends before the tensors' data", at: reader.offset)
        }
        var directory = TensorDirectory()
        for info in infos {
            guard directory.append(try entry(info, dataStart: dataStart, alignment: alignment)) else {
                throw reader.malformed("the tensor name \(info.name.quoted) is repeated", at: info.place)
            }
        }
        if let (first, second) = directory.overlap() {
            throw reader.malformed(
                "the tensors \(first.name.quoted) and \(second.name.quoted) overlap", at: second.byteOffset)
        }
        return directory
    }

    private mutating func readInfo(_ index: Int) throws(CheckpointError) -> Info {
        let place = reader.offset
        let name = try reader.readString("the name of tensor \(index)")
        let dimensionCount = try reader.read(UInt32.self, "the dimensions of tensor \(name.quoted)")
        guard dimensionCount <= Self.dimensionLimit else {
            throw reader.malformed(
                "tensor \(name.quoted) has \(dimensionCount) dimensions; expected at most \(Self.dimensionLimit)",
                at: place)
        }
        var shape: [Int] = []
        for _ in 0..<dimensionCount {
            let length = try reader.read(UInt64.self, "the shape of tensor \(name.quoted)")
            guard let length = Int(exactly: length) else {
                throw reader.malformed("tensor \(name.quoted) has a dimension of \(length)", at: place)
            }
            // The file has the innermost dimension first.
            shape.insert(length, at: 0)
        }
        let type = GGUFTensorType(number: try reader.read(UInt32.self, "the type of tensor \(name.quoted)"))
        let relativeOffset = try reader.read(UInt64.self, "the offset of tensor \(name.quoted)")
        return Info(name: name, shape: shape, type: type, relativeOffset: relativeOffset, place: place)
    }

    /// The info as an entry, once its size and place are known to be in the file.
    private func entry(_ info: Info, dataStart: Int, alignment: Int) throws(CheckpointError) -> TensorDirectory.Entry {
        let subject = "tensor \(info.name.quoted) of shape \(info.shape) and type \(info.type.name)"
        guard let elementCount = TensorDirectory.elementCount(of: info.shape) else {
            throw reader.malformed("\(subject) has more elements than can be counted", at: info.place)
        }
        let block = info.type.blockElementCount
        guard (info.shape.last ?? 1).isMultiple(of: block) else {
            throw reader.malformed("\(subject): its rows are not whole blocks of \(block) elements", at: info.place)
        }
        // An offset is from the start of the data; a type of unknown size takes nothing that could be checked.
        let size = info.type.byteCount(of: elementCount) ?? (0, false)
        let available = reader.file.byteCount - dataStart
        guard
            !size.overflow, size.value <= available,
            info.relativeOffset <= UInt64(available - size.value)
        else {
            throw reader.malformed(
                "\(subject) at \(info.relativeOffset) of the data does not fit in its \(available) bytes",
                at: info.place)
        }
        guard info.relativeOffset.isMultiple(of: UInt64(alignment)) else {
            throw reader.malformed(
                "\(subject) is at \(info.relativeOffset) of the data, which is not a multiple of \(alignment)",
                at: info.place)
        }
        return TensorDirectory.Entry(
            name: info.name, shape: info.shape, typeName: info.type.name, elementType: info.type.elementType,
            file: reader.file, byteOffset: dataStart + Int(info.relativeOffset),
            byteCount: info.type.byteCount(of: elementCount)?.value)
    }
}
