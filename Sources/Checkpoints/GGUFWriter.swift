public import Tensors

/// What a GGUF file is to hold: that of another one, changed in parts. It is written as version 3, as llama.cpp lays it
/// out: metadata and tensors in their order, each tensor padded to a multiple of the alignment.
///
/// Metadata that is not changed, and tensors, are copied byte by byte from the mapped file; nothing large is held in
/// memory.
public struct GGUFWriter: Sendable {
    /// A tensor to be written.
    public struct Tensor: Sendable {
        public let name: String
        fileprivate let content: Content

        fileprivate enum Content: Sendable {
            case stored(TensorDirectory.Entry)
            case values([Float], shape: [Int], ElementType)
        }
    }

    /// Tensors in the order in which they are written.
    public var tensors: [Tensor] = []
    private let source: GGUFFile
    private var pairs: [Pair]

    /// A key with its value.
    private struct Pair: Sendable {
        let key: String
        /// In the source, where it is as it was there.
        var range: Range<Int>?
        /// Else what is written.
        var bytes: [UInt8] = []

        var byteCount: Int { range?.count ?? bytes.count }
    }

    /// All metadata of a file, and none of its tensors.
    public init(metadataOf source: GGUFFile) {
        self.source = source
        pairs = zip(source.metadata.keys, source.pairRanges).map { Pair(key: $0, range: $1) }
    }

    /// A tensor of the source under a name of its own, as it is stored; of any type whose size is known.
    ///
    /// - Throws: `tensorMissing`, `unsupportedElementType`.
    public func stored(_ name: String, as newName: String? = nil) throws(CheckpointError) -> Tensor {
        guard let entry = source.directory.entry(name) else {
            throw .tensorMissing(path: source.file.path, name: name, nearest: [])
        }
        guard entry.byteCount != nil, GGUFTensorType.number(named: entry.typeName) != nil else {
            throw .unsupportedElementType(path: source.file.path, name: name, type: entry.typeName)
        }
        return Tensor(name: newName ?? name, content: .stored(entry))
    }

    /// A tensor of numbers that are rounded to `elementType` when they are written.
    ///
    /// - Parameters:
    ///   - values: row-major.
    ///   - shape: outermost first.
    ///   - elementType: F32, F16, BF16, or Q8_0 where rows are whole blocks.
    public static func values(_ name: String, _ values: [Float], shape: [Int], _ elementType: ElementType) -> Tensor {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for the shape \(shape)")
        precondition((shape.last ?? 1).isMultiple(of: elementType.blockElementCount), "rows of whole blocks")
        return Tensor(name: name, content: .values(values, shape: shape, elementType))
    }
}

// MARK: - Metadata

extension GGUFWriter {
    /// Gives a key of the source another integer, of the type that it has there.
    ///
    /// - Throws: `metadataMissing`; `metadataWrong` where it is no integer, or the integer does not fit its type.
    public mutating func setInteger(_ key: String, _ value: Int) throws(CheckpointError) {
        let (index, type, start) = try place(of: key, "an integer")
        let byteCount = type.leastByteCount
        let isSigned = [.int8, .int16, .int32, .int64].contains(type)
        guard isSigned || [.uint8, .uint16, .uint32, .uint64].contains(type) else {
            throw wrong(key, "an integer", "\(type)")
        }
        let bits = 8 * byteCount - (isSigned ? 1 : 0)
        guard bits >= 63 || value >> bits == (isSigned && value < 0 ? -1 : 0), isSigned || value >= 0 else {
            throw wrong(key, "a type that holds \(value)", "\(type)")
        }
        replace(index, keeping: start, (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }

    /// Keeps some elements of an array of the source, in this order.
    ///
    /// - Throws: `metadataMissing`; `metadataWrong` where it is no array of numbers or flags, or lacks an element.
    public mutating func keepElements(_ elements: [Int], of key: String) throws(CheckpointError) {
        let expected = "an array of numbers or flags"
        let (index, _, start) = try place(of: key, expected)
        guard case .array(let array)? = source.metadata[key], array.elementType != .string,
            array.elementType != .array
        else { throw wrong(key, expected, source.metadata[key]?.kind ?? "nothing") }
        let size = array.elementType.leastByteCount
        var bytes = Self.bytes(array.elementType.rawValue) + Self.bytes(UInt64(elements.count))
        for element in elements {
            guard (0..<array.count).contains(element) else {
                throw wrong(key, "an element \(element)", "an array of \(array.count)")
            }
            let begin = array.byteOffset + element * size
            unsafe bytes += source.file.bytes[begin..<begin + size]
        }
        replace(index, keeping: start, bytes)
    }

    /// Adds a 32-bit integer unless the key is there.
    public mutating func addIfAbsent(_ key: String, _ value: UInt32) {
        guard source.metadata[key] == nil, !pairs.contains(where: { ExactString($0.key) == ExactString(key) }) else {
            return
        }
        let head = Self.string(key) + Self.bytes(GGUFValueType.uint32.rawValue)
        pairs.append(Pair(key: key, bytes: head + Self.bytes(value)))
    }

    /// Where a pair of the source is, its type, and where its value starts in the file.
    private func place(
        of key: String, _ expected: String
    ) throws(CheckpointError) -> (index: Int, type: GGUFValueType, start: Int) {
        guard let index = source.metadata.keys.firstIndex(where: { ExactString($0) == ExactString(key) }) else {
            throw .metadataMissing(path: source.file.path, key: key, expected: expected)
        }
        let start = source.pairRanges[index].lowerBound + MemoryLayout<UInt64>.size + key.utf8.count
        let number = unsafe UInt32(
            littleEndian: source.file.bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self))
        guard let type = GGUFValueType(rawValue: number) else { throw wrong(key, expected, "type \(number)") }
        return (index, type, start + MemoryLayout<UInt32>.size)
    }

    /// Writes other bytes than the source's from `start` on.
    private mutating func replace(_ index: Int, keeping start: Int, _ bytes: [UInt8]) {
        let begin = source.pairRanges[index].lowerBound
        pairs[index].bytes = unsafe Array(source.file.bytes[begin..<start]) + bytes
        pairs[index].range = nil
    }

    private func wrong(_ key: String, _ expected: String, _ found: String) -> CheckpointError {
        .metadataWrong(path: source.file.path, key: key, expected: expected, found: found)
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private static func string(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }
}

// MARK: - Writing

extension GGUFWriter {
    /// Tensors up to this size are written by a rehearsal, too: vectors, from which a plan can depend.
    private static let smallByteCount = 1 << 20
    /// Bytes of a tensor that are copied at once.
    private static let pieceByteCount = 1 << 22

    /// Writes the file, and puts it in its place when it is whole; nothing is left otherwise.
    ///
    /// - Parameter replaces: Whether a file that exists may be replaced.
    public func write(to path: String, replaces: Bool = false) throws(OutputError) {
        let file = try WholeFile(path: path, replaces: replaces)
        try write(to: file, isRehearsal: false)
        try file.finish()
    }

    /// Writes a file that has everything but the elements of large tensors, which are zeros and take no room: what it
    /// says can be looked at before the work of writing it is done.
    ///
    /// - Returns: The file, which is at its `temporaryPath` as long as it is kept.
    public func rehearse(beside path: String, replaces: Bool = false) throws(OutputError) -> WholeFile {
        let file = try WholeFile(path: path, replaces: replaces)
        try write(to: file, isRehearsal: true)
        return file
    }

    private func write(to file: WholeFile, isRehearsal: Bool) throws(OutputError) {
        var offset = try writeHead(to: file)
        for tensor in tensors {
            try file.write([UInt8](repeating: 0, count: padding(offset)))
            offset += padding(offset)
            if isRehearsal, tensor.byteCount > Self.smallByteCount {
                try file.skip(tensor.byteCount)
            } else {
                try write(tensor, to: file)
            }
            offset += tensor.byteCount
        }
        try file.write([UInt8](repeating: 0, count: padding(offset)))
    }

    /// Bytes of zeros after so many others.
    private func padding(_ byteCount: Int) -> Int {
        (source.alignment - byteCount % source.alignment) % source.alignment
    }

    /// Header, metadata and infos; gives their size.
    private func writeHead(to file: WholeFile) throws(OutputError) -> Int {
        let header =
            Array("GGUF".utf8) + Self.bytes(UInt32(3)) + Self.bytes(UInt64(tensors.count))
            + Self.bytes(UInt64(pairs.count))
        try file.write(header)
        for pair in pairs {
            guard let range = pair.range else {
                try file.write(pair.bytes)
                continue
            }
            try copy(range, to: file)
        }
        var infos: [UInt8] = []
        var offset = 0
        for tensor in tensors {
            infos += Self.string(tensor.name) + Self.bytes(UInt32(tensor.shape.count))
            // The file has the innermost dimension first.
            infos += tensor.shape.reversed().flatMap { Self.bytes(UInt64($0)) }
            infos += Self.bytes(tensor.typeNumber) + Self.bytes(UInt64(offset))
            offset += tensor.byteCount
            offset += padding(offset)
        }
        try file.write(infos)
        return header.count + pairs.reduce(0) { $0 + $1.byteCount } + infos.count
    }

    private func write(_ tensor: Tensor, to file: WholeFile) throws(OutputError) {
        switch tensor.content {
        case .stored(let entry):
            let range = entry.byteOffset..<entry.byteOffset + tensor.byteCount
            for begin in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceByteCount) {
                let piece = begin..<min(begin + Self.pieceByteCount, range.upperBound)
                source.file.prefetch(piece.upperBound..<piece.upperBound + Self.pieceByteCount)
                try copy(piece, to: file)
                source.file.release(piece)
            }
        case .values(let values, _, let elementType):
            // A multiple of every type's block.
            let count = 1 << 18
            for begin in stride(from: 0, to: values.count, by: count) {
                try file.write(elementType.encoded(values[begin..<min(begin + count, values.count)].span))
            }
        }
    }

    private func copy(_ range: Range<Int>, to file: WholeFile) throws(OutputError) {
        try unsafe file.write(UnsafeRawBufferPointer(rebasing: source.file.bytes[range]).bytes)
    }
}

extension GGUFWriter.Tensor {
    /// Whether its numbers are rounded to blocks when they are written.
    public var isQuantizedAnew: Bool {
        if case .values(_, _, let elementType) = content { elementType.blockElementCount > 1 } else { false }
    }

    /// Outermost first.
    fileprivate var shape: [Int] {
        switch content {
        case .stored(let entry): entry.shape
        case .values(_, let shape, _): shape
        }
    }

    fileprivate var byteCount: Int {
        switch content {
        case .stored(let entry): entry.byteCount ?? 0
        case .values(let values, _, let elementType): elementType.byteCount(of: values.count) ?? 0
        }
    }

    fileprivate var typeNumber: UInt32 {
        switch content {
        case .stored(let entry): GGUFTensorType.number(named: entry.typeName) ?? 0
        case .values(_, _, let elementType): GGUFTensorType.number(named: elementType.rawValue) ?? 0
        }
    }
}
