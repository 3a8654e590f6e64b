import ArgumentParser
import Checkpoints
import Evaluation
import Tokenizers
import Transformers

/// The tokens that a model has to predict.
struct EvaluatedTokens: ParsableArguments {
    @Option(help: ArgumentHelp("A text, UTF-8.", valueName: "file"), completion: .file())
    var text: String?

    @Option(
        help: ArgumentHelp("Token ids, one JSON array a line, used as they are.", valueName: "file.jsonl"),
        completion: .file(extensions: ["jsonl"]))
    var tokens: String?

    @Option(
        help: ArgumentHelp(
            "Tokens of a window of the text (default: 512, or as many as the model has positions for).", valueName: "n")
    )
    var sequenceLength: Int?

    @Option(
        help: ArgumentHelp(
            "Tokens of the text from one window to the next, so that they overlap (default: they do not).",
            valueName: "k"))
    var stride: Int?

    @Option(help: ArgumentHelp("Windows or sequences, the first ones (default: all).", valueName: "n"))
    var sequences: Int?

    @Option(
        help: """
            Put the beginning-of-sequence token first: as the model does, always, or never; before contexts of --choices only \
            where it is always.
            """)
    var bos: BeginningOfSequence = .model

    func validate() throws {
        if text != nil, tokens != nil { throw ValidationError("Give either --text FILE or --tokens FILE.jsonl.") }
        if text == nil, sequenceLength != nil || stride != nil {
            throw ValidationError("--sequence-length and --stride are for --text.")
        }
        if !areGiven, sequences != nil { throw ValidationError("--sequences is for --text and --tokens.") }
        for (name, value) in [
            ("--sequence-length", sequenceLength), ("--stride", stride), ("--sequences", sequences),
        ] {
            if let value, value < 1 { throw ValidationError("\(name) must be at least 1.") }
        }
    }

    var path: String? { text ?? tokens }
    var areGiven: Bool { path != nil }

    /// Reads and tokenizes what is scored; says on standard error where bytes of the text are lost.
    ///
    /// - Parameter reference: A model that is to be given the same tokens.
    /// - Throws: `EvaluationError.otherTokens` where its tokenizer makes others of the text.
    func load(_ model: DecoderModel, _ reference: DecoderModel?) throws -> Corpus {
        if let tokens {
            return try Corpus.tokens(MappedFile(tokens), vocabularySize: model.plan.vocabularySize, count: sequences)
        }
        let positions = min(model.plan.maximumPositions, reference?.plan.maximumPositions ?? .max)
        let corpus = try windows(model, positions)
        if corpus.lostByteCount > 0 {
            Failure.warn(
                "\(corpus.lostByteCount) bytes of the text have no token in this model's vocabulary and are left out")
        }
        guard let reference else { return corpus }
        let other = try windows(reference, positions)
        guard other.fingerprint != corpus.fingerprint else { return corpus }
        throw EvaluationError.otherTokens(
            model: model.checkpoint.path, reference: reference.checkpoint.path,
            problem: EvaluatedTokens.difference(corpus, other))
    }

    private func windows(_ model: DecoderModel, _ positions: Int) throws -> Corpus {
        let tokenizer = try Tokenizer(model.checkpoint)
        return try Corpus.slidingWindows(
            of: MappedFile(text ?? ""), tokenizer: tokenizer, length: sequenceLength ?? min(512, positions),
            stride: stride, count: sequences, bos: bos.isOn(tokenizer))
    }

    private static func difference(_ corpus: Corpus, _ other: Corpus) -> String {
        for (sequence, pair) in zip(corpus.sequences, other.sequences).enumerated() {
            for (position, ids) in zip(pair.0, pair.1).enumerated() where ids.0 != ids.1 {
                return
                    "token \(position) of window \(sequence) of the text is \(ids.0) in one and \(ids.1) in the other"
            }
        }
        return "of the text one makes \(corpus.tokenCount) tokens and the other \(other.tokenCount)"
    }
}

extension ScoredTokens {
    init(_ corpus: Corpus) {
        self.init(
            ids: corpus.sequences.flatMap(\.self), layout: SequenceLayout(lengths: corpus.sequences.map(\.count)),
            contextTokenCounts: corpus.contextTokenCounts)
    }
}
