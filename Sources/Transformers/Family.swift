import Checkpoints

/// A family of decoders: how its settings become a plan, and where its tensors lie.
struct Family: Sendable {
    let name: String
    /// `model_type` of config.json.
    let modelTypes: [String]
    /// Reads config.json.
    let readConfig: Reader
    /// `general.architecture` of GGUF metadata, where llama.cpp defines one.
    var architectures: [String] = []
    var readMetadata: Reader?

    typealias Reader = @Sendable (Settings, Checkpoint) throws(TransformerError) -> Architecture

    /// All that can be read.
    static let known: [Family] = [
        .gpt2, .gptj, .gptNeoX, .opt, .bloom, .falcon, .llama, .mistral, .phi3, .qwen2, .qwen3, .gemma, .gemma2,
        .gemma3,
        .phi, .smolLM3, .olmo, .olmo2, .stableLM, .starCoder2, .gptBigCode, .granite, .cohere, .cohere2, .mpt,
        .nemotron,
    ]
}

/// What is computed, and with which tensors.
struct Architecture: Sendable {
    var plan: DecoderPlan
    var sources: ModelSources
}

extension Family {
    /// Reads the settings of a checkpoint with the family that they name.
    ///
    /// - Throws: `TransformerError.unknownFamily`, or a setting that is not understood.
    static func read(_ checkpoint: Checkpoint) throws(TransformerError) -> Architecture {
        switch checkpoint.format {
        case .gguf(let file):
            let settings = Settings(path: checkpoint.path, gguf: file, tensorCount: checkpoint.tensorNames.count)
            let name = try settings.string("general.architecture")
            let reader = known.first { $0.architectures.contains(name) }?.readMetadata
            return try read(checkpoint, settings, name, reader, known.flatMap(\.architectures))
        case .huggingFace(let folder): return try read(checkpoint, configuration: folder.config)
        }
    }

    /// Reads the settings of a config.json with the family that they name.
    static func read(_ checkpoint: Checkpoint, configuration: JSON) throws(TransformerError) -> Architecture {
        let settings = Settings(
            path: checkpoint.configurationPath, config: configuration, tensorCount: checkpoint.tensorNames.count)
        let name = try settings.string("model_type")
        let reader = known.first { $0.modelTypes.contains(name) }?.readConfig
        return try read(checkpoint, settings, name, reader, known.flatMap(\.modelTypes))
    }

    private static func read(
        _ checkpoint: Checkpoint, _ settings: Settings, _ name: String, _ reader: Reader?, _ known: [String]
    ) throws(TransformerError) -> Architecture {
        guard let reader else { throw .unknownFamily(path: settings.path, name: name, known: known.sorted()) }
        // First, so that no family takes the setting for one that it does not know.
        let linearLayers = try LinearLayers.read(settings)
        var architecture = try reader(settings, checkpoint)
        try LinearLayers.put(linearLayers, into: &architecture, settings)
        try settings.check(architecture.plan)
        return architecture
    }
}
