/// A model folder as Hugging Face writes it: config.json, safetensors files, and the tokenizer's files.
public struct HuggingFaceFolder: Sendable {
    public let path: String
    /// config.json, an object.
    public let config: JSON
    /// tokenizer.json, where the folder has one.
    public let tokenizerPath: String?
    /// tokenizer_config.json, where the folder has one.
    public let tokenizerConfig: JSON?
    /// The safetensors files, in name order.
    public let weightFiles: [MappedFile]
    let configFile: MappedFile
    let directory: TensorDirectory

    static let configName = "config.json"

    /// Opens the folder: `model.safetensors`, or else the shards of `model.safetensors.index.json`.
    public init(_ path: String) throws(CheckpointError) {
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
        let weights = try Self.weights(path, names)
        weightFiles = weights.files
        directory = weights.directory
        tokenizerPath = names.contains("tokenizer.json") ? "\(path)/tokenizer.json" : nil
        tokenizerConfig =
            names.contains("tokenizer_config.json") ? try JSON.read("\(path)/tokenizer_config.json") : nil
        self.path = path
    }

    private static func weights(_ path: String, _ names: Set<String>) throws(CheckpointError) -> SafetensorsIndex {
        if names.contains(SafetensorsIndex.singleName) {
            return try SafetensorsIndex(single: "\(path)/\(SafetensorsIndex.singleName)")
        }
        if names.contains(SafetensorsIndex.indexName) { return try SafetensorsIndex(shardsIn: path) }
        throw .incompleteFolder(
            path: path, lacks: "\(SafetensorsIndex.singleName) or \(SafetensorsIndex.indexName)", remedy: remedy(names))
    }

    /// What to do with a folder of these files.
    private static func remedy(_ names: Set<String>) -> String {
        if let gguf = names.filter({ $0.hasSuffix(".gguf") }).min() { return "It has \(gguf.legible): name that file." }
        if let archive = names.filter({ $0.hasSuffix(".bin") || $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }).min() {
            return
                "\(archive.legible) may be a PyTorch checkpoint: save the model again with save_pretrained, as safetensors."
        }
        return "Download the model's files into it, or name another folder."
    }
}
