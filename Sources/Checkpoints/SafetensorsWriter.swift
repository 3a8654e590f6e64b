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

    /// Writes the header; the tensors' elements follow in the order of `tensors`.
    public init(path: String, replaces: Bool, option: String = "--out", tensors: [Entry]) throws(OutputError) {
        file = try WholeFile(path: path, replaces: replaces, option: option)
        var header = JSONObject()
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.byteCount
            header[tensor.name] = [
                "dtype": .string(tensor.type), "shape": .array(tensor.shape.map(JSON.integer)),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            offset = end
        }
        var text = Array(JSON.object(header).serialized(indented: false).utf8)
        // Elements begin at a multiple of 8 bytes.
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        try write([UInt64(text.count).littleEndian])
        try write(text)
    }

    /// Appends elements.
    public func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(OutputError) {
        try file.write(elements)
    }

    /// Puts the file in its place.
    public func finish() throws(OutputError) { try file.finish() }
}
