/// A PyTorch archive before it is written: what its headers, its end and its pickle say can be made to lie.
struct ArchiveDocument {
    struct Record {
        var name: [UInt8]
        /// As it is when it is unpacked.
        var data: [UInt8]
        var isDeflated = false
        /// Checksum and sizes behind the data, as PyTorch writes them.
        var hasDescriptor = false
        /// Sizes of 64 bits in the extra field.
        var isWide = false
        /// What stands in the file instead of the data as it is packed.
        var packed: [UInt8]?
        var lies: [Field: UInt64] = [:]
        /// Bytes before the record that are nobody's.
        var padding = 0
    }

    /// What is written twice has two fields.
    enum Field: CaseIterable {
        case signature, flags, method, checksum, compressedByteCount, byteCount, nameLength, extraLength
        case localSignature, localFlags, localMethod, localChecksum, localCompressedByteCount, localByteCount
        case localNameLength, localExtraLength, commentLength, disk, offset, descriptor
        case wideByteCount, wideCompressedByteCount, wideOffset, wideLength
    }

    enum EndField: CaseIterable {
        case disk, directoryDisk, count, totalCount, byteCount, offset, commentLength, signature
        case wideSignature, wideLength, wideDisk, wideCount, wideTotalCount, wideByteCount, wideOffset
        case locatorDisk, locatorOffset, diskCount
    }

    var records: [Record] = []
    var pickle: PickleProgram
    /// Without them every record is what it is.
    var hasChecksums = true
    var hasWideEnd: Bool
    var endLies: [EndField: UInt64] = [:]
    var tail: [UInt8] = []

    /// Weights with their types and layouts, as `torch.save` writes them.
    init(_ weights: [TinyModel.Weight], _ random: inout RandomSource) {
        pickle = PickleProgram(version: random.pick([2, 4]))
        hasChecksums = !random.once(in: 3)
        hasWideEnd = random.once(in: 2)
        let isNested = random.once(in: 3)
        let style = (isDeflated: random.once(in: 4), hasDescriptor: random.once(in: 2), isWide: random.once(in: 4))
        if isNested { beginNesting() }
        pickle.emptyOrderedDictionary()
        pickle.add("(")
        for weight in weights { add(weight, &random) }
        pickle.add("u")
        if isNested { pickle.add("u") }
        pickle.add(".")
        records =
            [
                Record(name: Array("tiny/data.pkl".utf8), data: []),
                Record(name: Array("tiny/byteorder".utf8), data: Array("little".utf8)),
            ] + records
        for index in records.indices {
            records[index].isDeflated = style.isDeflated
            records[index].hasDescriptor = style.hasDescriptor
            records[index].isWide = style.isWide && !style.hasDescriptor
            // The first bytes of the file say what it is.
            records[index].padding = index > 0 && random.once(in: 4) ? random.index(64) : 0
        }
    }

    private mutating func beginNesting() {
        pickle.add("}")
        pickle.add("(")
        pickle.text("step")
        pickle.integer(3)
        pickle.text("losses")
        pickle.add("]")
        pickle.text("state_dict")
    }

    /// Plain, transposed, or every second element of a storage.
    private mutating func add(_ weight: TinyModel.Weight, _ random: inout RandomSource) {
        let (type, byteCount) = random.pick([
            ("FloatStorage", 4), ("HalfStorage", 2), ("BFloat16Storage", 2), ("DoubleStorage", 8),
        ])
        var strides = weight.shape.indices.map { weight.shape[($0 + 1)...].reduce(1, *) }
        var storageCount = weight.elementCount
        let offset = random.once(in: 4) ? random.index(5) : 0
        switch random.index(4) {
        case 0 where weight.shape.count == 2: strides = [1, weight.shape[0]]
        case 1:
            strides = strides.map { 2 * $0 }
            storageCount *= 2
        default: break
        }
        storageCount += offset
        let key = "\(records.count)"
        pickle.text(weight.name)
        pickle.tensor(
            key: key, type: type, storageCount: storageCount, offset: offset, shape: weight.shape, strides: strides,
            isParameter: random.once(in: 4))
        let data = TinyModel.data(storageCount * byteCount, &random)
        records.append(Record(name: Array("tiny/data/\(key)".utf8), data: data))
    }

    // MARK: The file

    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for (index, record) in records.enumerated() {
            var record = record
            if index == 0 { record.data = pickle.bytes }
            file += [UInt8](repeating: 0, count: record.padding)
            let offset = UInt64(file.count)
            let packed = record.packed ?? (record.isDeflated ? Self.deflated(record.data) : record.data)
            let checksum = hasChecksums ? Self.checksum(record.data) : 0
            let header = Header(
                record: record, checksum: checksum, packedByteCount: UInt64(packed.count),
                byteCount: UInt64(record.data.count), offset: offset)
            file += header.local + packed + header.descriptor
            directory += header.central
        }
        return file + directory + end(directoryByteCount: directory.count, offset: file.count) + tail
    }

    private func end(directoryByteCount: Int, offset: Int) -> [UInt8] {
        func field<Number: FixedWidthInteger>(_ field: EndField, _ truth: Int, as type: Number.Type) -> [UInt8] {
            ByteMutation.bytes(Number(truncatingIfNeeded: endLies[field] ?? UInt64(truth)))
        }
        var bytes: [UInt8] = []
        if hasWideEnd {
            bytes += field(.wideSignature, 0x0606_4B50, as: UInt32.self) + field(.wideLength, 44, as: UInt64.self)
            bytes += [45, 3, 45, 0] + field(.wideDisk, 0, as: UInt32.self) + field(.wideDisk, 0, as: UInt32.self)
            bytes += field(.wideCount, records.count, as: UInt64.self)
            bytes += field(.wideTotalCount, records.count, as: UInt64.self)
            bytes += field(.wideByteCount, directoryByteCount, as: UInt64.self)
            bytes += field(.wideOffset, offset, as: UInt64.self)
            bytes += ByteMutation.bytes(UInt32(0x0706_4B50)) + field(.locatorDisk, 0, as: UInt32.self)
            bytes += field(.locatorOffset, offset + directoryByteCount, as: UInt64.self)
            bytes += field(.diskCount, 1, as: UInt32.self)
        }
        bytes += field(.signature, 0x0605_4B50, as: UInt32.self)
        bytes += field(.disk, 0, as: UInt16.self) + field(.directoryDisk, 0, as: UInt16.self)
        bytes += field(.count, records.count, as: UInt16.self) + field(.totalCount, records.count, as: UInt16.self)
        bytes += field(.byteCount, directoryByteCount, as: UInt32.self) + field(.offset, offset, as: UInt32.self)
        return bytes + field(.commentLength, tail.count, as: UInt16.self)
    }

    /// The headers of one record.
    private struct Header {
        let record: Record
        let checksum: UInt32
        let packedByteCount: UInt64
        let byteCount: UInt64
        let offset: UInt64

        private func field<Number: FixedWidthInteger>(
            _ field: Field, _ truth: UInt64, as type: Number.Type
        ) -> [UInt8] {
            ByteMutation.bytes(Number(truncatingIfNeeded: record.lies[field] ?? truth))
        }

        private var flags: UInt64 { record.hasDescriptor ? 0x0808 : 0x0800 }
        private var method: UInt64 { record.isDeflated ? 8 : 0 }

        private var extra: [UInt8] {
            guard record.isWide else { return [] }
            return ByteMutation.bytes(UInt16(1)) + field(.wideLength, 16, as: UInt16.self)
                + field(.wideByteCount, byteCount, as: UInt64.self)
                + field(.wideCompressedByteCount, packedByteCount, as: UInt64.self)
        }

        var local: [UInt8] {
            let isLater = record.hasDescriptor
            let narrow = record.isWide ? UInt64(UInt32.max) : nil
            var bytes = field(.localSignature, 0x0403_4B50, as: UInt32.self) + [20, 0]
            bytes += field(.localFlags, flags, as: UInt16.self) + field(.localMethod, method, as: UInt16.self)
            bytes += [0, 0, 0, 0] + field(.localChecksum, isLater ? 0 : UInt64(checksum), as: UInt32.self)
            bytes += field(.localCompressedByteCount, narrow ?? (isLater ? 0 : packedByteCount), as: UInt32.self)
            bytes += field(.localByteCount, narrow ?? (isLater ? 0 : byteCount), as: UInt32.self)
            bytes += field(.localNameLength, UInt64(record.name.count), as: UInt16.self)
            bytes += field(.localExtraLength, UInt64(extra.count), as: UInt16.self)
            return bytes + record.name + extra
        }

        var descriptor: [UInt8] {
            guard record.hasDescriptor else { return [] }
            return field(.descriptor, 0x0807_4B50, as: UInt32.self) + ByteMutation.bytes(checksum)
                + ByteMutation.bytes(UInt32(truncatingIfNeeded: packedByteCount))
                + ByteMutation.bytes(UInt32(truncatingIfNeeded: byteCount))
        }

        var central: [UInt8] {
            let narrow = record.isWide ? UInt64(UInt32.max) : nil
            var bytes = field(.signature, 0x0201_4B50, as: UInt32.self) + [20, 3, 20, 0]
            bytes += field(.flags, flags, as: UInt16.self) + field(.method, method, as: UInt16.self) + [0, 0, 0, 0]
            bytes += field(.checksum, UInt64(checksum), as: UInt32.self)
            bytes += field(.compressedByteCount, narrow ?? packedByteCount, as: UInt32.self)
            bytes += field(.byteCount, narrow ?? byteCount, as: UInt32.self)
            bytes += field(.nameLength, UInt64(record.name.count), as: UInt16.self)
            bytes += field(.extraLength, UInt64(extra.count), as: UInt16.self)
            bytes += field(.commentLength, 0, as: UInt16.self) + field(.disk, 0, as: UInt16.self)
            bytes += [0, 0, 0, 0, 0, 0] + field(.offset, offset, as: UInt32.self)
            return bytes + record.name + extra
        }
    }

    // MARK: Packing

    /// CRC-32 by a table.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { checksum, byte in
            table[Int(UInt8(truncatingIfNeeded: checksum) ^ byte)] ^ checksum >> 8
        }
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1) * 0xEDB8_8320 }
    }

    /// A deflated stream of blocks that are stored.
    static func deflated(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = []
        let limit = 0xFFFF
        for begin in stride(from: 0, to: max(1, bytes.count), by: limit) {
            let end = min(begin + limit, bytes.count)
            let count = UInt16(end - begin)
            stream += [end == bytes.count ? 1 : 0] + ByteMutation.bytes(count) + ByteMutation.bytes(~count)
            stream += bytes[begin..<end]
        }
        return stream
    }

    /// A deflated stream of zeros, 1 + 258 · `runCount` of them: a block of fixed codes, each run eight bits and five.
    static func deflatedZeros(runCount: Int) -> [UInt8] {
        var bits: [UInt8] = [1, 1, 0]
        bits += [0, 0, 1, 1, 0, 0, 0, 0]  // the literal 0
        for _ in 0..<runCount { bits += [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0] }  // length 258, distance 1
        bits += [0, 0, 0, 0, 0, 0, 0]  // the end
        return stride(from: 0, to: bits.count, by: 8).map { begin in
            bits[begin..<min(begin + 8, bits.count)].enumerated().reduce(UInt8(0)) {
                $0 | $1.element << UInt8($1.offset)
            }
        }
    }
}

// MARK: - Mutation

extension ArchiveDocument {
    /// One change that knows the format.
    mutating func mutate(_ random: inout RandomSource) {
        switch random.index(14) {
        case 0, 1, 2, 3, 4: pickle.mutate(&random)
        case 5, 6: lie(&random)
        case 7:
            let truth = UInt64(random.index(300))
            endLies[random.pick(EndField.allCases)] = random.once(in: 2) ? truth : random.interesting()
        case 8: mutateRecords(&random)
        case 9: ByteMutation.mutate(&records[random.index(records.count)].data, &random)
        case 10: mutateName(&random)
        case 11: bomb(&random)
        case 12: tail = (0..<random.size(below: 300)).map { _ in random.byte() }
        default: repack(&random)
        }
    }

    private mutating func lie(_ random: inout RandomSource) {
        let place = random.index(records.count)
        let truth = UInt64(records[place].data.count)
        let field = random.pick(Field.allCases)
        switch random.index(4) {
        case 0: records[place].lies[field] = truth &+ UInt64(random.index(65)) &- 32
        case 1: records[place].lies[field] = UInt64(random.index(20))
        case 2: records[place].lies[field] = UInt64(random.index(40_000))
        default: records[place].lies[field] = random.interesting()
        }
        // The same lie in both places goes further.
        let twins: [Field: Field] = [
            .byteCount: .localByteCount, .compressedByteCount: .localCompressedByteCount, .checksum: .localChecksum,
            .flags: .localFlags, .method: .localMethod,
        ]
        if random.once(in: 2), let twin = twins[field] { records[place].lies[twin] = records[place].lies[field] }
    }

    private mutating func mutateRecords(_ random: inout RandomSource) {
        let place = random.index(records.count)
        switch random.index(5) {
        case 0: if place > 0 { records.remove(at: place) }
        case 1: records.append(random.pick(records))
        case 2:
            if place > 0 { records.swapAt(place, 1 + random.index(records.count - 1)) }
        case 3: records[place].padding = random.index(3000)
        default:
            let count = 1 << random.index(12)
            records += (0..<count).map { Record(name: Array("tiny/empty/\($0)".utf8), data: []) }
        }
    }

    private mutating func mutateName(_ random: inout RandomSource) {
        let names = [
            "tiny/data.pkl", "data.pkl", "other/data.pkl", "tiny/constants.pkl", "tiny/byteorder", "tiny/data/0", "",
            "/",
            "../../x", "tiny/\u{1B}[2J", "tiny/data/\0", "tiny/data/e\u{301}", String(repeating: "x", count: 3000),
        ]
        records[random.index(records.count)].name =
            random.once(in: 5) ? random.pick(ByteMutation.invalidUTF8) : Array(random.pick(names).utf8)
    }

    /// Zeros, packed a thousand to one, or what is said to be so many.
    private mutating func bomb(_ random: inout RandomSource) {
        let place = random.index(records.count)
        let runCount = 1 << random.index(15)
        records[place].isDeflated = true
        records[place].packed = Self.deflatedZeros(runCount: runCount)
        if random.once(in: 2) {
            let byteCount = UInt64(random.once(in: 2) ? 1 + 258 * runCount : records[place].data.count)
            records[place].lies[.byteCount] = byteCount
            records[place].lies[.localByteCount] = byteCount
        } else {
            records[place].data = [UInt8](repeating: 0, count: 1 + 258 * min(runCount, 1 << 12))
        }
    }

    private mutating func repack(_ random: inout RandomSource) {
        let place = random.index(records.count)
        switch random.index(5) {
        case 0: records[place].isDeflated.toggle()
        case 1: records[place].hasDescriptor.toggle()
        case 2: records[place].isWide.toggle()
        case 3:
            var packed = Self.deflated(records[place].data)
            ByteMutation.mutate(&packed, &random)
            records[place].isDeflated = true
            records[place].packed = packed
        default: hasChecksums.toggle()
        }
    }
}
