import ArgumentParser
import Checkpoints
import Glibc
import Transformers

/// The model that a command works on.
struct ModelArgument: ParsableArguments {
    @Argument(
        help: """
            A GGUF file, a Hugging Face folder with config.json and safetensors or PyTorch archives, such an archive in \
            its folder, or the name of a model in the Hugging Face cache: org/name or org/name@revision.
            """, completion: .file())
    var model: String

    func open() throws -> DecoderModel { try DecoderModel(openCheckpoint()) }

    /// A path that exists; else the model of this name in the cache.
    func openCheckpoint() throws -> Checkpoint {
        let cache = HuggingFaceCache { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
        return try Checkpoint.open(model, in: cache)
    }
}
