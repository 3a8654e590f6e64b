public import Checkpoints
public import Tokenizers
public import Transformers

/// Why a model could not be written.
public enum ExportError: Error, Sendable, CustomStringConvertible {
    /// A file could not be written.
    case output(OutputError)
    /// The model that is exported could not be read.
    case checkpoint(CheckpointError)
    case transformer(TransformerError)
    /// The model's tokenizer could not be read, or not be written.
    case tokenizer(TokenizerError)
    /// The edit is not one of this model.
    case edit(path: String, problem: String)
    /// The files of the model's family have no place for what the edited model is.
    case inexpressible(path: String, problem: String)
    /// A new weight is not finite, or its type has no number as large.
    case weight(tensor: String, value: Float, elementType: String)
    /// What wrote a tensor gave another number of bytes than the tensor takes.
    case tensorByteCount(tensor: String, expected: Int, written: Int)

    public var description: String {
        switch self {
        case .output(let error): "\(error)"
        case .checkpoint(let error): "\(error)"
        case .transformer(let error): "\(error)"
        case .tokenizer(let error): "\(error)"
        case .edit(let path, let problem): "\(path.legible): \(problem)"
        case .inexpressible(let path, let problem): "\(path.legible): \(problem)"
        case .weight(let tensor, let value, let elementType):
            "tensor \(tensor): the new weight \(value) cannot be stored as \(elementType); store it as a wider type, or "
                + "export from a checkpoint of one"
        case .tensorByteCount(let tensor, let expected, let written):
            "tensor \(tensor) takes \(expected) bytes, and \(written) were written"
        }
    }
}

/// Runs `body`, and rethrows the error of a room below as this room's.
func wrappingOutput<Result>(_ body: () throws(OutputError) -> Result) throws(ExportError) -> Result {
    do { return try body() } catch { throw .output(error) }
}

func wrappingCheckpoint<Result>(_ body: () throws(CheckpointError) -> Result) throws(ExportError) -> Result {
    do { return try body() } catch { throw .checkpoint(error) }
}

func wrappingTransformer<Result>(_ body: () throws(TransformerError) -> Result) throws(ExportError) -> Result {
    do { return try body() } catch { throw .transformer(error) }
}
