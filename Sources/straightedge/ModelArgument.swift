import ArgumentParser
import Checkpoints
import Glibc
import Transformers

/// The model that a command works on.
struct ModelArgument: ParsableArguments {
    static let help: ArgumentHelp = """
        A GGUF file, a Hugging Face folder with config.json and safetensors or PyTorch archives, such an archive in its \
        folder, or the name of a model in the Hugging Face cache: org/name or org/name@revision.
        """

    @Argument(help: ModelArgument.help, completion: .file())
    var model: String

    func open() throws -> DecoderModel { try ModelArgument.open(model) }
    func openCheckpoint() throws -> Checkpoint { try ModelArgument.openCheckpoint(model) }

    static func open(_ model: String) throws -> DecoderModel { try DecoderModel(openCheckpoint(model)) }

    /// A path that exists; else the model of this name in the cache.
    static func openCheckpoint(_ model: String) throws -> Checkpoint {
        let cache = HuggingFaceCache { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
        return try Checkpoint.open(model, in: cache)
    }
}
