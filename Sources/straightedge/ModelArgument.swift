import ArgumentParser
import Checkpoints
import Transformers

/// The model that a command works on.
struct ModelArgument: ParsableArguments {
    @Argument(
        help: "A GGUF file, or a Hugging Face folder with config.json and safetensors.", completion: .file())
    var model: String

    func open() throws -> DecoderModel {
        try DecoderModel(try Checkpoint.open(model))
    }
}
