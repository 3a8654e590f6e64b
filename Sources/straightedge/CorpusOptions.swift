import ArgumentParser
import Checkpoints
import Tokenizers
import Transformers

/// When to put the beginning-of-sequence token in front of a sequence.
enum BeginningOfSequence: String, ExpressibleByArgument, CaseIterable {
    /// As the model's own tokenizer does by default.
    case model
    case on
    case off

    func isOn(_ tokenizer: Tokenizer) -> Bool {
        switch self {
        case .model: tokenizer.addsBeginningOfSequence
        case .on: true
        case .off: false
        }
    }
}

/// Where the tokens come from.
struct CorpusOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A text, UTF-8.", valueName: "file"), completion: .file())
    var text: String?

    @Option(
        help: ArgumentHelp("Token ids, one JSON array a line, used as they are.", valueName: "file.jsonl"),
        completion: .file(extensions: ["jsonl"]))
    var tokens: String?

    @Option(help: ArgumentHelp("Tokens of a window of the text.", valueName: "n"))
    var sequenceLength: Int?

    @Option(
        help: ArgumentHelp(
            "Windows or chunks of the text (default: enough windows for 10 tokens a column of the stream; 128 chunks).",
            valueName: "n"))
    var sequences: Int?

    @Option(
        help: ArgumentHelp(
            """
            Draw chunks of this many characters (Unicode scalars) at random and tokenize each alone: 512 is the \
            protocol of the paper.
            """, valueName: "n"))
    var chunkCharacters: Int?

    @Option(help: ArgumentHelp("Seed of the chunks, as Python's random.seed takes it.", valueName: "n"))
    var seed: Int = 0

    @Option(help: "Put the beginning-of-sequence token first: as the model does, always, or never.")
    var bos: BeginningOfSequence = .model

    func validate() throws {
        guard (text == nil) != (tokens == nil) else {
            throw ValidationError("Give the tokens to look at: either --text FILE or --tokens FILE.jsonl.")
        }
        if tokens != nil, sequenceLength != nil || chunkCharacters != nil {
            throw ValidationError(
                "--tokens are used as they are: --sequence-length and --chunk-characters are for --text.")
        }
        if tokens != nil, bos != .model { throw ValidationError("--bos is for --text: ids are used as they are.") }
        if chunkCharacters == nil, seed != 0 { throw ValidationError("--seed is for --chunk-characters.") }
        if sequenceLength != nil, chunkCharacters != nil {
            throw ValidationError("Give either --sequence-length or --chunk-characters.")
        }
        for (name, value) in [
            ("--sequence-length", sequenceLength), ("--sequences", sequences), ("--chunk-characters", chunkCharacters),
        ] {
            if let value, value < 1 { throw ValidationError("\(name) must be at least 1.") }
        }
        if seed < 0 { throw ValidationError("--seed must not be negative.") }
    }

    /// Holds the file to be there, before any model is opened.
    func requireFile() throws { _ = try MappedFile(tokens ?? text ?? "") }

    /// Reads and tokenizes the corpus.
    func load(for model: DecoderModel) throws -> Corpus { try load(for: model, besides: 0) }

    /// Reads and tokenizes the corpus.
    ///
    /// - Parameter tokenCount: Tokens that are wanted besides those for the maps, where nothing else is asked for.
    func load(for model: DecoderModel, besides tokenCount: Int) throws -> Corpus {
        if let tokens {
            return try Corpus.tokens(
                MappedFile(tokens), vocabularySize: model.plan.vocabularySize, count: sequences)
        }
        let tokenizer = try Tokenizer(model.checkpoint)
        let file = try MappedFile(text ?? "")
        let wanted = 10 * model.plan.width + tokenCount
        if let chunkCharacters {
            return try Corpus.chunks(
                of: file, tokenizer: tokenizer, characterCount: chunkCharacters, count: sequences ?? 128, seed: seed,
                bos: bos.isOn(tokenizer))
        }
        let length = min(sequenceLength ?? 512, sequenceLength == nil ? model.plan.maximumPositions : Int.max)
        return try Corpus.windows(
            of: file, tokenizer: tokenizer, length: length, count: sequences, enoughFor: wanted,
            bos: bos.isOn(tokenizer))
    }
}
