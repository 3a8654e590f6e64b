public import Checkpoints
import Evaluation
import Glibc
import LinearAlgebra
import Linearity
public import Pruning
public import Transformers

/// A pruned model with everything needed to trust and repeat it: what `prune` writes beside it.
public struct PruningReport: Sendable {
    public var model: Profile.Model
    public var corpus: Profile.Corpus
    public var mode: PruningMode
    public var fit: FitSettings
    public var site: Site
    public var format: PruningJob.Format
    /// Where plan.json was, its settings and its choices; nil where layers were named.
    public var plan: JSON?
    /// What plan.json says of each layer; empty where there is none.
    public var candidates: [JSON]
    public var outcome: PruningJob.Outcome
    public var fitTokenCount: Int
    public var heldOutTokenCount: Int
    public var limits: PruningLimits
    public var run: Computation

    /// The name and version of the format of manifest.json.
    public static let schema = "straightedge.pruning/1"

    public init(
        model: Profile.Model, corpus: Profile.Corpus, mode: PruningMode, fit: FitSettings, site: Site,
        format: PruningJob.Format, plan: JSON?, candidates: [JSON], outcome: PruningJob.Outcome,
        fitTokenCount: Int, heldOutTokenCount: Int, limits: PruningLimits, run: Computation
    ) {
        self.model = model
        self.corpus = corpus
        self.mode = mode
        self.fit = fit
        self.site = site
        self.format = format
        self.plan = plan
        self.candidates = candidates
        self.outcome = outcome
        self.fitTokenCount = fitTokenCount
        self.heldOutTokenCount = heldOutTokenCount
        self.limits = limits
        self.run = run
    }

    /// Of the perplexity, as a share of the whole model's.
    public var perplexityIncrease: Double {
        outcome.after.evaluation.perplexity.value / outcome.before.evaluation.perplexity.value - 1
    }

    /// What the pruned model does beyond the limits, in words; empty where it keeps them.
    public var violations: [String] {
        limits.violations(
            perplexityIncrease: perplexityIncrease, divergence: outcome.judgement.divergence.value,
            agreement: outcome.judgement.agreement.value)
    }
}

/// What a pruned model may lose.
public struct PruningLimits: Sendable, Hashable {
    /// A share of the whole model's perplexity.
    public var perplexityIncrease: Double?
    /// Nats a token.
    public var divergence: Double?
    /// The smallest share of tokens at which both models find the same one likeliest.
    public var agreement: Double?

    public init() {}

    func violations(perplexityIncrease: Double, divergence: Double, agreement: Double) -> [String] {
        var violations: [String] = []
        // What is no number keeps no limit.
        if let limit = self.perplexityIncrease, !(perplexityIncrease <= limit) {
            violations.append(
                "the perplexity is \(PlanReport.percent(perplexityIncrease)), and may be \(PlanReport.percent(limit))")
        }
        if let limit = self.divergence, !(divergence <= limit) {
            violations.append(
                "the KL divergence is \(Text.fixed(divergence, 4)) nats a token, and may be \(Text.fixed(limit, 4))")
        }
        if let limit = self.agreement, !(agreement >= limit) {
            violations.append(
                "\(Text.fixed(100 * agreement, 1)) % of the likeliest tokens are the same, and \(Text.fixed(100 * limit, 1)) % "
                    + "have to be")
        }
        return violations
    }
}

// MARK: - JSON

extension PruningReport {
    /// As manifest.json holds it.
    public func json() -> JSON {
        [
            "schema": .string(PruningReport.schema), "source": model.json(), "corpus": corpus.json(),
            "mode": .string(mode.rawValue), "site": .string(site.rawValue), "format": .string(format.rawValue),
            "plan": plan ?? .null,
            "cut": .array(outcome.layers.cut.map(JSON.integer)), "keep": .array(outcome.layers.kept.map(JSON.integer)),
            "fit": [
                "kind": .string("\(mode == .merge ? fit.mergedKind : fit.kind)"),
                "skip_tokens": .integer(fit.skippedTokenCount),
                "folds": .integer(fit.foldCount), "bias": .bool(fit.addsBiases),
                "on": .string(fit.usesOriginalStreams ? "original" : "pruned"),
            ],
            "fits": .array(outcome.pruning.fits.map(json)),
            "before": json(outcome.before), "after": json(outcome.after),
            "perplexity_increase": .number(perplexityIncrease),
            "kl_divergence": .number(outcome.judgement.divergence.value),
            "kl_divergence_standard_error": outcome.judgement.divergence.standardError.value.map(JSON.number) ?? .null,
            "agreement": .number(outcome.judgement.agreement.value),
            "replaced_instead": outcome.separate.map { PlanReport.losses($0.crossEntropy.value) } ?? .null,
            "merged_with_biases": outcome.withBiases.map { PlanReport.losses($0.crossEntropy.value) } ?? .null,
            "curve": .array(
                outcome.curve.map {
                    [
                        "mode": .string($0.mode.rawValue), "cut": .array($0.layers.cut.map(JSON.integer)),
                        "cross_entropy": .number($0.evaluation.crossEntropy.value),
                        "perplexity": .number($0.evaluation.perplexity.value),
                    ]
                }),
            "limits": [
                "perplexity_increase": limits.perplexityIncrease.map(JSON.number) ?? .null,
                "kl_divergence": limits.divergence.map(JSON.number) ?? .null,
                "agreement": limits.agreement.map(JSON.number) ?? .null,
                "violations": .array(violations.map(JSON.string)),
            ],
            "run": run.json([
                ("fit_tokens", .integer(fitTokenCount)), ("held_out_tokens", .integer(heldOutTokenCount)),
            ]),
        ]
    }

    private func json(_ fit: Pruner.RunFit) -> JSON {
        func scores(_ fit: FittedMap) -> JSON {
            [
                "kind": .string("\(fit.kind)"), "tokens": .integer(fit.tokenCount),
                "score": fit.inSample.withResidual.map(JSON.number) ?? .null,
                "score_without_residual": fit.inSample.withoutResidual.map(JSON.number) ?? .null,
                "score_heldout": fit.heldOut?.withResidual.map(JSON.number) ?? .null,
                "score_without_residual_heldout": fit.heldOut?.withoutResidual.map(JSON.number) ?? .null,
                "rank": fit.rank.map(JSON.integer) ?? .null,
                "condition_number": fit.conditionNumber.map(JSON.number) ?? .null,
            ]
        }
        return [
            "layers": PlanReport.json(fit.layers), "fit": scores(fit.fit),
            "separate": fit.separate.map(scores) ?? .null,
        ]
    }

    private func json(_ figures: PruningJob.Figures) -> JSON {
        let evaluation = figures.evaluation
        return [
            "layers": .integer(figures.layerCount), "parameters": .integer(figures.parameterCount),
            "bytes": .integer(figures.byteCount), "tokens_scored": .integer(evaluation.total.tokenCount),
            "cross_entropy": .number(evaluation.crossEntropy.value),
            "cross_entropy_standard_error": evaluation.crossEntropy.standardError.value.map(JSON.number) ?? .null,
            "perplexity": .number(evaluation.perplexity.value), "accuracy": .number(evaluation.accuracy.value),
            "tokens_per_second": .number(figures.tokensPerSecond),
        ]
    }
}

// MARK: - For a terminal

extension PruningReport {
    /// What was cut, and what it cost.
    public func summary() -> String {
        let (before, after) = (outcome.before, outcome.after)
        var lines = [
            "Cut:  layers \(CutLayers.list(outcome.layers.cut)) (\(outcome.layers.cut.count) of "
                + "\(outcome.layers.layerCount)), \(PruningReport.done(mode, site))",
            "Keep: layers \(CutLayers.list(outcome.layers.kept))", "",
            Text.padded("", 18) + Text.aligned("before", 14) + Text.aligned("after", 14),
        ]
        func row(_ name: String, _ one: String, _ other: String, _ note: String = "") {
            lines.append(
                Text.padded(name, 18) + " " + Text.aligned(one, 13) + " " + Text.aligned(other, 13)
                    + (note.isEmpty ? "" : "  " + note))
        }
        row(
            "perplexity", PruningReport.perplexity(before), PruningReport.perplexity(after),
            PlanReport.percent(perplexityIncrease))
        row(
            "accuracy", Text.fixed(100 * before.evaluation.accuracy.value, 2) + " %",
            Text.fixed(100 * after.evaluation.accuracy.value, 2) + " %")
        row("parameters", Text.count(before.parameterCount), Text.count(after.parameterCount))
        if after.byteCount > 0 { row("size", Text.bytes(before.byteCount), Text.bytes(after.byteCount)) }
        row(
            "tokens/s, layers", Text.count(Int(before.tokensPerSecond)), Text.count(Int(after.tokensPerSecond)),
            "×" + Text.fixed(after.tokensPerSecond / before.tokensPerSecond, 2))
        lines += [
            "",
            "KL divergence \(Text.fixed(outcome.judgement.divergence.value, 4)) nats a token; "
                + "\(Text.fixed(100 * outcome.judgement.agreement.value, 1)) % of the likeliest tokens are the same.",
        ]
        if let separate = outcome.separate {
            lines.append(
                "Maps of their own in the place of the layers (--mode replace) would have a perplexity of "
                    + "\(Text.fixed(separate.perplexity.value, 3)).")
        }
        if let withBiases = outcome.withBiases {
            lines.append(
                "Biases behind the merged projections, which are left out, would make it "
                    + "\(Text.fixed(withBiases.perplexity.value, 3)) (--add-bias, where the architecture has a setting)."
            )
        }
        for mode in PruningMode.allCases {
            guard let gap = outcome.curveGaps[mode] else { continue }
            lines.append("The curve of the report has no --mode \(mode.rawValue): \(gap).")
        }
        lines.append(
            "Measured on \(Text.count(heldOutTokenCount)) held-out tokens; maps fitted on \(Text.count(fitTokenCount)) others."
        )
        return lines.joined(separator: "\n")
    }

    private static func perplexity(_ figures: PruningJob.Figures) -> String {
        let value = figures.evaluation.perplexity.value
        return value < 1e6 ? Text.fixed(value, 3) : Text.plain(value)
    }

    static func done(_ mode: PruningMode, _ site: Site) -> String {
        switch (mode, site) {
        case (.remove, _): "removed"
        case (.replace, .layer): "replaced by linear maps"
        case (.replace, let site): "\(site.rawValue) replaced by linear maps"
        case (.merge, _): "merged into the projections before them"
        }
    }
}
