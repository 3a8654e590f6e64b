public import Checkpoints
public import Tokenizers
import Transformers

/// Questions whose answer is the continuation that a model finds most likely, as EleutherAI's lm-evaluation-harness asks
/// them.
public struct MultipleChoice: Sendable {
    public let source: String
    public let questions: [Question]
    /// SHA-256, in hexadecimal digits, of the file's bytes.
    public let fingerprint: String

    public struct Question: Sendable, Hashable {
        public let context: String
        /// What may follow, as it is: a space that separates it belongs to it.
        public let choices: [String]
        /// The index of the one that does.
        public let answer: Int
    }

    /// Reads a file of one JSON object a line: `{"context": "…", "choices": ["…", "…"], "answer": 0}`. Other members are
    /// passed over.
    ///
    /// - Throws: `EvaluationError.choiceLine` with the number of the line that is malformed, `.noChoices`.
    public init(_ file: MappedFile) throws(EvaluationError) {
        try self.init(unsafe Array(file.bytes), source: file.path)
    }

    init(_ bytes: [UInt8], source: String) throws(EvaluationError) {
        self.source = source
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        while let last = lines.last, last.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { lines.removeLast() }
        guard !lines.isEmpty else { throw .noChoices(source: source) }
        var questions: [Question] = []
        for (index, line) in lines.enumerated() {
            do throws(QuestionProblem) {
                questions.append(try Question(Array(line)))
            } catch {
                throw .choiceLine(source: source, line: index + 1, problem: error.description)
            }
        }
        self.questions = questions
        var hash = SHA256()
        hash.update(bytes)
        fingerprint = SHA256.hexadecimal(hash.finalize())
    }
}

/// What is wrong with a line.
private struct QuestionProblem: Error {
    let description: String
}

extension MultipleChoice.Question {
    fileprivate init(_ line: [UInt8]) throws(QuestionProblem) {
        let value: JSON
        do throws(JSONError) {
            value = try JSON.parse(line, source: "")
        } catch {
            throw QuestionProblem(
                description: "not valid JSON at byte \(error.byteOffset) of the line: \(error.problem)")
        }
        guard value.object != nil else { throw QuestionProblem(description: "found \(value.kind)") }
        func member(_ key: String) throws(QuestionProblem) -> JSON {
            guard let member = value[key] else { throw QuestionProblem(description: "no member \"\(key)\"") }
            return member
        }
        let (context, choices, answer) = (try member("context"), try member("choices"), try member("answer"))
        guard let context = context.string else {
            throw QuestionProblem(description: "context: expected a string, found \(context.kind)")
        }
        guard let choices = choices.array else {
            throw QuestionProblem(description: "choices: expected an array, found \(choices.kind)")
        }
        guard choices.count > 1 else {
            throw QuestionProblem(description: "choices: expected two or more, found \(choices.count)")
        }
        var texts: [String] = []
        for (index, choice) in choices.enumerated() {
            guard let text = choice.string else {
                throw QuestionProblem(description: "choice \(index): expected a string, found \(choice.kind)")
            }
            guard text.unicodeScalars.contains(where: { !$0.isPythonSpace }) else {
                throw QuestionProblem(description: "choice \(index): it is empty")
            }
            texts.append(text)
        }
        guard let answer = answer.integer, texts.indices.contains(answer) else {
            throw QuestionProblem(description: "answer: expected an index of the choices, 0 to \(texts.count - 1)")
        }
        self.init(context: context, choices: texts, answer: answer)
    }
}

// MARK: - Tokens

extension MultipleChoice {
    /// The continuations with their contexts in front, packed: what a model has to score.
    ///
    /// Spaces at the end of a context go over to the continuation. Both are encoded together, and the continuation is what
    /// follows as many tokens as the context alone has. Where the context is empty the beginning-of-sequence token is in its
    /// place. A context that is too long loses its first tokens.
    ///
    /// - Parameters:
    ///   - maximumPositions: Of the model.
    ///   - bos: Whether the beginning-of-sequence token is put in front of every context.
    /// - Throws: `EvaluationError.choiceLine`, `.tokenizer`.
    public func tokens(
        _ tokenizer: Tokenizer, maximumPositions: Int, bos: Bool
    ) throws(EvaluationError) -> ScoredTokens {
        let encoder = try tokenizing { () throws(TokenizerError) in
            try ContinuationEncoder(tokenizer: tokenizer, maximumPositions: maximumPositions, bos: bos)
        }
        var (inputs, targets) = ([[Int32]](), [[Int32]]())
        for (index, question) in questions.enumerated() {
            let context = try encoder.context(question.context)
            for (number, choice) in question.choices.enumerated() {
                do throws(ContinuationEncoder.Failure) {
                    let pair = try encoder.encode(choice, after: context)
                    inputs.append(pair.input)
                    targets.append(pair.continuation)
                } catch {
                    switch error {
                    case .tokenizer(let error): throw .tokenizer(error)
                    case .problem(let problem):
                        throw .choiceLine(source: source, line: index + 1, problem: "choice \(number): \(problem)")
                    }
                }
            }
        }
        let layout = SequenceLayout(lengths: inputs.map(\.count))
        let rows = targets.indices.map { layout.offsets[$0 + 1] - targets[$0].count..<layout.offsets[$0 + 1] }
        return ScoredTokens(
            ids: inputs.flatMap(\.self), layout: layout, rows: rows, targets: targets.flatMap(\.self))
    }
}

private struct ContinuationEncoder {
    let tokenizer: Tokenizer
    let maximumPositions: Int
    /// What is in front of every context.
    let beginning: [Int32]

    enum Failure: Error {
        case tokenizer(TokenizerError)
        case problem(String)
    }

    struct Context {
        /// Without the spaces at its end.
        let text: String
        let spaces: String
        let ids: [Int32]
    }

    init(tokenizer: Tokenizer, maximumPositions: Int, bos: Bool) throws(TokenizerError) {
        self.tokenizer = tokenizer
        self.maximumPositions = maximumPositions
        beginning = try Corpus.beginning(bos, tokenizer)
    }

    func context(_ text: String) throws(EvaluationError) -> Context {
        var scalars = Array(text.unicodeScalars)
        var spaces: [Unicode.Scalar] = []
        while let last = scalars.last, last.isPythonSpace { spaces.append(scalars.removeLast()) }
        var (kept, moved) = (String.UnicodeScalarView(), String.UnicodeScalarView())
        kept.append(contentsOf: scalars)
        moved.append(contentsOf: spaces.reversed())
        let ids = try tokenizing { () throws(TokenizerError) in try tokenizer.encode(String(kept)) }
        return Context(text: String(kept), spaces: String(moved), ids: beginning + ids)
    }

    /// What goes through the model, and what its last rows have to predict.
    func encode(
        _ choice: String, after context: Context
    ) throws(Failure) -> (input: [Int32], continuation: [Int32]) {
        let whole: [Int32]
        do throws(TokenizerError) {
            whole = beginning + (try tokenizer.encode(context.text + context.spaces + choice))
        } catch {
            throw .tokenizer(error)
        }
        var ids = context.ids
        if ids.isEmpty {
            guard let first = tokenizer.beginningOfSequence ?? tokenizer.sequencePrefix.first else {
                throw .problem(
                    "the context is empty, and the tokenizer has no beginning-of-sequence token for its place")
            }
            ids = [first]
        }
        let continuation = Array(whole.dropFirst(context.ids.count))
        guard !continuation.isEmpty else { throw .problem("it has no tokens of its own after the context") }
        guard continuation.count <= maximumPositions else {
            throw .problem("it has \(continuation.count) tokens, and the model has positions for \(maximumPositions)")
        }
        return (Array((ids + continuation).suffix(maximumPositions + 1).dropLast()), continuation)
    }
}

extension Unicode.Scalar {
    /// What Python's `str.isspace` finds: Unicode's white space, and four separators of information.
    fileprivate var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}

// MARK: - Results

extension MultipleChoice {
    /// How a model answered.
    public struct Result: Sendable, Hashable {
        /// Of each question's choices, in nats.
        public let logLikelihoods: [[Double]]
        /// The share of questions where the right choice has the largest log-likelihood.
        public let accuracy: Estimate
        /// The same, of log-likelihoods per byte of the choice.
        public let normalizedAccuracy: Estimate
    }

    /// - Parameter evaluation: Of the `tokens`.
    public func result(_ evaluation: Evaluation) -> Result {
        var (rest, scores) = (evaluation.sequences[...], [[Double]]())
        for question in questions {
            scores.append(rest.prefix(question.choices.count).map { -$0.nats })
            rest = rest.dropFirst(question.choices.count)
        }
        let pairs = zip(questions, scores)
        return Result(
            logLikelihoods: scores,
            accuracy: MultipleChoice.share(pairs.map { question, scores in question.isRight(scores) }),
            normalizedAccuracy: MultipleChoice.share(
                pairs.map { question, scores in
                    question.isRight(zip(scores, question.byteCounts).map { $0 / Double($1) })
                }))
    }

    /// A share p of n questions, its standard error √(p·(1 - p) / (n - 1)).
    private static func share(_ hits: [Bool]) -> Estimate {
        let count = Double(hits.count)
        let share = Double(hits.count { $0 }) / count
        return Estimate(
            value: share,
            standardError: hits.count > 1
                ? .value((share * (1 - share) / (count - 1)).squareRoot())
                : .absent(reason: "one question says nothing of how others differ; give more"))
    }
}

extension MultipleChoice.Question {
    /// Bytes of the choices, without spaces in front, which only separate.
    fileprivate var byteCounts: [Int] {
        choices.map { $0.unicodeScalars.drop(while: \.isPythonSpace).reduce(0) { $0 + UTF8.width($1) } }
    }

    /// Of equal scores the first counts.
    fileprivate func isRight(_ scores: [Double]) -> Bool {
        scores.max().flatMap { scores.firstIndex(of: $0) } == answer
    }
}
