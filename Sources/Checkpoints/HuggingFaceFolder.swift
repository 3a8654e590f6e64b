/// A model folder as Hugging Face writes it: config.json, safetensors files or PyTorch archives, and the tokenizer's
/// files.
public struct HuggingFaceFolder: Sendable {
    public let path: String
    /// config.json, an object.
    public let config: JSON
    /// tokenizer.json, where the folder has one.
    public let tokenizerPath: String?
    /// tokenizer_config.json, where the folder has one.
    public let tokenizerConfig: JSON?
    public let weightFormat: WeightFormat
    /// The files of weights, in name order.
    public let weightFiles: [MappedFile]
    /// All that the folder holds.
    public let fileNames: Set<String>
    let configFile: MappedFile
    let directory: TensorDirectory

    static let configName = "config.json"

    /// Opens the folder: `model.safetensors`, or else the shards of `model.safetensors.index.json`, or else
    /// `pytorch_model.bin`, its shards, or the only `.pt` or `.pth` file.
    ///
    /// - Parameter archive: A PyTorch archive in the folder that is taken instead.
    public init(_ path: String, archive: String? = nil) throws(CheckpointError) {
        let names = try Folder.names(in: path)
        guard names.contains(Self.configName) else {
            throw .incompleteFolder(path: path, lacks: Self.configName, remedy: Self.remedy(names))
        }
        let configPath = "\(path)/\(Self.configName)"
        configFile = try MappedFile(configPath)
        config = try JSON.read(configFile)
        guard config.object != nil else {
            throw .wrongMember(path: configPath, place: "the whole file", expected: "an object", found: config.kind)
        }
        let weights: WeightIndex
        if let archive {
            weightFormat = .pyTorch
            weights = try WeightIndex(single: archive, .pyTorch)
        } else {
            (weights, weightFormat) = try Self.weights(path, names)
        }
        weightFiles = weights.files
        directory = weights.directory
        tokenizerPath = names.contains("tokenizer.json") ? "\(path)/tokenizer.json" : nil
        tokenizerConfig =
            names.contains("tokenizer_config.json") ? try JSON.read("\(path)/tokenizer_config.json") : nil
        fileNames = names
        self.path = path
    }

    /// The path of a file of the folder, or nil where it has none of this name.
    public func path(of name: String) -> String? { fileNames.contains(name) ? "\(path)/\(name)" : nil }

    private static func weights(
        _ path: String, _ names: Set<String>
    ) throws(CheckpointError) -> (WeightIndex, WeightFormat) {
        for format in WeightFormat.allCases {
            if names.contains(format.singleName) {
                return (try WeightIndex(single: "\(path)/\(format.singleName)", format), format)
            }
            if names.contains(format.indexName) { return (try WeightIndex(shardsIn: path, format), format) }
        }
        let archives = names.filter(isArchive).sorted()
        guard archives.count <= 1 else { throw .weightsChoice(path: path, names: archives) }
        if let archive = archives.first { return (try WeightIndex(single: "\(path)/\(archive)", .pyTorch), .pyTorch) }
        let expected = WeightFormat.allCases.map { "\($0.singleName) or \($0.indexName)" }
        throw .incompleteFolder(path: path, lacks: expected.joined(separator: ", or "), remedy: remedy(names))
    }

    /// What programs of training put beside the weights.
    private static let otherStates = ["optimizer", "scheduler", "scaler", "rng_state", "training_args"]

    /// Whether a file of this name may be a PyTorch archive with the weights.
    private static func isArchive(_ name: String) -> Bool {
        [".pt", ".pth"].contains { name.hasSuffix($0) } && !otherStates.contains { name.hasPrefix($0) }
            && !name.hasPrefix(".")
    }

    /// What to do with a folder of these files.
    private static func remedy(_ names: Set<String>) -> String {
        let isBinary = { (name: String) in name.hasSuffix(".bin") || isArchive(name) }
        if let gguf = names.filter({ $0.hasSuffix(".gguf") }).min() { return "It has \(gguf.legible): name that file." }
        if names.contains(configName), let archive = names.filter(isBinary).min() {
            return "It has \(archive.legible): if that holds the weights, name that file."
        }
        return "Download the model's files into it, or name another folder."
    }
}
