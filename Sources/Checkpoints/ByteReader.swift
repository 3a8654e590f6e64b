/// Reads little-endian values one after the other from a mapped file; nothing is read beyond the file's end.
struct ByteReader {
    let file: MappedFile
    /// Where the next value stands, from the start of the file.
    private(set) var offset: Int

    init(_ file: MappedFile, offset: Int = 0) {
        self.file = file
        self.offset = offset
    }

    var remaining: Int { file.byteCount - offset }

    /// - Parameter what: what is read, for the message when the file ends before it.
    mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type, _ what: @autoclosure () -> String
    ) throws(CheckpointError) -> T {
        let start = try skip(MemoryLayout<T>.size, what())
        return unsafe T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: start, as: T.self))
    }

    /// A 64-bit count or length that is not larger than `limit` and fits the rest of the file.
    ///
    /// - Parameter unit: the least bytes that each counted thing takes in the file.
    mutating func readCount(unit: Int, _ what: @autoclosure () -> String) throws(CheckpointError) -> Int {
        let start = offset
        let count = try read(UInt64.self, what())
        guard count <= UInt64(remaining / unit) else {
            throw malformed("\(what()) is \(count), more than the \(remaining) bytes that follow can hold", at: start)
        }
        return Int(count)
    }

    /// The range of a string: a 64-bit length, then its bytes.
    mutating func readStringRange(_ what: @autoclosure () -> String) throws(CheckpointError) -> Range<Int> {
        let length = try readCount(unit: 1, "the length of \(what())")
        let start = try skip(length, what())
        return start..<start + length
    }

    /// A string that has to be UTF-8.
    mutating func readString(_ what: @autoclosure () -> String) throws(CheckpointError) -> String {
        let range = try readStringRange(what())
        guard let string = file.string(in: range) else {
            throw malformed("\(what()) is not valid UTF-8", at: range.lowerBound)
        }
        return string
    }

    /// Moves past `count` bytes and returns where they start.
    @discardableResult
    mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws(CheckpointError) -> Int {
        guard count >= 0, count <= remaining else {
            throw malformed(
                "the file ends within \(what()): it takes \(count) bytes, and \(remaining) are left", at: offset)
        }
        defer { offset += count }
        return offset
    }

    func malformed(_ problem: String, at byteOffset: Int) -> CheckpointError {
        .malformed(path: file.path, byteOffset: byteOffset, problem: problem)
    }
}

extension MappedFile {
    /// The bytes of `range`, which has to lie in the file, as text; nil where they are not valid UTF-8.
    func string(in range: Range<Int>) -> String? {
        unsafe String(
            validating: UnsafeRawBufferPointer(rebasing: bytes[range]).bindMemory(to: UInt8.self), as: UTF8.self)
    }
}
