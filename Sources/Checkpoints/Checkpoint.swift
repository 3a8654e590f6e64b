public import Tensors

/// A model's weights with what its files say of them: a GGUF file or a Hugging Face folder.
///
/// Opening checks the files and reads no weights; `tensor` gives ranges of the mapped files, or of memory where an
/// archive has them otherwise.
public struct Checkpoint: Sendable {
    public enum Format: Sendable {
        case gguf(GGUFFile)
        case huggingFace(HuggingFaceFolder)
    }

    /// The file or the folder; what a model's name in the cache of the Hugging Face Hub stands for.
    public let path: String
    /// As it was given to `open`.
    public let givenName: String
    public let format: Format
    var directory: TensorDirectory

    /// Opens a GGUF file or a PyTorch archive beside its config.json, known by their first bytes, or a folder with
    /// config.json and safetensors files or PyTorch archives.
    ///
    /// - Throws: `CheckpointError`; for a file of another kind, what it looks like and what was expected.
    public static func open(_ path: String) throws(CheckpointError) -> Checkpoint {
        try open(path, givenName: path)
    }

    /// Opens a path that exists, or else the model of this name in the cache of the Hugging Face Hub.
    ///
    /// - Parameter name: A path, or ORGANIZATION/NAME, with @REVISION for another revision than the main one.
    /// - Throws: `CheckpointError`; for what is not there, how to fetch it.
    public static func open(_ name: String, in cache: HuggingFaceCache) throws(CheckpointError) -> Checkpoint {
        guard !Folder.hasEntry(name), let model = try ModelName(name) else { return try open(name) }
        guard let snapshot = try cache.snapshot(of: model) else { return try open(name) }
        do throws(CheckpointError) {
            return try open(snapshot, givenName: name)
        } catch {
            // A model of GGUF files is whole: one of them has to be named.
            let isOfGGUF = try Folder.names(in: snapshot).contains { $0.hasSuffix(".gguf") }
            switch error {
            case .incompleteFolder where isOfGGUF: throw error
            case .missing, .brokenLink, .incompleteFolder, .shardMissing:
                throw .incompleteSnapshot(name: name, problem: "\(error)", command: model.fetchCommand)
            default: throw error
            }
        }
    }

    private static func open(_ path: String, givenName: String) throws(CheckpointError) -> Checkpoint {
        if Folder.exists(path) {
            let folder = try HuggingFaceFolder(path)
            return Checkpoint(
                path: path, givenName: givenName, format: .huggingFace(folder), directory: folder.directory)
        }
        let file = try MappedFile(path)
        if PyTorchFile.matches(file) {
            let folder = try HuggingFaceFolder(Folder.parent(of: path), archive: path)
            return Checkpoint(
                path: path, givenName: givenName, format: .huggingFace(folder), directory: folder.directory)
        }
        let gguf = try GGUFFile(file)
        return Checkpoint(path: path, givenName: givenName, format: .gguf(gguf), directory: gguf.directory)
    }

    /// A name for people and for output folders: the file's without its suffix, the folder's, or the model's where the
    /// folder is a snapshot of the Hugging Face cache, whose own name is a hash.
    public var name: String {
        let last = Folder.lastComponent(path)
        if let suffix = [".gguf", ".pt", ".pth", ".bin"].first(where: { last.hasSuffix($0) }), last != suffix {
            return String(last.dropLast(suffix.count))
        }
        guard let snapshot, snapshot.isWhole else { return last }
        return snapshot.repository.split(separator: "/").last.map(String.init) ?? last
    }

    /// The file with the configuration, for messages.
    public var configurationPath: String {
        switch format {
        case .gguf(let gguf): gguf.file.path
        case .huggingFace(let folder): folder.configFile.path
        }
    }

    /// The model and the commit, where the path is in a snapshot of the Hugging Face cache.
    public var snapshot: HuggingFaceCache.Snapshot? { HuggingFaceCache.Snapshot(containing: path) }

    /// The files that hold the weights, in name order.
    public var weightFiles: [MappedFile] {
        switch format {
        case .gguf(let gguf): [gguf.file]
        case .huggingFace(let folder): folder.weightFiles
        }
    }

    /// The size of the files that hold the weights.
    public var byteCount: Int { weightFiles.reduce(0) { $0 + $1.byteCount } }
}

// MARK: - Tensors

extension Checkpoint {
    /// In file order.
    public var tensorNames: [String] { directory.entries.map(\.name) }

    public func contains(_ name: String) -> Bool { directory.contains(name) }

    /// The tensor of this name, of whatever shape.
    ///
    /// - Throws: `tensorMissing`, `unsupportedElementType`; for a tensor of an archive also `malformed`, where its bytes
    ///   are not those that were written, `expandedTensor`, `outOfMemory`.
    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        try directory.tensor(name, path: path)
    }

    /// The tensor of this name and shape.
    ///
    /// - Parameter shape: outermost first; a matrix that maps `width` inputs to `rows` outputs is (rows, width).
    /// - Throws: `tensorShape`, and what `tensor(_:)` throws.
    public func tensor(_ name: String, shape: [Int]) throws(CheckpointError) -> StoredTensor {
        try requireTensor(name, shape: shape)
        return try directory.tensor(name, path: path)
    }

    /// Checks that there is a tensor of this name and shape that can be read; reads nothing of it.
    ///
    /// - Throws: `tensorMissing`, `tensorShape`, `unsupportedElementType`, `expandedTensor`.
    public func requireTensor(_ name: String, shape: [Int]) throws(CheckpointError) {
        if let entry = directory.entry(name), entry.shape != shape {
            throw .tensorShape(path: entry.file.path, name: name, expected: shape, found: entry.shape)
        }
        _ = try directory.readable(name, path: path)
    }

    /// The element type and the shape of a tensor; reads nothing of it.
    ///
    /// - Throws: `tensorMissing`, `unsupportedElementType`, `expandedTensor`.
    public func form(of name: String) throws(CheckpointError) -> (elementType: ElementType, shape: [Int]) {
        let (entry, elementType, _) = try directory.readable(name, path: path)
        return (elementType, entry.shape)
    }

    /// Has the system read the pages of a tensor, while something else is done. Views of an archive's records are checked
    /// when they are read, and are left until then.
    public func prefetch(_ name: String) {
        guard let entry = directory.entry(name), entry.view == nil, entry.memory == nil,
            let byteCount = entry.byteCount
        else { return }
        entry.file.prefetch(entry.byteOffset..<entry.byteOffset + byteCount)
    }

    /// The element type of a tensor; nil where it is absent or of a type that is not read.
    public func elementType(of name: String) -> ElementType? { directory.entry(name)?.elementType }

    /// Elements of all tensors.
    public var parameterCount: Int {
        elementTypeCounts.reduce(0) { Self.sum($0, $1.parameterCount) }
    }

    /// How many tensors and parameters are stored as one type.
    public struct ElementTypeCount: Sendable, Equatable {
        /// The format's own name, also for types that are not read.
        public let name: String
        /// nil for a type that is not read.
        public let elementType: ElementType?
        public let tensorCount: Int
        public let parameterCount: Int
    }

    /// One entry for each type that occurs, that with the most parameters first.
    public var elementTypeCounts: [ElementTypeCount] {
        let groups = Dictionary(grouping: directory.entries, by: \.typeName)
        let counts = groups.map { name, entries in
            ElementTypeCount(
                name: name, elementType: entries.first?.elementType, tensorCount: entries.count,
                parameterCount: entries.reduce(0) { Self.sum($0, $1.elementCount) })
        }
        return counts.sorted { ($0.parameterCount, $1.name) > ($1.parameterCount, $0.name) }
    }

    /// A hostile file can claim 2^62 elements of a type whose size is not known, twice.
    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? Int.max : sum
    }
}
