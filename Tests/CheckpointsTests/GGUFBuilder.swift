/// Writes GGUF files byte by byte, also such as no proper writer would write.
struct GGUFBuilder {
    var version: UInt32 = 3
    var pairs: [[UInt8]] = []
    var infos: [[UInt8]] = []
    var data: [UInt8] = []
    var tensorCount: UInt64?
    var pairCount: UInt64?

    static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    static func string(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

    mutating func addPair(_ key: String, type: UInt32, value: [UInt8]) {
        pairs.append(Self.string(key) + Self.bytes(type) + value)
    }

    mutating func addString(_ key: String, _ value: String) { addPair(key, type: 8, value: Self.string(value)) }

    mutating func addUInt32(_ key: String, _ value: UInt32) { addPair(key, type: 4, value: Self.bytes(value)) }

    /// - Parameter shape: innermost first, as the file has it.
    mutating func addTensor(_ name: String, shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        addTensor(nameBytes: Self.string(name), shape: shape, type: type, offset: offset)
    }

    mutating func addTensor(nameBytes: [UInt8], shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        infos.append(
            nameBytes + Self.bytes(UInt32(shape.count)) + shape.flatMap { Self.bytes($0) } + Self.bytes(type)
                + Self.bytes(offset))
    }

    func file(alignment: Int = 32) -> [UInt8] {
        var file = Array("GGUF".utf8) + Self.bytes(version)
        file += Self.bytes(tensorCount ?? UInt64(infos.count)) + Self.bytes(pairCount ?? UInt64(pairs.count))
        file += pairs.joined()
        file += infos.joined()
        if !infos.isEmpty { while file.count % alignment != 0 { file.append(0) } }
        return file + data
    }
}
