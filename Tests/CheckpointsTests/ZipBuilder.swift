/// A ZIP archive before it is written: everything that its headers say can be made to lie.
struct ZipBuilder {
    struct Record {
        var name: String
        /// As it stands in the file.
        var data: [UInt8]
        var method: UInt16 = 0
        var flags: UInt16 = 0
        var checksum: UInt32
        var byteCount: UInt32
        var compressedByteCount: UInt32
        var extra: [UInt8] = []
        /// Behind the data.
        var descriptor: [UInt8] = []
        var disk: UInt16 = 0
        /// What the record's own header says instead of the directory.
        var localName: String?
        var localByteCount: UInt32?
        var localChecksum: UInt32?
        var localFlags: UInt16?
        /// Where the directory says that the record is; nil for the truth.
        var offset: UInt32?

        init(_ name: String, _ data: [UInt8]) {
            self.name = name
            self.data = data
            checksum = ZipBuilder.checksum(data)
            byteCount = UInt32(data.count)
            compressedByteCount = UInt32(data.count)
        }
    }

    var records: [Record]
    var entryCount: UInt16?
    var disk: UInt16 = 0
    var directoryByteCount: UInt32?
    var directoryOffset: UInt32?
    var comment: [UInt8] = []
    /// Between the directory and the end.
    var beforeEnd: [UInt8] = []

    /// An archive as PyTorch writes it.
    static func archive(pickle: [UInt8], storages: [(key: String, data: [UInt8])] = []) -> ZipBuilder {
        ZipBuilder(
            records: [Record("m/data.pkl", pickle), Record("m/byteorder", Array("little".utf8))]
                + storages.map { Record("m/data/\($0.key)", $0.data) })
    }

    func file() -> [UInt8] {
        var bytes: [UInt8] = []
        var directory: [UInt8] = []
        for record in records {
            let offset = UInt32(bytes.count)
            let (local, central) = headers(record)
            let start = Self.bytes(UInt32(0x0403_4B50))
            bytes += start + local + record.data + record.descriptor
            directory += central
            directory += Self.bytes(record.offset ?? offset) + Array(record.name.utf8) + record.extra
        }
        let offset = UInt32(bytes.count)
        let count = entryCount ?? UInt16(records.count)
        bytes += directory + beforeEnd
        bytes += Self.bytes(UInt32(0x0605_4B50)) + Self.bytes(disk) + Self.bytes(disk)
        bytes += Self.bytes(count) + Self.bytes(count)
        bytes += Self.bytes(directoryByteCount ?? UInt32(directory.count)) + Self.bytes(directoryOffset ?? offset)
        return bytes + Self.bytes(UInt16(comment.count)) + comment
    }

    /// The record's own header without its signature, and the entry of the directory without place and name.
    private func headers(_ record: Record) -> (local: [UInt8], central: [UInt8]) {
        let name = Array((record.localName ?? record.name).utf8)
        var local = Self.bytes(UInt16(20)) + Self.bytes(record.localFlags ?? record.flags)
        local += Self.bytes(record.method) + Self.bytes(UInt32(0))
        local += Self.bytes(record.localChecksum ?? record.checksum) + Self.bytes(record.compressedByteCount)
        local += Self.bytes(record.localByteCount ?? record.byteCount)
        local += Self.bytes(UInt16(name.count)) + Self.bytes(UInt16(record.extra.count)) + name + record.extra

        var central = Self.bytes(UInt32(0x0201_4B50)) + Self.bytes(UInt32(20)) + Self.bytes(record.flags)
        central += Self.bytes(record.method) + Self.bytes(UInt32(0)) + Self.bytes(record.checksum)
        central += Self.bytes(record.compressedByteCount) + Self.bytes(record.byteCount)
        central += Self.bytes(UInt16(record.name.utf8.count)) + Self.bytes(UInt16(record.extra.count))
        central += Self.bytes(UInt16(0)) + Self.bytes(record.disk) + [UInt8](repeating: 0, count: 6)
        return (local, central)
    }

    static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    /// CRC-32, bit by bit.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { checksum, byte in
            (0..<8).reduce(checksum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1) * 0xEDB8_8320 }
        }
    }

    /// A deflated stream of one block that is stored.
    static func deflated(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt16(bytes.count)
        return [1] + Self.bytes(count) + Self.bytes(~count) + bytes
    }
}
