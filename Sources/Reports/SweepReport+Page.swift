import Linearity

extension SweepReport {
    /// The page that shows the checkpoints over the training: one HTML file that loads nothing.
    public func page() -> String {
        let count = checkpoints.count == 1 ? "1 checkpoint" : "\(checkpoints.count) checkpoints"
        return PageFrame.document(
            title: "Linearity of \(count)", heading: "Linearity during training, \(count)", lead: summary(),
            content: [notes()] + trendSections() + [PageFrame.section("checkpoints", "Checkpoints", tables())]
                + depthSections())
    }

    private func summary() -> String {
        "The mean over layers of the linearity score, with and without the residual stream, at each checkpoint: on the "
            + "tokens of the fit, and held out. A layer far below 0 held out can carry a whole mean."
    }

    private func notes() -> String {
        var notes: [String] = []
        if case .order(let reason) = axis.quantity, checkpoints.count > 1 {
            notes.append("The checkpoints stand in the order given, at equal distances: \(reason).")
        }
        let marked = comparison.runs.filter { !$0.differences.isEmpty }
        if !marked.isEmpty {
            notes.append(
                "Not measured as the first one is, and marked ≠ in the table: \(marked.map(\.label).joined(separator: ", "))."
            )
        }
        notes += failures.map { "\($0.checkpoint.name) could not be measured: \($0.reason)" }
        return notes.map { "<p class=\"note\">\(Markup.escaped($0))</p>" }.joined(separator: "\n")
    }
}

// MARK: Charts

extension SweepReport {
    private func trendSections() -> [String] {
        let figures = comparison.views.map(trendFigure)
        let maps = comparison.views.flatMap { view in
            ComparedScore.all.map { PageFrame.pair(mapFigures(view, $0)) }
        }
        return [
            PageFrame.section("trend", "Means over the training", PageFrame.pair(figures)),
            PageFrame.section("layers", "Layers over the training", maps.joined(separator: "\n")),
        ]
    }

    /// The means of both scores over the training, on the tokens of the fit and held out.
    func trendFigure(_ view: View) -> NamedFigure {
        let series = ComparedScore.all.enumerated().flatMap { color, score in
            comparison.judgements(view, score).map { judgement in
                LineChart.Series(
                    name: "\(score.title), \(judgement.title)",
                    values: comparison.runs.map { $0.summary(view, score, judgement)?.mean }, color: color,
                    stroke: judgement == .fit ? .solid : .dashed)
            }
        }
        let chart = LineChart(
            title: "Mean linearity during training, \(view.label)", places: places, series: series,
            horizontal: horizontal, yTitle: "linearity, mean over layers", lowest: -0.5, width: 520, height: 300)
        return NamedFigure(
            name: "trend-\(view.name)",
            caption: "Mean linearity during training, \(view.label)." + LineChart.note(chart),
            svg: { chart.svg(standalone: $0) })
    }

    private var horizontal: LineChart.Horizontal {
        let values = places.map(\.position)
        if case .order = axis.quantity {
            let every = max(1, (checkpoints.count + 9) / 10)
            let ticks = stride(from: 1, through: checkpoints.count, by: every).map { (Double($0), String($0)) }
            return .init(title: axis.title, domain: 1...Double(max(1, checkpoints.count)), ticks: ticks)
        }
        // Step 0 has no place on a logarithmic axis, and gets one before its break.
        let positive = values.filter { $0 > 0 }
        let domain = (positive.min() ?? 1)...(positive.max() ?? 1)
        let hasZero = values.contains(0)
        let kind = hasZero ? Axis.Kind.logarithmicAfterZero : .logarithmic
        return .init(
            title: axis.title + (hasZero ? ", logarithmic from the break on" : ", logarithmic"), kind: kind,
            domain: domain, ticks: ticks(Axis(kind, domain: domain, from: 0, to: 1)))
    }

    /// Where the checkpoints are few, ticks stand at those that leave room for each other, the last in any case; else
    /// nil, for round values.
    private func ticks(_ axis: Axis) -> [(value: Double, label: String)]? {
        guard checkpoints.count <= 16 else { return nil }
        var ticks: [(value: Double, label: String)] = []
        for value in places.map(\.position).reversed() {
            let last = ticks.last.map { axis.position($0.value) } ?? .infinity
            // Zero stands apart, but not by much.
            guard last - axis.position(value) >= (value == 0 ? 0.05 : 0.1) else { continue }
            ticks.append((value, SweepReport.label(Int(value))))
        }
        return ticks
    }

    private static func label(_ value: Int) -> String {
        value < 100_000 ? String(value) : Text.scientific(Double(value))
    }

    /// Layers over checkpoints as colours: on the tokens of the fit, and held out.
    func mapFigures(_ view: View, _ score: ComparedScore) -> [NamedFigure] {
        let names = checkpoints.map(\.name)
        let layers = Set(comparison.runs.flatMap { $0.layers(view).map(\.layer) }).sorted()
        return comparison.judgements(view, score).map { judgement in
            let columns = comparison.runs.map { run in
                Dictionary(
                    zip(run.layers(view).map(\.layer), run.values(view, score, judgement)),
                    uniquingKeysWith: { first, _ in first })
            }
            let rows = layers.map { layer in
                ScoreMap.Row(label: String(layer), cells: columns.map { $0[layer] ?? nil })
            }
            let map = ScoreMap(
                title: "\(score.title), \(judgement.title), \(view.label), layers over checkpoints", rows: rows,
                cellName: { row, column in "\(names[column]), layer \(layers[row])" },
                domain: ScoreMap.domain(of: rows.flatMap { $0.cells.compactMap { $0 } }), ticks: mapTicks(),
                xTitle: axis.title + ", at equal distances", yTitle: "layer")
            return NamedFigure(
                name: "layers-\(score.name)\(judgement.suffix)-\(view.name)",
                caption: "Linearity \(score.title), \(judgement.title), \(view.label).",
                svg: { map.svg(standalone: $0) })
        }
    }

    /// Labels of some of the columns, which all have the same width.
    private func mapTicks() -> [(share: Double, label: String)] {
        let every = max(1, (checkpoints.count + 7) / 8)
        return stride(from: 0, to: checkpoints.count, by: every).map { index in
            let value = axis.value(checkpoints[index]) ?? index + 1
            let share = (Double(index) + 0.5) / Double(checkpoints.count)
            return (share, SweepReport.label(value))
        }
    }

    /// Charts over depth say little where the checkpoints are very many; the maps show those.
    private func depthSections() -> [String] { checkpoints.count <= 40 ? comparison.viewSections(hasMaps: false) : [] }
}

// MARK: Tables

extension SweepReport {
    private func tables() -> String {
        comparison.views.map { view in
            let columns = ComparedScore.all.flatMap { score in
                comparison.judgements(view, score).map { (score: score, judgement: $0) }
            }
            let heads =
                ["checkpoint", "step", "tokens seen"] + columns.map { "\($0.score.title), \($0.judgement.title)" }
                + ["chance floor", "tokens", "not as the first"]
            let rows = zip(checkpoints, comparison.runs).enumerated().map { index, pair in
                row(pair.0, pair.1, index, view, columns)
            }
            return PageFrame.table("Means over layers, \(view.label)", heads: heads, rows: rows, hasNames: true)
        }.joined(separator: "\n")
    }

    private func row(
        _ checkpoint: SweepCheckpoint, _ run: Comparison.Run, _ index: Int, _ view: View,
        _ columns: [(score: ComparedScore, judgement: ComparedScore.Judgement)]
    ) -> String {
        let link =
            "<a href=\"./\(Markup.escapedPath(checkpoint.name))/report.html\">\(Markup.escaped(checkpoint.name))</a>"
        return "<tr data-run=\"\(index)\"><th scope=\"row\">\(link)</th>"
            + Cell.count(checkpoint.training.step) + Cell.count(checkpoint.training.tokenCount)
            + columns.map { Cell.number(run.summary(view, $0.score, $0.judgement)?.mean) }.joined()
            + Cell.number(run.floor(view)) + Cell.count(run.profile.corpus.tokenCount)
            + "<td class=\"long\">\(Markup.escaped(run.mark))</td></tr>"
    }
}
