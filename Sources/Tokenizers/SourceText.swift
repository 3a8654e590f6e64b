import Checkpoints

/// The bytes of a text, as they are: no byte order mark is taken off and no line end is changed.
struct SourceText {
    /// The file's name, for messages.
    let name: String
    /// Valid UTF-8, not empty.
    let bytes: [UInt8]

    init(_ file: MappedFile) throws(TokenizerError) {
        try self.init(Self.copy(of: file), name: file.path)
    }

    /// The bytes of a file: a mapped file can change after it was checked, a copy cannot.
    static func copy(of file: MappedFile) -> [UInt8] {
        // Without it the last use of the file, and so its unmapping, can come before that of its buffer.
        withExtendedLifetime(file) { unsafe Array(file.bytes) }
    }

    init(_ bytes: [UInt8], name: String) throws(TokenizerError) {
        guard !bytes.isEmpty else { throw .emptyText(source: name) }
        do throws(Unicode.UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw .notUTF8(source: name, byteOffset: error.byteOffsets.lowerBound)
        }
        self.bytes = bytes
        self.name = name
    }

    /// Where each `characterCount`-th character (Unicode scalar) starts, as far as there are whole chunks: one more
    /// offset than chunks.
    func chunkStarts(characterCount: Int) -> [Int] {
        var (starts, left) = ([0], characterCount)
        for (index, byte) in bytes.enumerated() where !UTF8.isContinuation(byte) {
            if left == 0 {
                starts.append(index)
                left = characterCount
            }
            left -= 1
        }
        if left == 0 { starts.append(bytes.count) }
        return starts
    }
}
