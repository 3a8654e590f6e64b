/// Reads the fields of one message in the wire format of Protocol Buffers, one after the other; nothing is read beyond the
/// message's end. Messages in it are read by readers of their own, so that what nests is what the caller knows.
///
/// The format: https://protobuf.dev/programming-guides/encoding. Groups, which proto3 no longer has, are refused.
struct ProtocolBufferReader {
    enum Value: Equatable {
        case integer(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// A string, bytes, a message or packed numbers, by their place in the file.
        case bytes(Range<Int>)
    }

    struct Field: Equatable {
        var number: UInt64
        var value: Value
        /// Where it starts in the file.
        var byteOffset: Int
    }

    struct Failure: Error, Equatable {
        var byteOffset: Int
        var problem: String
    }

    let end: Int
    private(set) var offset: Int

    init(_ range: Range<Int>) { (offset, end) = (range.lowerBound, range.upperBound) }

    /// The next field, or nil at the end of the message.
    mutating func next(in file: Span<UInt8>) throws(Failure) -> Field? {
        guard offset < end else { return nil }
        let start = offset
        let key = try readInteger(file)
        guard key >> 3 > 0, key >> 3 < 1 << 29 else {
            throw Failure(byteOffset: start, problem: "no field has this number")
        }
        let value: Value =
            switch key & 7 {
            case 0: .integer(try readInteger(file))
            case 1: .fixed64(try readFixed(file, byteCount: 8))
            case 2: .bytes(try readRange(file))
            case 5: .fixed32(UInt32(truncatingIfNeeded: try readFixed(file, byteCount: 4)))
            default: throw Failure(byteOffset: start, problem: "wire type \(key & 7) is not read here")
            }
        return Field(number: key >> 3, value: value, byteOffset: start)
    }

    /// Seven bits a byte, the lowest first.
    private mutating func readInteger(_ file: Span<UInt8>) throws(Failure) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard offset < end else { throw Failure(byteOffset: start, problem: "the message ends within a number") }
            let byte = file[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        throw Failure(byteOffset: start, problem: "a number takes more than ten bytes")
    }

    private mutating func readFixed(_ file: Span<UInt8>, byteCount: Int) throws(Failure) -> UInt64 {
        guard end - offset >= byteCount else {
            throw Failure(byteOffset: offset, problem: "the message ends within a number of \(byteCount) bytes")
        }
        defer { offset += byteCount }
        return (0..<byteCount).reduce(0) { $0 | UInt64(file[offset + $1]) << UInt64(8 * $1) }
    }

    private mutating func readRange(_ file: Span<UInt8>) throws(Failure) -> Range<Int> {
        let start = offset
        let count = try readInteger(file)
        guard count <= UInt64(end - offset) else {
            throw Failure(
                byteOffset: start, problem: "a length of \(count) bytes, where \(end - offset) are left of the message")
        }
        defer { offset += Int(count) }
        return offset..<offset + Int(count)
    }
}
