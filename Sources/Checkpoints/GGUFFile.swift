/// A GGUF file, version 2 or 3, little-endian: metadata and tensors, both in the mapped file.
///
/// Every count, length, shape and offset is checked against the file when it is opened, before it is used. A tensor
/// of a type that is not read is an error only when that tensor is asked for.
///
/// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
public struct GGUFFile: Sendable {
    public let file: MappedFile
    public let version: Int
    /// Tensors start at multiples of this many bytes: a power of two, 32 unless the file says otherwise.
    public let alignment: Int
    public let metadata: GGUFMetadata
    /// Where each pair of the metadata stands, in the order of its keys.
    let pairRanges: [Range<Int>]
    let directory: TensorDirectory

    public var tensorNames: [String] { directory.entries.map(\.name) }

    public init(_ path: String) throws(CheckpointError) {
        try self.init(MappedFile(path))
    }

    public init(_ file: MappedFile) throws(CheckpointError) {
        var reader = GGUFReader(file)
        let header = try reader.readHeader()
        let (metadata, pairRanges) = try reader.readMetadata(count: header.pairCount)
        let alignment = try Self.alignment(metadata)
        self.file = file
        self.version = header.version
        self.metadata = metadata
        self.pairRanges = pairRanges
        self.alignment = alignment
        directory = try reader.readDirectory(count: header.tensorCount, alignment: alignment)
    }

    /// The tensor of this name.
    ///
    /// - Throws: `tensorMissing`, `unsupportedElementType`.
    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        try directory.tensor(name, path: file.path)
    }

    /// Whether the file begins as a GGUF file does.
    static func matches(_ file: MappedFile) -> Bool {
        unsafe file.bytes.starts(with: "GGUF".utf8)
    }

    private static func alignment(_ metadata: GGUFMetadata) throws(CheckpointError) -> Int {
        let key = "general.alignment"
        let alignment = try metadata.integerIfPresent(key) ?? 32
        guard alignment > 0, alignment.nonzeroBitCount == 1 else {
            throw .metadataWrong(path: metadata.path, key: key, expected: "a power of two", found: "\(alignment)")
        }
        return alignment
    }
}
