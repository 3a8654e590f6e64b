import Linearity

extension Comparison {
    /// The page that shows the runs beside each other: one HTML file that loads nothing.
    public func page() -> String {
        PageFrame.document(
            title: "Linearity of \(runs.count) runs", heading: "Linearity over depth, \(Comparison.phrase(runs.count))",
            lead: summary(), content: [PageFrame.section("runs", "Runs", runTable())] + viewSections())
    }

    static func phrase(_ count: Int) -> String { count == 1 ? "1 run" : "\(count) runs" }

    /// What was compared, in a sentence or two.
    public func summary() -> String {
        let marked = runs.filter { !$0.differences.isEmpty }.count
        let text =
            "Linearity scores of each layer over normalized depth, layer / last layer, with and without the residual "
            + "stream: on the tokens of the fit, and held out."
        guard marked > 0 else { return text }
        return text
            + (marked == 1 ? " 1 run is" : " \(marked) runs are")
            + " not measured as the first one is, and marked ≠: differences may come from that."
    }

    /// A section for each view, with charts, heat maps and tables.
    ///
    /// - Parameter hasMaps: Whether the heat maps are shown.
    func viewSections(hasMaps: Bool = true) -> [String] {
        views.enumerated().map { index, view in
            let scores = ComparedScore.all.map { score in
                "<h3>\(Markup.escaped(capitalized(score.title)))</h3>\n" + PageFrame.pair(depthFigures(view, score))
                    + (hasMaps && runs.count > 1 ? PageFrame.pair(mapFigures(view, score)) : "")
                    + summaryTable(view, score)
            }
            return PageFrame.section(
                "view-\(index)", capitalized(view.label),
                legend() + scores.joined(separator: "\n") + (index == 0 ? Comparison.tableNote : ""))
        }
    }

    private static let tableNote =
        "<p>Mean, smallest, largest and slope are those over the layers; the slope is the change from the first layer to "
        + "the last by linear regression over normalized depth. Chance floor: what unrelated data would score without "
        + "residual on the tokens of the fit, on average. Rank agreement: Spearman's correlation of the layers' fit with "
        + "that of the first run, where the layers are the same.</p>"

    private func capitalized(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}

// MARK: Charts

extension Comparison {
    /// A line for each run over depth: on the tokens of the fit, and held out.
    func depthFigures(_ view: View, _ score: ComparedScore) -> [NamedFigure] {
        let judgements = judgements(view, score)
        return judgements.map { judgement in
            let chart = LineChart(
                title: "\(score.title), \(judgement.title), \(view.label)", places: [],
                series: runs.enumerated().map { series($1, $0, view, score, judgement) },
                yTitle: "linearity, \(judgement.title)", lowest: -0.5, width: 520, height: 300,
                hasLegend: false, isQuiet: runs.count > 8)
            return NamedFigure(
                name: "\(score.name)\(judgement.suffix)-\(view.name)",
                caption: "Linearity \(score.title), \(judgement.title), \(view.label)."
                    + LineChart.note(chart),
                svg: { chart.svg(standalone: $0) })
        }
    }

    private func series(
        _ run: Run, _ index: Int, _ view: View, _ score: ComparedScore, _ judgement: ComparedScore.Judgement
    ) -> LineChart.Series {
        LineChart.Series(
            name: run.label, places: LineChart.depths(run.layers(view).map(\.layer), of: run.profile.model.layerCount),
            values: run.values(view, score, judgement), color: index % 8, stroke: Comparison.stroke(index), run: index)
    }

    /// Runs beyond the eight colours are told apart by their lines.
    static func stroke(_ index: Int) -> LineChart.Stroke {
        LineChart.Stroke.allCases[index / 8 % LineChart.Stroke.allCases.count]
    }

    /// A row of cells for each run: on the tokens of the fit, and held out.
    func mapFigures(_ view: View, _ score: ComparedScore) -> [NamedFigure] {
        let judgements = judgements(view, score)
        let labels = runs.map(\.label)
        return judgements.map { judgement in
            let scores = runs.map { $0.values(view, score, judgement) }
            let map = ScoreMap(
                title: "\(score.title), \(judgement.title), \(view.label), as colours",
                rows: runs.enumerated().map { index, run in
                    ScoreMap.Row(label: run.label, cells: run.cells(view, score, judgement), run: index)
                },
                cellName: { row, column in "\(labels[row]), layer \(column)" },
                domain: ScoreMap.domain(of: scores.flatMap { $0.compactMap { $0 } }),
                ticks: [0, 0.5, 1].map { ($0, Markup.number($0)) }, xTitle: "depth (layer / last layer)")
            return NamedFigure(
                name: "map-\(score.name)\(judgement.suffix)-\(view.name)",
                caption: "The same as colours, \(judgement.title).", svg: { map.svg(standalone: $0) })
        }
    }
}

extension Comparison.Run {
    /// The score of every layer of the model, by number; nil for layers that were not measured.
    fileprivate func cells(
        _ view: View, _ score: ComparedScore, _ judgement: ComparedScore.Judgement
    ) -> [Double?] {
        let layers = layers(view)
        // As many as the rows say, not as the file claims.
        var cells = [Double?](repeating: nil, count: min(profile.model.layerCount, 4096))
        for (step, value) in zip(layers, score.values(layers, judgement)) where cells.indices.contains(step.layer) {
            cells[step.layer] = value
        }
        return cells
    }
}

// MARK: Tables

extension Comparison {
    /// The lines and names of the runs; a click keeps one picked out.
    private func legend() -> String {
        let entries = runs.enumerated().map { index, run in
            "<li><button type=\"button\" data-run=\"\(index)\" aria-pressed=\"false\">\(Comparison.swatch(index))"
                + "\(Markup.escaped(run.label))\(run.differences.isEmpty ? "" : " ≠")</button></li>"
        }
        return "<ul class=\"legend\">\(entries.joined())</ul>\n"
    }

    private static func swatch(_ index: Int) -> String {
        let stroke = stroke(index)
        let style = stroke == .solid ? "" : " \(stroke.rawValue)"
        return "<svg class=\"chart swatch\" viewBox=\"0 0 28 10\" aria-hidden=\"true\">"
            + "<path class=\"line s\(index % 8)\(style)\" d=\"M1 5H27\"/></svg>"
    }

    private func runTable() -> String {
        let heads = [
            "run", "family", "layers", "width", "corpus", "tokens", "sequences", "folds", "compute type",
            "not as the first",
        ]
        let rows = runs.enumerated().map { index, run -> String in
            let (model, corpus) = (run.profile.model, run.profile.corpus)
            return "<tr data-run=\"\(index)\"><th scope=\"row\">\(Comparison.swatch(index))"
                + "\(Markup.escaped(run.label))</th>" + Cell.text(model.family) + Cell.count(model.layerCount)
                + Cell.count(model.width)
                + Cell.text("\(Text.name(corpus.source)), \(corpus.protocolDescription)")
                + Cell.count(corpus.tokenCount)
                + Cell.count(corpus.sequenceCount) + Cell.count(run.profile.result.folds.foldCount)
                + Cell.text(run.profile.run.computeType)
                + "<td class=\"long\">\(Markup.escaped(run.mark))</td></tr>"
        }
        return PageFrame.table(Comparison.phrase(runs.count), heads: heads, rows: rows, hasNames: true)
    }

    private func summaryTable(_ view: View, _ score: ComparedScore) -> String {
        let judgements = judgements(view, score)
        let figures = ["mean", "smallest (layer)", "largest (layer)", "slope"]
        let heads =
            ["run"] + judgements.flatMap { judgement in figures.map { "\(judgement.title): \($0)" } }
            + ["chance floor", "rank agreement"]
        let rows = runs.enumerated().map { index, run in
            "<tr data-run=\"\(index)\"><th scope=\"row\">\(Markup.escaped(run.label))</th>"
                + judgements.map { Cell.summary(run.summary(view, score, $0)) }.joined()
                + Cell.number(run.floor(view)) + Cell.number(agreement(run, view, score, .fit)) + "</tr>"
        }
        return PageFrame.table("Linearity \(score.title), \(view.label)", heads: heads, rows: rows, hasNames: true)
    }
}

extension Comparison.Run {
    /// What is not as with the first run.
    var mark: String { differences.isEmpty ? "" : "≠ " + differences.joined(separator: "; ") }
}

/// Cells of tables that sort.
enum Cell {
    static func text(_ text: String) -> String { "<td>\(Markup.escaped(text))</td>" }

    static func count(_ value: Int?) -> String { value.map { count($0) } ?? "<td>–</td>" }

    static func count(_ value: Int) -> String { "<td data-value=\"\(value)\">\(Text.count(value))</td>" }

    static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "<td>–</td>" }
        return "<td data-value=\"\(value)\">\(Markup.value(value))</td>"
    }

    static func summary(_ summary: DepthSummary?) -> String {
        guard let summary else { return String(repeating: "<td>–</td>", count: 4) }
        return number(summary.mean) + extreme(summary.smallest) + extreme(summary.largest) + number(summary.slope)
    }

    private static func extreme(_ extreme: DepthSummary.Extreme) -> String {
        "<td data-value=\"\(extreme.value)\">\(Markup.value(extreme.value)) (\(extreme.layer))</td>"
    }
}
