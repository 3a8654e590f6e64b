/// An array of a GGUF file's metadata. Its elements stay in the mapped file and are decoded when they are asked for.
public struct GGUFArray: Sendable {
    public let elementType: GGUFValueType
    public let count: Int
    let file: MappedFile
    /// Where the elements start, from the start of the file.
    let byteOffset: Int
    /// For strings: where the length of each stands.
    let stringOffsets: [Int]
    /// For arrays of arrays.
    public let arrays: [GGUFArray]

    /// The elements as integers; nil where they are not integers or one does not fit `Int`.
    public var integers: [Int]? {
        switch elementType {
        case .uint8: load(UInt8.self)
        case .int8: load(Int8.self)
        case .uint16: load(UInt16.self)
        case .int16: load(Int16.self)
        case .uint32: load(UInt32.self)
        case .int32: load(Int32.self)
        case .uint64: load(UInt64.self)
        case .int64: load(Int64.self)
        case .float32, .float64, .bool, .string, .array: nil
        }
    }

    /// The elements as numbers, integers too; nil where they are neither.
    public var numbers: [Double]? {
        switch elementType {
        case .float32: bits(UInt32.self).map { Double(Float(bitPattern: $0)) }
        case .float64: bits(UInt64.self).map { Double(bitPattern: $0) }
        default: integers?.map(Double.init)
        }
    }

    public var bools: [Bool]? {
        elementType == .bool ? bits(UInt8.self).map { $0 != 0 } : nil
    }

    public var strings: GGUFStrings? {
        elementType == .string ? GGUFStrings(file: file, offsets: stringOffsets) : nil
    }

    private func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> [Int]? {
        var values: [Int] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            guard let value = Int(exactly: element(type, index)) else { return nil }
            values.append(value)
        }
        return values
    }

    private func bits<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> [T] {
        (0..<count).map { element(type, $0) }
    }

    /// In the file, because the whole range of the elements was checked when the file was opened.
    private func element<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ index: Int) -> T {
        unsafe T(
            littleEndian: file.bytes.loadUnaligned(
                fromByteOffset: byteOffset + index * MemoryLayout<T>.size, as: type))
    }
}

/// The strings of a metadata array, such as a vocabulary, as bytes: tokens need not be valid UTF-8.
public struct GGUFStrings: RandomAccessCollection, Sendable {
    let file: MappedFile
    /// Where the 64-bit length of each string stands, from the start of the file.
    let offsets: [Int]

    public var startIndex: Int { 0 }
    public var endIndex: Int { offsets.count }

    /// The bytes of string `index`.
    public subscript(index: Int) -> [UInt8] { unsafe Array(buffer(at: index)) }

    /// String `index`, or nil where it is not valid UTF-8.
    public func string(at index: Int) -> String? { file.string(in: range(of: index)) }

    /// The bytes of string `index` in the mapped file, without a copy; valid while the file's object lives.
    public func buffer(at index: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: file.bytes[range(of: index)])
    }

    private func range(of index: Int) -> Range<Int> {
        let start = offsets[index] + MemoryLayout<UInt64>.size
        let length = unsafe UInt64(
            littleEndian: file.bytes.loadUnaligned(fromByteOffset: offsets[index], as: UInt64.self))
        return start..<start + Int(truncatingIfNeeded: length)
    }
}
