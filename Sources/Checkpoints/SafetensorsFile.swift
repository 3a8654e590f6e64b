import Tensors

/// One safetensors file: a JSON header and the tensors' bytes, in the mapped file.
///
/// Every offset, shape and size is checked when the file is opened. A tensor of a type that is not read is an error
/// only when that tensor is asked for.
///
/// The format: https://huggingface.co/docs/safetensors
public struct SafetensorsFile: Sendable {
    public let file: MappedFile
    /// The strings under `__metadata__`, such as ("format", "pt").
    public let metadata: [(key: String, value: String)]
    let directory: TensorDirectory

    /// In the order of their bytes in the file.
    public var tensorNames: [String] { directory.entries.map(\.name) }

    public init(_ path: String) throws(CheckpointError) {
        try self.init(MappedFile(path))
    }

    public init(_ file: MappedFile) throws(CheckpointError) {
        try FileKind.refusePointer(file)
        let header = try SafetensorsHeader(file)
        self.file = file
        metadata = try header.metadata()
        directory = try header.directory()
    }

    /// The tensor of this name.
    ///
    /// - Throws: `tensorMissing`, `unsupportedElementType`.
    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        try directory.tensor(name, path: file.path)
    }
}

// MARK: - The header

/// The JSON before the tensors' bytes.
private struct SafetensorsHeader {
    let file: MappedFile
    let members: JSONObject
    /// Where the tensors' bytes start, from the start of the file.
    let dataStart: Int

    private static let metadataKey = "__metadata__"
    /// As in the reference implementation: no model needs more.
    private static let byteCountLimit = 100_000_000
    /// No library makes a tensor of more.
    private static let dimensionLimit = 64

    init(_ file: MappedFile) throws(CheckpointError) {
        var reader = ByteReader(file)
        let length = try reader.readCount(unit: 1, "the length of the header")
        guard length <= Self.byteCountLimit else {
            throw reader.malformed("the header takes \(length) bytes; expected at most \(Self.byteCountLimit)", at: 0)
        }
        let start = try reader.skip(length, "the header")
        do throws(JSONError) {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + length])
            guard case .object(let members) = try unsafe JSON.parse(bytes, source: file.path) else {
                throw JSONError(source: file.path, byteOffset: 0, problem: "the header is not an object")
            }
            self.members = members
        } catch {
            throw .malformedJSON(
                JSONError(source: error.source, byteOffset: error.byteOffset + start, problem: error.problem))
        }
        self.file = file
        dataStart = start + length
    }

    func metadata() throws(CheckpointError) -> [(key: String, value: String)] {
        guard let member = members[Self.metadataKey] else { return [] }
        guard let object = member.object else { throw wrong(Self.metadataKey, "an object of strings", member) }
        var metadata: [(key: String, value: String)] = []
        for (key, value) in object.members {
            guard let string = value.string else {
                throw wrong("\(Self.metadataKey), \(key.quoted)", "a string", value)
            }
            metadata.append((key, string))
        }
        return metadata
    }

    func directory() throws(CheckpointError) -> TensorDirectory {
        var entries: [TensorDirectory.Entry] = []
        for (name, value) in members.members where name != Self.metadataKey {
            entries.append(try entry(name, value))
        }
        entries.sort { $0.byteOffset < $1.byteOffset }
        var directory = TensorDirectory()
        // Names cannot repeat: the parser refuses objects with repeated keys.
        for entry in entries { _ = directory.append(entry) }
        if let (first, second) = directory.overlap() {
            throw malformed("the tensors \(first.name.quoted) and \(second.name.quoted) overlap", at: second.byteOffset)
        }
        return directory
    }

    private func entry(_ name: String, _ value: JSON) throws(CheckpointError) -> TensorDirectory.Entry {
        let place = "tensor \(name.quoted)"
        guard let typeName = value["dtype"]?.string else { throw wrong("\(place), dtype", "a string", value["dtype"]) }
        let shape = try lengths(value["shape"], "\(place), shape")
        guard shape.count <= Self.dimensionLimit else {
            throw malformed("\(place) has \(shape.count) dimensions; expected at most \(Self.dimensionLimit)")
        }
        let offsets = try lengths(value["data_offsets"], "\(place), data_offsets")
        let available = file.byteCount - dataStart
        guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= available else {
            let found = offsets.count == 2 ? "\(offsets)" : "\(offsets.count) of them"
            throw malformed("\(place) has the offsets \(found); expected two, ascending, of at most \(available)")
        }
        let type = SafetensorsType(typeName)
        guard let elementCount = TensorDirectory.elementCount(of: shape) else {
            throw malformed("\(place) has the shape \(shape), more elements than can be counted")
        }
        let byteCount = offsets[1] - offsets[0]
        if let elementByteCount = type.elementByteCount {
            let (expected, overflow) = elementCount.multipliedReportingOverflow(by: elementByteCount)
            guard !overflow, expected == byteCount else {
                throw malformed(
                    "\(place) of shape \(shape) and type \(typeName.legible) takes \(byteCount) bytes by its offsets")
            }
        }
        return TensorDirectory.Entry(
            name: name, shape: shape, typeName: typeName.legible, elementType: type.elementType, file: file,
            byteOffset: dataStart + offsets[0], byteCount: byteCount)
    }

    private func lengths(_ value: JSON?, _ place: String) throws(CheckpointError) -> [Int] {
        guard let elements = value?.array else { throw wrong(place, "an array of lengths", value) }
        var lengths: [Int] = []
        for element in elements {
            guard let length = element.integer, length >= 0 else {
                throw wrong(place, "lengths of 0 or more that fit 64 bits", element)
            }
            lengths.append(length)
        }
        return lengths
    }

    private func wrong(_ place: String, _ expected: String, _ value: JSON?) -> CheckpointError {
        .wrongMember(
            path: file.path, place: "header, \(place)", expected: expected,
            found: value.map { $0.number == nil ? $0.kind : $0.serialized(indented: false) } ?? "nothing")
    }

    private func malformed(_ problem: String, at byteOffset: Int = 8) -> CheckpointError {
        .malformed(path: file.path, byteOffset: byteOffset, problem: problem)
    }
}

/// An element type by its safetensors name.
private struct SafetensorsType {
    /// nil for a type that this engine does not read.
    let elementType: ElementType?
    /// nil where the type is unknown or its elements are smaller than a byte.
    let elementByteCount: Int?

    init(_ name: String) {
        switch name {
        case "F64": elementType = .float64
        case "F32": elementType = .float32
        case "F16": elementType = .float16
        case "BF16": elementType = .bfloat16
        default: elementType = nil
        }
        elementByteCount = Self.byteCounts[name]
    }

    private static let byteCounts: [String: Int] = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
        "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
    ]
}
