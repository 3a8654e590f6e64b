public import Compute
public import Linearity
public import Tokenizers
public import Transformers

/// What can go wrong in an evaluation.
public enum EvaluationError: Error, Sendable, CustomStringConvertible {
    case transformer(TransformerError)
    case compute(ComputeError)
    case linearity(LinearityError)
    case tokenizer(TokenizerError)
    /// No token has one before it.
    case nothingScored(source: String)
    /// Two models that have no ids in common.
    case otherVocabulary(model: String, size: Int, reference: String, referenceSize: Int)
    /// Two models of one vocabulary size that mean other texts by their ids.
    case otherTokens(model: String, reference: String, problem: String)
    /// A line, counted from 1, of a file of choices.
    case choiceLine(source: String, line: Int, problem: String)
    case noChoices(source: String)

    public var description: String {
        switch self {
        case .transformer(let error): "\(error)"
        case .compute(let error): "\(error)"
        case .linearity(let error): "\(error)"
        case .tokenizer(let error): "\(error)"
        case .nothingScored(let source):
            "\(source): no token can be scored: each needs one before it in its sequence; give sequences of two tokens or more"
        case .otherVocabulary(let model, let size, let reference, let referenceSize):
            "\(model) has a vocabulary of \(size) ids and \(reference) one of \(referenceSize): their predictions cannot be "
                + "compared token by token; evaluate each alone, and compare their bits per byte"
        case .otherTokens(let model, let reference, let problem):
            "\(model) and \(reference) have different tokenizers: \(problem); evaluate each alone, and compare their bits "
                + "per byte"
        case .choiceLine(let source, let line, let problem):
            "\(source): line \(line): \(problem); expected a line such as {\"context\": \"The sky is\", \"choices\": "
                + "[\" blue\", \" made of cheese\"], \"answer\": 0}"
        case .noChoices(let source):
            "\(source): the file has no questions; expected a line such as {\"context\": \"The sky is\", \"choices\": "
                + "[\" blue\", \" made of cheese\"], \"answer\": 0}"
        }
    }
}

func wrapping<Result>(_ body: () throws(ComputeError) -> Result) throws(EvaluationError) -> Result {
    do { return try body() } catch { throw .compute(error) }
}

func transforming<Result>(_ body: () throws(TransformerError) -> Result) throws(EvaluationError) -> Result {
    do { return try body() } catch { throw .transformer(error) }
}

func tokenizing<Result>(_ body: () throws(TokenizerError) -> Result) throws(EvaluationError) -> Result {
    do { return try body() } catch { throw .tokenizer(error) }
}
