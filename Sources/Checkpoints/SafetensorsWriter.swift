/// Writes a safetensors file from front to back; it appears under its name only when it is whole.
public final class SafetensorsWriter {
    /// A tensor that will be written.
    public struct Entry: Sendable {
        let name: String
        /// I32, F32 or F64.
        let type: String
        let shape: [Int]

        public init(name: String, type: String, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        var byteCount: Int { (type == "F64" ? 8 : 4) * shape.reduce(1, *) }
    }

    private let file: WholeFile
    private let tensors: [Entry]
    private let headerByteCount: Int

    /// Writes the header; the tensors' elements follow in the order of `tensors`.
    ///
    /// - Parameter metadataByteCount: Bytes of the header to keep free for what `finish(metadata:)` says.
    public init(
        path: String, replaces: Bool, option: String = "--out", tensors: [Entry], metadataByteCount: Int = 0
    ) throws(OutputError) {
        file = try WholeFile(path: path, replaces: replaces, option: option)
        self.tensors = tensors
        let text = SafetensorsWriter.header(tensors, [])
        // Elements begin at a multiple of 8 bytes.
        headerByteCount = (text.count + metadataByteCount + 7) / 8 * 8
        try write([UInt64(headerByteCount).littleEndian])
        try write(padded(text))
    }

    private static func header(_ tensors: [Entry], _ metadata: [(key: String, value: String)]) -> [UInt8] {
        var header = JSONObject()
        if !metadata.isEmpty {
            header["__metadata__"] = .object(JSONObject(metadata.map { ($0.key, .string($0.value)) }))
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.byteCount
            header[tensor.name] = [
                "dtype": .string(tensor.type), "shape": .array(tensor.shape.map(JSON.integer)),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            offset = end
        }
        return Array(JSON.object(header).serialized(indented: false).utf8)
    }

    /// With spaces behind it, as the format allows.
    private func padded(_ text: [UInt8]) -> [UInt8] {
        text + [UInt8](repeating: UInt8(ascii: " "), count: headerByteCount - text.count)
    }

    /// Appends elements.
    public func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(OutputError) {
        try file.write(elements)
    }

    /// Puts the file in its place.
    ///
    /// - Parameter metadata: For the header's `__metadata__`, in the bytes that were kept free.
    public func finish(metadata: [(key: String, value: String)] = []) throws(OutputError) {
        if !metadata.isEmpty {
            let text = SafetensorsWriter.header(tensors, metadata)
            precondition(text.count <= headerByteCount, "metadata of more bytes than were kept free")
            try file.overwrite(padded(text), at: 8)
        }
        try file.finish()
    }
}
