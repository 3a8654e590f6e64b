/// The formats in which a Hugging Face folder has weights.
public enum WeightFormat: Sendable, CaseIterable {
    // In the order in which they are preferred.
    case safetensors
    case pyTorch

    /// The one file of a small model.
    var singleName: String {
        switch self {
        case .safetensors: "model.safetensors"
        case .pyTorch: "pytorch_model.bin"
        }
    }

    /// What says which shard has which tensor.
    var indexName: String { "\(singleName).index.json" }

    /// Of the names of shards.
    var suffix: String {
        switch self {
        case .safetensors: ".safetensors"
        case .pyTorch: ".bin"
        }
    }

    /// Opens one file.
    func open(_ path: String) throws(CheckpointError) -> (file: MappedFile, directory: TensorDirectory) {
        switch self {
        case .safetensors:
            let file = try SafetensorsFile(path)
            return (file.file, file.directory)
        case .pyTorch:
            let file = try PyTorchFile(path)
            return (file.file, file.directory)
        }
    }
}
