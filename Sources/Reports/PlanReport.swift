public import Checkpoints
import Evaluation
import Glibc
import LinearAlgebra
import Linearity
public import Pruning

/// A pruning plan with everything needed to trust and repeat it: what `plan` writes.
public struct PlanReport: Sendable {
    public var model: Profile.Model
    public var corpus: Profile.Corpus
    public var plan: PruningPlan
    public var fitTokenCount: Int
    public var heldOutTokenCount: Int
    public var run: Computation

    /// The name and version of the format of plan.json.
    public static let schema = "straightedge.plan/1"

    public init(
        model: Profile.Model, corpus: Profile.Corpus, plan: PruningPlan, fitTokenCount: Int, heldOutTokenCount: Int,
        run: Computation
    ) {
        self.model = model
        self.corpus = corpus
        self.plan = plan
        self.fitTokenCount = fitTokenCount
        self.heldOutTokenCount = heldOutTokenCount
        self.run = run
    }
}

// MARK: - JSON

extension PlanReport {
    /// The plan as plan.json holds it.
    public func json() -> JSON {
        let settings = plan.settings
        return [
            "schema": .string(PlanReport.schema), "model": model.json(), "corpus": corpus.json(),
            "settings": [
                "by": .string(settings.criterion.rawValue), "mode": .string(settings.mode.rawValue),
                "drop": .integer(settings.dropCount), "block": .integer(settings.blockSize),
                "protect": [
                    "first": .integer(settings.protectedFirstCount), "last": .integer(settings.protectedLastCount),
                ],
                "greedy": .bool(settings.isGreedy), "fit": .string("\(settings.fit.kind)"),
                "merged_fit": .string("\(settings.fit.mergedKind)"),
                "skip_tokens": .integer(settings.fit.skippedTokenCount), "folds": .integer(settings.fit.foldCount),
                "bias": .bool(settings.fit.addsBiases),
            ],
            "drop": .array(plan.layers.cut.map(JSON.integer)), "keep": .array(plan.layers.kept.map(JSON.integer)),
            "choices": .array(
                plan.choices.map {
                    ["layers": PlanReport.json($0.layers), "cost": .number($0.cost)]
                }),
            "base": plan.crossEntropy.map(PlanReport.losses) ?? .null,
            "candidates": .array(plan.candidates.map(candidate)),
            "run": run.json([
                ("fit_tokens", .integer(fitTokenCount)), ("held_out_tokens", .integer(heldOutTokenCount)),
            ]),
        ]
    }

    static func json(_ layers: Range<Int>) -> JSON { .string("\(layers.lowerBound):\(layers.upperBound)") }

    static func losses(_ crossEntropy: Double) -> JSON {
        ["cross_entropy": .number(crossEntropy), "perplexity": .number(exp(crossEntropy))]
    }

    private func candidate(_ candidate: Candidate) -> JSON {
        var object: JSONObject = ["layers": PlanReport.json(candidate.layers)]
        for (name, figure) in PlanReport.scores(candidate.scores) {
            object[name] = figure.value.map(JSON.number) ?? .null
        }
        for mode in PruningMode.allCases {
            guard let damage = candidate.damage[mode] else { continue }
            object[mode.rawValue] = [
                "cross_entropy": .number(damage.crossEntropy), "perplexity": .number(exp(damage.crossEntropy)),
                "perplexity_increase": .number(increase(damage)), "kl_divergence": .number(damage.divergence),
                "agreement": .number(damage.agreement),
            ]
        }
        return .object(object)
    }

    static func scores(_ scores: Candidate.Scores) -> [(name: String, figure: Figure)] {
        [
            ("linearity", scores.linearity), ("linearity_heldout", scores.heldOutLinearity),
            ("linearity_without_residual", scores.linearityWithoutResidual),
            ("linearity_without_residual_heldout", scores.heldOutLinearityWithoutResidual),
            ("contribution", scores.contribution), ("cosine", scores.cosine), ("angular", scores.angularDistance),
        ]
    }

    /// Of the perplexity, as a share of the whole model's.
    func increase(_ damage: Damage) -> Double { exp(damage.crossEntropy - (plan.crossEntropy ?? .nan)) - 1 }
}

// MARK: - Reading

extension PlanReport {
    /// What `prune` needs of a plan.json.
    public struct Stored: Sendable {
        public let modelFingerprint: String
        /// Runs in the order in which they were chosen.
        public let choices: [Range<Int>]
    }

    /// Reads a plan.json.
    ///
    /// - Throws: `ProfileError` with the place that is not as `json()` writes it.
    public static func read(_ json: JSON, path: String) throws(ProfileError) -> Stored {
        let file = JSONReader(path: path, place: "", value: json, command: "plan")
        let schema = try file.required("schema")
        guard try schema.string() == PlanReport.schema else {
            throw schema.wrong(PlanReport.schema.quoted, found: try schema.string().quoted)
        }
        let drop = Set(try file.required("drop").counts())
        var choices: [Range<Int>] = []
        for choice in try file.required("choices").elements() {
            choices.append(try layers(choice.required("layers")))
        }
        guard Set(choices.flatMap { Array($0) }) == drop else {
            throw try file.required("drop").wrong("the layers of 'choices'", found: "others")
        }
        return Stored(
            modelFingerprint: try file.required("model").required("fingerprint").string(), choices: choices)
    }

    private static func layers(_ reader: JSONReader) throws(ProfileError) -> Range<Int> {
        let bounds = try reader.string().split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard bounds.count == 2, let first = bounds[0], let end = bounds[1], first >= 0, end > first, end <= 1 << 24
        else {
            throw reader.wrong("a range of layers such as 8:12", found: try reader.string().quoted)
        }
        return first..<end
    }
}

// MARK: - Table

extension PlanReport {
    /// Candidates and choices for a terminal.
    public func table() -> String {
        let modes = PruningMode.allCases.filter { mode in plan.candidates.contains { $0.damage[mode] != nil } }
        let chosen = Dictionary(
            plan.choices.enumerated().map { ($0.element.layers, $0.offset + 1) },
            uniquingKeysWith: { first, _ in first })
        var lines = [
            Text.padded("", 58) + modes.map { Text.padded(PlanReport.title($0), 25) }.joined(),
            Text.padded("layers", 9) + "linearity  held-out  contribution  cosine  angular    "
                + modes.map { _ in Text.padded("perplexity     KL   same", 25) }.joined() + "cut",
        ]
        for candidate in plan.candidates {
            let scores = candidate.scores
            var line =
                Text.padded(CutLayers.list(Array(candidate.layers)), 9) + "   " + Text.score(scores.linearity)
                + "    " + Text.score(scores.heldOutLinearity) + "        " + Text.score(scores.contribution) + "  "
                + Text.score(scores.cosine) + "   " + Text.score(scores.angularDistance) + "    "
            for mode in modes { line += Text.padded(cells(candidate.damage[mode]), 25) }
            if let order = chosen[candidate.layers] { line += settingsMark(order) }
            lines.append(line)
        }
        return lines.map { $0.reversed().drop { $0 == " " }.reversed() }.map { String($0) }.joined(separator: "\n")
    }

    private func settingsMark(_ order: Int) -> String { "✂ \(order)" }

    static func title(_ mode: PruningMode) -> String {
        switch mode {
        case .remove: "if removed"
        case .replace: "if replaced"
        case .merge: "if merged"
        }
    }

    private func cells(_ damage: Damage?) -> String {
        guard let damage else { return Text.aligned("–", 10) }
        return Text.aligned(PlanReport.percent(increase(damage)), 10) + " "
            + Text.aligned(Text.fixed(damage.divergence, 3), 6)
            + " " + Text.aligned(Text.fixed(100 * damage.agreement, 0) + "%", 6)
    }

    /// +4.1 %, or a factor where it is beyond tenfold.
    static func percent(_ increase: Double) -> String {
        increase < 9
            ? (increase < 0 ? "" : "+") + Text.fixed(100 * increase, 1) + "%" : "×" + Text.fixed(1 + increase, 0)
    }

    /// What is cut and what is kept.
    public func summary() -> String {
        var lines: [String] = []
        if let crossEntropy = plan.crossEntropy {
            lines.append(
                "The whole model: perplexity \(Text.fixed(exp(crossEntropy), 2)) on \(Text.count(heldOutTokenCount)) held-out "
                    + "tokens; maps are fitted on \(Text.count(fitTokenCount)) others.")
        }
        lines.append(
            "Cut:  layers \(CutLayers.list(plan.layers.cut)) (\(plan.layers.cut.count) of \(plan.layers.layerCount))")
        lines.append("Keep: layers \(CutLayers.list(plan.layers.kept))")
        return lines.joined(separator: "\n")
    }
}
