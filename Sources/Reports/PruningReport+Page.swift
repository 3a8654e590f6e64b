import Checkpoints
import Evaluation
import Linearity
import Pruning

extension PruningReport {
    /// The page that shows what was cut and what it cost: one HTML file that loads nothing.
    public func page() -> String {
        var sections = [PageFrame.section("figures", "Before and after", figuresTable())]
        if !outcome.curve.isEmpty {
            sections.append(
                PageFrame.section("curve", "Perplexity by layers cut", curveFigures() + curveTable() + curveGaps()))
        }
        if !candidates.isEmpty {
            sections.append(
                PageFrame.section("candidates", "What the plan measured", candidateFigures() + candidateTable()))
        }
        if !outcome.pruning.fits.isEmpty { sections.append(PageFrame.section("fits", "Fits", fitTable())) }
        return PageFrame.document(
            title: "\(model.title), pruned", heading: "\(model.title), pruned", lead: lead(), content: sections)
    }

    private func lead() -> String {
        "Layers \(CutLayers.list(outcome.layers.cut)) of \(outcome.layers.layerCount) "
            + "\(PruningReport.done(mode, site)). Perplexity \(Text.fixed(outcome.before.evaluation.perplexity.value, 2)) → "
            + "\(Text.fixed(outcome.after.evaluation.perplexity.value, 2)) "
            + "(\(PlanReport.percent(perplexityIncrease))) on \(Text.count(heldOutTokenCount)) held-out tokens of "
            + "\(Text.name(corpus.source))."
    }
}

// MARK: Charts

extension PruningReport {
    private static let modeColors: [PruningMode: Int] = [.remove: 1, .replace: 0, .merge: 2]

    /// A line for each mode: the paper's figures 6 and 7.
    private func curveFigures() -> String {
        let counts = Set(outcome.curve.map { $0.layers.cut.count }).union([0]).sorted()
        let base = outcome.before.evaluation.perplexity.value
        let places = counts.map { LineChart.Place(position: Double($0), name: "\($0) layers cut") }
        let series = PruningMode.allCases.compactMap { mode -> LineChart.Series? in
            let points = outcome.curve.filter { $0.mode == mode }
            guard !points.isEmpty else { return nil }
            let values = counts.map { count in
                count == 0 ? base : points.first { $0.layers.cut.count == count }?.evaluation.perplexity.value
            }
            return LineChart.Series(name: mode.rawValue, values: values, color: PruningReport.modeColors[mode] ?? 0)
        }
        let chart = LineChart(
            title: "Perplexity by the number of layers cut", places: places, series: series,
            horizontal: LineChart.Horizontal(
                title: "layers cut", domain: 0...Double(max(1, counts.last ?? 1)),
                ticks: counts.map { (Double($0), "\($0)") }),
            yTitle: "perplexity", yKind: .logarithmic)
        return PageFrame.figure(
            NamedFigure(
                name: "perplexity-by-layers", caption: "Perplexity on held-out tokens by the number of layers cut.",
                svg: { chart.svg(standalone: $0) }))
    }

    /// What each candidate's cut costs by itself, above its linearity: whether the straightest layers are the cheapest.
    private func candidateFigures() -> String {
        let places = candidates.compactMap { candidate -> (place: LineChart.Place, candidate: JSON)? in
            guard let name = candidate["layers"]?.string, let first = PruningReport.firstLayer(name) else { return nil }
            let isCut = outcome.layers.cut.contains(first)
            return (LineChart.Place(position: Double(first), name: "layers \(name)\(isCut ? " ✂" : "")"), candidate)
        }
        let last = outcome.layers.layerCount - 1
        let horizontal = LineChart.Horizontal(
            title: "layer", domain: 0...Double(max(1, last)))
        func figure(
            _ name: String, _ title: String, _ yTitle: String, _ kind: Axis.Kind, _ series: [LineChart.Series]
        ) -> String {
            let chart = LineChart(
                title: title, places: places.map(\.place), series: series, horizontal: horizontal, yTitle: yTitle,
                yKind: kind)
            return PageFrame.figure(
                NamedFigure(name: name, caption: "\(title).", svg: { chart.svg(standalone: $0) }))
        }
        func values(_ value: (JSON) -> Double?) -> [Double?] { places.map { value($0.candidate) } }
        let damages = PruningMode.allCases.compactMap { mode -> LineChart.Series? in
            let values = values { $0[mode.rawValue]?["perplexity"]?.number }
            guard values.contains(where: { $0 != nil }) else { return nil }
            return LineChart.Series(
                name: PlanReport.title(mode), values: values, color: PruningReport.modeColors[mode] ?? 0)
        }
        let scores = [("linearity", "of the fit", 0), ("linearity_heldout", "held out", 1)].map { key, name, color in
            LineChart.Series(name: name, values: values { $0[key]?.number }, color: color)
        }
        return
            (damages.isEmpty
            ? ""
            : figure("perplexity-of-candidates", "Perplexity with one cut", "perplexity", .logarithmic, damages))
            + figure("linearity-of-candidates", "Linearity", "linearity", .linear, scores)
    }

    private static func firstLayer(_ layers: String) -> Int? { layers.split(separator: ":").first.flatMap { Int($0) } }

    private func curveGaps() -> String {
        PruningMode.allCases.compactMap { mode in
            outcome.curveGaps[mode].map { "<p>No \(mode.rawValue): \(Markup.escaped($0)).</p>" }
        }.joined()
    }

    private func curveTable() -> String {
        let counts = Set(outcome.curve.map { $0.layers.cut.count }).sorted()
        let rows = counts.map { count -> String in
            let layers = outcome.curve.first { $0.layers.cut.count == count }?.layers
            let cells = PruningMode.allCases.map { mode -> String in
                let point = outcome.curve.first { $0.mode == mode && $0.layers.cut.count == count }
                return "<td>\(point.map { Text.fixed($0.evaluation.perplexity.value, 2) } ?? "–")</td>"
            }
            return "<tr><th scope=\"row\">\(count)</th><td>\(layers.map { CutLayers.list($0.cut) } ?? "")</td>"
                + "\(cells.joined())</tr>"
        }
        return PruningReport.table(["layers cut", "which"] + PruningMode.allCases.map(\.rawValue), rows)
    }
}

// MARK: Tables

extension PruningReport {
    private static func table(_ heads: [String], _ rows: [String]) -> String {
        "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>"
            + heads.map { "<th scope=\"col\">\(Markup.escaped($0))</th>" }.joined()
            + "</tr></thead><tbody>\n\(rows.joined(separator: "\n"))\n</tbody></table></div>"
    }

    private func figuresTable() -> String {
        let (before, after) = (outcome.before, outcome.after)
        func row(_ name: String, _ one: String, _ other: String) -> String {
            "<tr><th scope=\"row\">\(name)</th><td>\(one)</td><td>\(other)</td></tr>"
        }
        func estimate(_ estimate: Estimate, _ digits: Int) -> String {
            Text.fixed(estimate.value, digits)
                + (estimate.standardError.value.map { " ± \(Text.fixed($0, digits))" } ?? "")
        }
        var rows = [
            row("perplexity", estimate(before.evaluation.perplexity, 3), estimate(after.evaluation.perplexity, 3)),
            row(
                "cross-entropy, nats a token", estimate(before.evaluation.crossEntropy, 4),
                estimate(after.evaluation.crossEntropy, 4)),
            row("next-token accuracy", estimate(before.evaluation.accuracy, 4), estimate(after.evaluation.accuracy, 4)),
            row("KL divergence from the whole model", "", estimate(outcome.judgement.divergence, 4)),
            row("same likeliest token", "", estimate(outcome.judgement.agreement, 4)),
            row("layers", "\(before.layerCount)", "\(after.layerCount)"),
            row("parameters", Text.count(before.parameterCount), Text.count(after.parameterCount)),
            row(
                "tokens a second through the layers", Text.count(Int(before.tokensPerSecond)),
                Text.count(Int(after.tokensPerSecond))),
        ]
        if after.byteCount > 0 { rows.append(row("size", Text.bytes(before.byteCount), Text.bytes(after.byteCount))) }
        if let separate = outcome.separate {
            rows.append(row("perplexity with maps of their own", "", estimate(separate.perplexity, 3)))
        }
        if let withBiases = outcome.withBiases {
            rows.append(row("perplexity with biases as well", "", estimate(withBiases.perplexity, 3)))
        }
        return PruningReport.table(["", "before", "after"], rows)
            + "<p>± is a standard error over sequences. Speed: medians of passes in turns, on \(Markup.escaped(run.device)), "
            + "\(Markup.escaped(run.library)).</p>"
    }

    private func fitTable() -> String {
        func score(_ value: Double?) -> String { "<td>\(Text.plain(value))</td>" }
        let rows = outcome.pruning.fits.map { run in
            "<tr><th scope=\"row\">\(CutLayers.list(Array(run.layers)))</th><td>\(run.fit.kind)</td>"
                + "<td>\(Text.count(run.fit.tokenCount))</td>" + score(run.fit.inSample.withResidual)
                + score(run.fit.heldOut?.withResidual) + score(run.fit.inSample.withoutResidual)
                + score(run.fit.heldOut?.withoutResidual) + "</tr>"
        }
        return PruningReport.table(
            [
                "layers", "map", "tokens", "score", "held out", "without residual", "held out",
            ], rows)
    }

    private func candidateTable() -> String {
        let scores = ["linearity", "linearity_heldout", "contribution", "cosine", "angular"]
        let modes = PruningMode.allCases.filter { mode in candidates.contains { $0[mode.rawValue] != nil } }
        let cut = Set(outcome.layers.cut)
        let rows = candidates.map { candidate -> String in
            let name = candidate["layers"]?.string ?? ""
            let isCut = PruningReport.firstLayer(name).map(cut.contains) ?? false
            let cells =
                scores.map { "<td>\(Text.plain(candidate[$0]?.number))</td>" }
                + modes.flatMap { mode -> [String] in
                    let damage = candidate[mode.rawValue]
                    return [
                        "<td>\(damage?["perplexity_increase"]?.number.map { PlanReport.percent($0) } ?? "–")</td>",
                        "<td>\(Text.plain(damage?["kl_divergence"]?.number))</td>",
                    ]
                }
            return "<tr><th scope=\"row\">\(Markup.escaped(name))\(isCut ? " ✂" : "")</th>\(cells.joined())</tr>"
        }
        let heads =
            ["layers", "linearity", "held out", "contribution", "cosine", "angular"]
            + modes.flatMap { ["perplexity \(PlanReport.title($0))", "KL"] }
        return PruningReport.table(heads, rows) + "<p>Cut alone, one at a time. ✂: cut.</p>"
    }
}
