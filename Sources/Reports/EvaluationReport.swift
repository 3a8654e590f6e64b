public import Checkpoints
public import Evaluation
import Linearity

/// An evaluation with everything needed to trust and repeat it: what `evaluate` writes.
public struct EvaluationReport: Sendable {
    public var model: Profile.Model
    public var run: Computation
    /// nil where no tokens were scored.
    public var tokens: TokenResult?
    /// nil where no questions were asked.
    public var choices: ChoiceResult?

    /// The name and version of the format.
    public static let schema = "straightedge.evaluation/1"

    /// How well tokens were predicted.
    public struct TokenResult: Sendable {
        public var corpus: Profile.Corpus
        public var evaluation: Evaluation
        public var text: ScoredText
        public var against: Against?

        public init(corpus: Profile.Corpus, evaluation: Evaluation, text: ScoredText, against: Against?) {
            self.corpus = corpus
            self.evaluation = evaluation
            self.text = text
            self.against = against
        }
    }

    /// How far the predictions are from another model's.
    public struct Against: Sendable {
        public var model: Profile.Model
        public var computeType: String
        public var evaluation: Evaluation
        public var comparison: PredictionComparison

        public init(model: Profile.Model, computeType: String, evaluation: Evaluation, comparison: PredictionComparison)
        {
            self.model = model
            self.computeType = computeType
            self.evaluation = evaluation
            self.comparison = comparison
        }
    }

    public struct ChoiceResult: Sendable {
        public var questions: MultipleChoice
        public var hasBeginningOfSequence: Bool
        public var result: MultipleChoice.Result

        public init(questions: MultipleChoice, hasBeginningOfSequence: Bool, result: MultipleChoice.Result) {
            self.questions = questions
            self.hasBeginningOfSequence = hasBeginningOfSequence
            self.result = result
        }
    }

    public init(model: Profile.Model, run: Computation, tokens: TokenResult?, choices: ChoiceResult?) {
        self.model = model
        self.run = run
        self.tokens = tokens
        self.choices = choices
    }
}

// MARK: - JSON

extension EvaluationReport {
    /// The report as JSON. A figure that does not exist is null, with its reason in `null_reasons` of the same object.
    public func json() -> JSON {
        [
            "schema": .string(EvaluationReport.schema), "model": model.json(),
            "corpus": tokens?.corpus.json() ?? .null, "run": run.json(),
            "figures": tokens.map { EvaluationReport.json($0.evaluation, $0.text) } ?? .null,
            "against": tokens?.against.map { againstJSON($0) } ?? .null,
            "choices": choices.map(EvaluationReport.json) ?? .null,
        ]
    }

    private static func json(_ evaluation: Evaluation, _ text: ScoredText) -> JSON {
        var figures = FigureObject()
        let total = evaluation.total
        figures.object["tokens_scored"] = .integer(total.tokenCount)
        figures.object["sequences"] = .integer(evaluation.sequences.count)
        figures.add("cross_entropy", evaluation.crossEntropy)
        figures.add("perplexity", evaluation.perplexity)
        switch text {
        case .byteCounts(let counts):
            figures.object["bytes_scored"] = .integer(counts.reduce(0, +))
            figures.add("bits_per_byte", evaluation.bitsPerByte(byteCounts: counts))
        case .unknown(let reason):
            for name in ["bytes_scored", "bits_per_byte", "bits_per_byte_standard_error"] {
                figures.add(name, .absent(reason: reason))
            }
        }
        figures.add("accuracy", evaluation.accuracy)
        return figures.json()
    }

    private func againstJSON(_ against: Against) -> JSON {
        var figures = FigureObject()
        figures.add("kl_divergence", against.comparison.divergence)
        let quantiles = zip(PredictionComparison.probabilities, against.comparison.quantiles)
        for (name, quantile) in zip(["median", "90_percent", "99_percent", "largest"], quantiles) {
            figures.add("kl_divergence_\(name)", EvaluationReport.figure(quantile.1))
        }
        figures.add("agreement", against.comparison.agreement)
        return [
            "model": against.model.json(), "compute_type": .string(against.computeType),
            "figures": EvaluationReport.json(against.evaluation, tokens?.text ?? .unknown(reason: "no tokens")),
            "comparison": figures.json(),
        ]
    }

    private static func json(_ choices: ChoiceResult) -> JSON {
        var figures = FigureObject()
        let questions = choices.questions
        figures.object["source"] = .string(questions.source)
        figures.object["fingerprint"] = .string(questions.fingerprint)
        figures.object["bos"] = .bool(choices.hasBeginningOfSequence)
        figures.object["questions"] = .integer(questions.questions.count)
        figures.add("accuracy", choices.result.accuracy)
        figures.add("accuracy_normalized", choices.result.normalizedAccuracy)
        figures.object["log_likelihoods"] = .array(
            choices.result.logLikelihoods.map { .array($0.map(JSON.number)) })
        return figures.json()
    }

    fileprivate static func figure(_ value: Double) -> Figure {
        value.isFinite ? .value(value) : .absent(reason: "it is \(value)")
    }
}

/// Figures by name, with the reasons of those that do not exist.
private struct FigureObject {
    var object = JSONObject()
    private var reasons = JSONObject()

    mutating func add(_ name: String, _ estimate: Estimate) {
        add(name, EvaluationReport.figure(estimate.value))
        add("\(name)_standard_error", estimate.standardError)
    }

    mutating func add(_ name: String, _ figure: Figure) {
        switch figure {
        case .value(let value): object[name] = .number(value)
        case .absent(let reason):
            object[name] = .null
            reasons[name] = .string(reason)
        }
    }

    func json() -> JSON {
        var object = object
        if reasons.count > 0 { object["null_reasons"] = .object(reasons) }
        return .object(object)
    }
}

// MARK: - Table

extension EvaluationReport {
    /// The figures for a terminal.
    public func table() -> String {
        var lines: [String] = []
        if let tokens {
            lines += EvaluationReport.rows(tokens.evaluation, tokens.text)
            if let against = tokens.against {
                lines += ["", "Against \(against.model.title):"]
                lines += EvaluationReport.rows(against.comparison)
                lines.append(EvaluationReport.row("its perplexity", against.evaluation.perplexity, decimals: 3))
            }
        }
        if let choices {
            if !lines.isEmpty { lines.append("") }
            lines.append("\(Text.count(choices.questions.questions.count)) questions of \(choices.questions.source):")
            lines.append(EvaluationReport.row("accuracy", choices.result.accuracy))
            lines.append(EvaluationReport.row("by length", choices.result.normalizedAccuracy))
        }
        return lines.joined(separator: "\n")
    }

    private static func rows(_ evaluation: Evaluation, _ text: ScoredText) -> [String] {
        var lines = [
            row("cross-entropy", evaluation.crossEntropy, unit: "nats per token"),
            row("perplexity", evaluation.perplexity, decimals: 3),
        ]
        switch text {
        case .byteCounts(let counts): lines.append(row("bits per byte", evaluation.bitsPerByte(byteCounts: counts)))
        case .unknown(let reason): lines.append("  \(Text.padded("bits per byte", nameWidth))–  (\(reason))")
        }
        return lines + [row("accuracy", evaluation.accuracy)]
    }

    private static func rows(_ comparison: PredictionComparison) -> [String] {
        let quantiles = comparison.quantiles.map { Text.scientific($0) }
        return [
            divergenceRow(comparison.divergence),
            "  \(Text.padded("", nameWidth))median \(quantiles[0]), 90 % \(quantiles[1]), 99 % \(quantiles[2]), "
                + "largest \(quantiles[3])",
            row("agreement", comparison.agreement),
        ]
    }

    /// Small numbers, whose digits are what counts.
    private static func divergenceRow(_ divergence: Estimate) -> String {
        let error = divergence.standardError.value.map { " ± \(Text.scientific($0))" } ?? ""
        return
            "  \(Text.padded("KL divergence", nameWidth))\(Text.scientific(divergence.value))\(error)  nats per token"
    }

    private static let nameWidth = 16

    private static func row(_ name: String, _ estimate: Estimate, unit: String = "", decimals: Int = 4) -> String {
        let error = estimate.standardError.value.map { " ± \(Text.fixed($0, decimals))" } ?? ""
        let number = "\(Text.fixed(estimate.value, decimals))\(error)"
        return "  \(Text.padded(name, nameWidth))\(number)\(unit.isEmpty ? "" : "  \(unit)")"
    }
}

extension EvaluationJob.Progress: CustomStringConvertible {
    public var description: String {
        let left = seconds / max(doneShare, 1e-9) * (1 - doneShare)
        return "\(stage), \(Text.fixed(100 * doneShare, 0)) %, \(Text.duration(left)) left"
    }
}
