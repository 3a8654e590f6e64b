import Checkpoints
import Glibc

/// Writes the metadata of GGUF files.
struct GGUFBuilder {
    private var pairs: [[UInt8]] = []

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private static func string(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

    private mutating func add(_ key: String, _ type: UInt32, _ value: [UInt8]) {
        pairs.append(Self.string("tokenizer.ggml.\(key)") + Self.bytes(type) + value)
    }

    mutating func addChatTemplate(_ text: String) {
        pairs.append(Self.string("tokenizer.chat_template") + Self.bytes(UInt32(8)) + Self.string(text))
    }

    mutating func add(_ key: String, _ value: String) { add(key, 8, Self.string(value)) }

    mutating func add(_ key: String, _ value: Bool) { add(key, 7, [value ? 1 : 0]) }

    mutating func add(_ key: String, _ value: UInt32) { add(key, 4, Self.bytes(value)) }

    mutating func add(_ key: String, _ values: [String]) {
        add(key, 9, Self.bytes(UInt32(8)) + Self.bytes(UInt64(values.count)) + values.flatMap(Self.string))
    }

    mutating func add(_ key: String, _ values: [Int32]) {
        add(key, 9, Self.bytes(UInt32(5)) + Self.bytes(UInt64(values.count)) + values.flatMap { Self.bytes($0) })
    }

    mutating func add(_ key: String, scores values: [Float]) {
        add(
            key, 9,
            Self.bytes(UInt32(6)) + Self.bytes(UInt64(values.count)) + values.flatMap { Self.bytes($0.bitPattern) })
    }

    mutating func add(_ key: String, bytes values: [UInt8]) {
        add(key, 9, Self.bytes(UInt32(0)) + Self.bytes(UInt64(values.count)) + values)
    }

    /// Writes the file, opens it, and removes it again.
    func open() throws -> GGUFFile {
        let header =
            Array("GGUF".utf8) + Self.bytes(UInt32(3)) + Self.bytes(UInt64(0)) + Self.bytes(UInt64(pairs.count))
        return try TemporaryFile.with(header + pairs.joined()) { try GGUFFile($0) }
    }
}

enum TemporaryFile {
    struct Failure: Error {}

    /// Calls `body` with the path of a file of these bytes, which is removed afterwards.
    static func with<T>(_ bytes: [UInt8], _ body: (String) throws -> T) throws -> T {
        var template = Array("/tmp/tokenizers-tests-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { throw Failure() }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(descriptor)
            unsafe unlink(path)
        }
        guard unsafe write(descriptor, bytes, bytes.count) == bytes.count else { throw Failure() }
        return try body(path)
    }
}
