import ArgumentParser
import Checkpoints
import Compute
import Evaluation
import Linearity
import Reports
import Tokenizers
import Transformers

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how well a model predicts a text, and answers questions.",
        discussion: """
            Shows, and with --out writes as JSON, cross-entropy in nats per token, perplexity, bits per byte and the share \
            of tokens that were the most probable ones, with standard errors over the windows. Of each window every token \
            is scored that has one before it; with --stride windows overlap, and each token is scored once.

            With --against also how far the predictions are from those of another model of the same tokens: KL(P || Q), P \
            being the other's, and how often both find the same token most probable.

            --choices asks questions as EleutherAI's lm-evaluation-harness does: which continuation of a context is the \
            most likely one, plainly and per byte of the choice (the harness counts characters; spaces in front count \
            neither here nor there). One question a line: {"context": "The sky is", "choices": [" blue", " green"], "answer": 0}

            EXAMPLES
              straightedge evaluate SmolLM2-135M-Instruct.Q4_1.gguf --text enwiki.txt --sequences 16
              straightedge evaluate ./Llama-3.2-1B --text enwiki.txt --sequence-length 1024 --stride 512
              straightedge evaluate pruned --text enwiki.txt --against HuggingFaceTB/SmolLM2-135M --out pruned.json
              straightedge evaluate model.gguf --tokens ids.jsonl
              straightedge evaluate model.gguf --choices hellaswag.jsonl
            """)

    @OptionGroup var model: ModelArgument
    @OptionGroup(title: "Tokens") var tokens: EvaluatedTokens

    @Option(
        help: ArgumentHelp("A model of the same tokens, whose predictions are the reference.", valueName: "model"),
        completion: .file())
    var against: String?

    @Option(
        help: ArgumentHelp("Questions, one JSON object a line.", valueName: "file.jsonl"),
        completion: .file(extensions: ["jsonl"]))
    var choices: String?

    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Option(help: ArgumentHelp("File for the figures.", valueName: "file.json"), completion: .file())
    var out: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        guard tokens.areGiven || choices != nil else {
            throw ValidationError("Give what to evaluate on: --text FILE, --tokens FILE.jsonl or --choices FILE.jsonl.")
        }
        if against != nil, !tokens.areGiven {
            throw ValidationError("--against compares predictions of tokens: give --text FILE or --tokens FILE.jsonl.")
        }
    }

    func run() throws {
        try Failure.reporting {
            var stopwatch = Stopwatch()
            try [tokens.path, choices].compactMap(\.self).forEach { _ = try MappedFile($0) }
            let device = try self.device.open()
            let model = try self.model.open()
            let reference = try against.map(ModelArgument.open)
            // Before hours are spent: is it taken, can it be written there?
            if let out { _ = try WholeFile(path: out, replaces: force) }
            Interruption.explain("nothing was written; the same command begins anew")
            let progress = ProgressLine(isQuiet: quiet)
            defer { progress.clear() }
            progress.show("reading the text")
            let corpus = try tokens.areGiven ? tokens.load(model, reference) : nil
            let questions = try choices.map { try MultipleChoice(MappedFile($0)) }
            let asked = try questions.map {
                try $0.tokens(
                    Tokenizer(model.checkpoint), maximumPositions: model.plan.maximumPositions, bos: tokens.bos == .on)
            }
            let described = Profile.Model(model, fingerprint: model.checkpoint.fingerprint())
            let loadSeconds = stopwatch.lap()
            progress.clear()

            let task = EvaluationTask(
                job: EvaluationJob(device: device, memoryByteCount: self.device.memory?.value),
                subject: subject(model, device), progress: progress)
            let tokenResult = try corpus.map { try task.score($0, reference: reference.map { subject($0, device) }) }
            let choiceResult = try questions.map { questions in
                EvaluationReport.ChoiceResult(
                    questions: questions, hasBeginningOfSequence: tokens.bos == .on,
                    result: try task.answer(questions, asked))
            }
            progress.clear()
            let report = EvaluationReport(
                model: described,
                run: Computation(
                    on: device, computeType: task.subject.computeType, totalSeconds: stopwatch.elapsed,
                    loadSeconds: loadSeconds, program: BuildInformation.program),
                tokens: tokenResult, choices: choiceResult)
            try write(report)
            if !quiet { show(report) }
        }
    }

    private func subject(_ model: DecoderModel, _ device: Device) -> EvaluationJob.Subject {
        EvaluationJob.Subject(model, computeType: self.device.computeType(of: model, on: device))
    }

    private func write(_ report: EvaluationReport) throws {
        guard let out else { return }
        let file = try WholeFile(path: out, replaces: force)
        try file.write(Array(report.json().serialized(indented: true).utf8))
        try file.finish()
    }

    private func show(_ report: EvaluationReport) {
        if let tokens = report.tokens {
            print(
                "\(report.model.title) on \(Text.name(tokens.corpus.source)): \(tokens.corpus.protocolDescription), "
                    + "\(Text.count(tokens.evaluation.total.tokenCount)) tokens scored of "
                    + "\(Text.count(tokens.corpus.tokenCount)) in \(Text.count(tokens.corpus.sequenceCount)) sequences")
        }
        print(report.table())
        print("")
        print(
            "\(Text.duration(report.run.totalSeconds)), \(Text.duration(report.run.loadSeconds)) of it loading; peak memory "
                + "\(Text.bytes(report.run.peakResidentByteCount)).")
        if let out { print("Results: \(out)") }
    }
}

/// What is computed, and where its progress is shown.
private struct EvaluationTask {
    let job: EvaluationJob
    let subject: EvaluationJob.Subject
    let progress: ProgressLine

    func score(_ corpus: Corpus, reference: EvaluationJob.Subject?) throws -> EvaluationReport.TokenResult {
        let tokens = ScoredTokens(corpus)
        guard tokens.count > 0 else { throw EvaluationError.nothingScored(source: corpus.source) }
        let model = subject.model
        let text = ScoredText(tokens) { () throws(TokenizerError) in
            do throws(TokenizerError) {
                return try Tokenizer(model.checkpoint)
            } catch {
                // A reference has the same vocabulary, and perhaps the files of it.
                guard case .noTokenizer = error, let reference else { throw error }
                return try Tokenizer(reference.model.checkpoint)
            }
        }
        let described = Profile.Corpus(corpus)
        guard let reference else {
            let evaluation = try job.score(subject, tokens) { [progress] in progress.show($0.description) }
            return EvaluationReport.TokenResult(
                corpus: described, evaluation: evaluation, text: text, against: nil)
        }
        if let reason = try EvaluationJob.requireSameVocabulary(model, reference: reference.model, tokens) {
            progress.clear()
            Failure.warn("only the sizes of the vocabularies are compared, not what their ids stand for: \(reason)")
        }
        let other = reference.model.checkpoint.fingerprint()
        let result = try job.compare(subject, reference: reference, tokens) { [progress] in
            progress.show($0.description)
        }
        return EvaluationReport.TokenResult(
            corpus: described, evaluation: result.comparison.evaluation, text: text,
            against: EvaluationReport.Against(
                model: Profile.Model(reference.model, fingerprint: other), computeType: reference.computeType.rawValue,
                evaluation: result.reference, comparison: result.comparison))
    }

    func answer(_ questions: MultipleChoice, _ tokens: ScoredTokens?) throws -> MultipleChoice.Result {
        guard let tokens else { throw EvaluationError.noChoices(source: questions.source) }
        return questions.result(
            try job.score(subject, tokens) { [progress] in progress.show("questions: \($0.description)") })
    }
}
