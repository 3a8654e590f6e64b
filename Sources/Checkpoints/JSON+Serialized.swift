extension JSON {
    /// The value as JSON text: members in their order, doubles with the fewest digits that read back the same.
    ///
    /// A number that is not finite has no place in JSON and is written as null.
    ///
    /// - Parameter indented: whether each member and each nested container stands on a line of its own, two spaces
    ///   a level, with a line end after the last; else there is no white space at all.
    public func serialized(indented: Bool) -> String {
        var writer = JSONWriter(indented: indented)
        writer.write(self, level: 0)
        if indented { writer.bytes.append(UInt8(ascii: "\n")) }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

private struct JSONWriter {
    let indented: Bool
    var bytes: [UInt8] = []

    init(indented: Bool) { self.indented = indented }

    mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: write("null")
        case .bool(let value): write(value ? "true" : "false")
        case .integer(let value): write(String(value))
        case .number(let value): write(value.isFinite ? value.description : "null")
        case .string(let value): writeString(value)
        case .array(let elements): write(elements, level: level)
        case .object(let object): write(object, level: level)
        }
    }

    private mutating func write(_ elements: [JSON], level: Int) {
        // An array of plain values stays on one line: a row of figures is read as a row.
        let lines = indented && elements.contains { $0.array != nil || $0.object != nil }
        write("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { write(lines || !indented ? "," : ", ") }
            if lines { startLine(level + 1) }
            write(element, level: level + 1)
        }
        if lines { startLine(level) }
        write("]")
    }

    private mutating func write(_ object: JSONObject, level: Int) {
        let lines = indented && object.count > 0
        write("{")
        for (index, member) in object.members.enumerated() {
            if index > 0 { write(",") }
            if lines { startLine(level + 1) }
            writeString(member.key)
            write(indented ? ": " : ":")
            write(member.value, level: level + 1)
        }
        if lines { startLine(level) }
        write("}")
    }

    private mutating func writeString(_ text: String) {
        write("\"")
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): write("\\\"")
            case UInt8(ascii: "\\"): write("\\\\")
            case 0x0A: write("\\n")
            case 0x0D: write("\\r")
            case 0x09: write("\\t")
            case 0..<0x20: write((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16))
            default: bytes.append(byte)
            }
        }
        write("\"")
    }

    private mutating func startLine(_ level: Int) {
        write("\n")
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * level))
    }

    private mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
