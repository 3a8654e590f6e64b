public import Checkpoints
public import Compute

/// What can go wrong between a checkpoint and its hidden states.
public enum TransformerError: Error, Sendable, CustomStringConvertible {
    case checkpoint(CheckpointError)
    case compute(ComputeError)
    /// The architecture is not one that Straightedge knows.
    case unknownFamily(path: String, name: String, known: [String])
    /// A setting is missing, out of range, or changes the mathematics in a way that is not understood.
    case setting(path: String, key: String, problem: String)
    /// A tensor of the checkpoint has no place in the plan: leaving it out would silently change the model.
    case unexpectedTensor(path: String, name: String, family: String)
    /// A weight is NaN or infinite.
    case nonFiniteWeight(path: String, tensor: String, row: Int)
    /// The residual stream became NaN or infinite.
    case nonFiniteActivation(stage: String, sequence: Int, position: Int)
    /// A sequence is longer than the model's positions, or empty.
    case sequence(index: Int, length: Int, maximum: Int)
    /// A token id lies outside the vocabulary.
    case token(id: Int32, sequence: Int, position: Int, vocabularySize: Int)
    /// The scratch file of a stream could not be made, written or read.
    case scratchFile(path: String, operation: String, reason: String)

    public var description: String {
        switch self {
        case .checkpoint(let error): "\(error)"
        case .compute(let error): "\(error)"
        case .unknownFamily(let path, let name, let known):
            "\(path): the architecture \(name.quoted) is not supported; known: \(known.joined(separator: ", "))"
        case .setting(let path, let key, let problem): "\(path): \(key.legible): \(problem)"
        case .unexpectedTensor(let path, let name, let family):
            "\(path): tensor \(name.quoted) has no place in a \(family) model; leaving it out would change the model, "
                + "so it is refused"
        case .nonFiniteWeight(let path, let tensor, let row):
            "\(path): tensor '\(tensor)' holds a NaN or an infinity in row \(row); the file is damaged or was saved "
                + "from a diverged run: fetch or export it again"
        case .nonFiniteActivation(let stage, let sequence, let position):
            "the residual stream is NaN or infinite \(stage), sequence \(sequence), position \(position); "
                + "the weights do not fit the plan, or the model overflows float32 on this input"
        case .sequence(let index, let length, let maximum):
            length == 0
                ? "sequence \(index) is empty; every sequence needs at least one token"
                : "sequence \(index) has \(length) tokens, the model has positions for \(maximum); "
                    + "give a smaller --sequence-length or cut the sequence"
        case .token(let id, let sequence, let position, let vocabularySize):
            "token id \(id) (sequence \(sequence), position \(position)) lies outside the vocabulary of "
                + "\(vocabularySize); the ids belong to another tokenizer"
        case .scratchFile(let path, let operation, let reason):
            "scratch file in \(path): \(operation) failed: \(reason); free some space, set TMPDIR to another folder, "
                + "or give a larger --memory"
        }
    }
}

/// Runs `body`, and rethrows the error of a room below as this room's.
func wrapping<Result>(_ body: () throws(ComputeError) -> Result) throws(TransformerError) -> Result {
    do { return try body() } catch { throw .compute(error) }
}

func wrappingCheckpoint<Result>(_ body: () throws(CheckpointError) -> Result) throws(TransformerError) -> Result {
    do { return try body() } catch { throw .checkpoint(error) }
}
