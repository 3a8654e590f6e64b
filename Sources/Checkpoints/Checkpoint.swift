public import Tensors

/// A model's weights with what its files say of them: a GGUF file or a Hugging Face folder.
///
/// Opening checks the files and reads no weights; `tensor` gives ranges of the mapped files.
public struct Checkpoint: Sendable {
    public enum Format: Sendable {
        case gguf(GGUFFile)
        case huggingFace(HuggingFaceFolder)
    }

    /// As it was given to `open`.
    public let path: String
    public let format: Format
    private let directory: TensorDirectory

    /// Opens a GGUF file, known by its first bytes, or a folder with config.json and safetensors files.
    ///
    /// - Throws: `CheckpointError`; for a file of another kind, what it looks like and what was expected.
    public static func open(_ path: String) throws(CheckpointError) -> Checkpoint {
        if Folder.exists(path) {
            let folder = try HuggingFaceFolder(path)
            return Checkpoint(path: path, format: .huggingFace(folder), directory: folder.directory)
        }
        let file = try GGUFFile(path)
        return Checkpoint(path: path, format: .gguf(file), directory: file.directory)
    }

    /// A name for people and for output folders: the GGUF file's without its suffix, the folder's, or the model's
    /// where the folder is a snapshot of the Hugging Face cache, whose own name is a hash.
    public var name: String {
        let last = Folder.lastComponent(path)
        if case .gguf = format { return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last }
        let components = Folder.components(path)
        guard components.count >= 3, components[components.count - 2] == "snapshots" else { return last }
        // models--ORGANIZATION--MODEL/snapshots/HASH
        let parts = components[components.count - 3].split(separator: "--", maxSplits: 2)
        return parts.first == "models" ? String(parts[parts.count - 1]) : last
    }

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
    /// - Throws: `tensorMissing`, `unsupportedElementType`.
    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        try directory.tensor(name, path: path)
    }

    /// The tensor of this name and shape.
    ///
    /// - Parameter shape: outermost first; a matrix that maps `width` inputs to `rows` outputs is (rows, width).
    /// - Throws: `tensorMissing`, `tensorShape`, `unsupportedElementType`.
    public func tensor(_ name: String, shape: [Int]) throws(CheckpointError) -> StoredTensor {
        if let entry = directory.entry(name), entry.shape != shape {
            throw .tensorShape(path: entry.file.path, name: name, expected: shape, found: entry.shape)
        }
        return try directory.tensor(name, path: path)
    }

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
