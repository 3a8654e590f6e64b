import Checkpoints
import Linearity

extension Profile {
    /// The page that shows the profile: one HTML file that loads nothing.
    public func page() -> String {
        PageFrame.document(
            title: "\(model.title): linearity of its layers", heading: model.title, lead: summary(),
            content: [
                PageFrame.section("linearity", "Linearity over depth", figures(scoreFigures())),
                PageFrame.section("contribution", "What each layer adds", figures(contributionFigures())),
                tokenErrorSections(), PageFrame.section("table", "Figures", tables()),
                PageFrame.section("settings", "How it was measured", circumstances()),
            ])
    }

    /// The figures of the page as files of their own.
    public func figureFiles() -> [(name: String, text: String)] {
        let maps = result.views.indices.flatMap { heatMaps($0).map(\.figure) }
        return (scoreFigures() + contributionFigures() + errorFigures() + maps).map {
            ("\($0.name).svg", $0.svg(true) + "\n")
        }
    }

    private func figures(_ figures: [NamedFigure]) -> String {
        if figures.isEmpty { return "<p>No layer was measured.</p>" }
        return figures.map(PageFrame.figure).joined(separator: "\n")
    }
}

// MARK: Token errors

extension Profile {
    private func tokenErrorSections() -> String {
        let histograms = errorFigures()
        if histograms.isEmpty {
            return PageFrame.section(
                "errors", "Errors of single tokens", "<p>They were not measured (<code>--no-token-errors</code>).</p>")
        }
        var content = PageFrame.section("errors", "Errors of single tokens", figures(histograms))
        for (index, view) in result.views.enumerated() {
            let maps = heatMaps(index)
            if maps.isEmpty { continue }
            let kind = maps[0].excerpt.isHeldOut ? "with the map of the other folds" : "with the map of all tokens"
            let intro =
                "<p>The tokens whose errors stand out most from the median of their layer, \(kind), and what stands around "
                + "them. In the text the colour is that of the layer where a token stands out most; in the map each row "
                + "is a layer. The full colour is sixteen times the median.</p>"
            content +=
                "\n"
                + PageFrame.section(
                    "worst-\(index)", "Worst tokens, \(view.label)",
                    intro + maps.map { excerpt($0.excerpt, $0.figure, index) }.joined(separator: "\n"))
        }
        return content
    }

    private func excerpt(_ excerpt: Excerpt, _ map: NamedFigure, _ view: Int) -> String {
        let layers = result.views[view].layers
        let tokens = excerpt.tokenLabels.enumerated().map { column, text -> String in
            var (ratio, place) = (0.0, 0)
            for (row, step) in layers.enumerated() {
                let spread = excerpt.isHeldOut ? step.tokenErrors?.heldOut : step.tokenErrors?.inSample
                guard let median = spread?.quantiles[0], median > 0, excerpt.errors[row][column].isFinite else {
                    continue
                }
                let candidate = Double(excerpt.errors[row][column]) / median
                if candidate > ratio { (ratio, place) = (candidate, step.layer) }
            }
            let isWorst = column == excerpt.worstPosition - excerpt.firstPosition
            let title = ratio > 0 ? "\(Markup.value(ratio)) times the median of layer \(place)" : "not in this view"
            let strength = Markup.number(0.75 * HeatMap.strength(ratio))
            return "<\(isWorst ? "b" : "span") title=\"\(title)\" style=\"background:rgba(var(--heat),\(strength))\">"
                + "\(Markup.escaped(text))</\(isWorst ? "b" : "span")>"
        }
        return "<article><h3>Sequence \(excerpt.sequence), token \(excerpt.worstPosition)</h3>\n"
            + "<p class=\"excerpt\" dir=\"ltr\">\(tokens.joined())</p>\n"
            + "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"\(Markup.escaped(map.caption))\">"
            + "\(map.svg(false))</div></article>"
    }
}

// MARK: Tables

extension Profile {
    private static let columns = [
        ("linearity", "with residual, fit"), ("linearity_heldout", "held out"),
        ("linearity_without_residual", "without, fit"), ("linearity_without_residual_heldout", "held out"),
        ("chance_floor", "chance floor"), ("orthogonal_procrustes", "orthogonal"), ("contribution_mean", "‖B‖/‖X‖"),
        ("cosine_mean", "cosine"), ("anisotropy", "anisotropy"), ("condition_number", "condition"),
    ]

    private func tables() -> String {
        result.views.map { view in
            let hasErrors = view.steps.contains { $0.tokenErrors != nil }
            let names =
                ["layer", "step"] + Profile.columns.map(\.1) + (hasErrors ? ["token error, median", "largest"] : [])
            return PageFrame.table(
                "\(view.label), \(Text.count(view.tokenCount)) tokens", heads: names,
                rows: view.steps.map { row($0, hasErrors: hasErrors) })
        }.joined(separator: "\n")
    }

    private func row(_ step: StepResult, hasErrors: Bool) -> String {
        var cells = Profile.columns.map { name, _ -> String in
            let figure = ProfileColumn.all.first { $0.name == name }?.figure(step.figures)
            guard let value = figure?.value else {
                return "<td title=\"\(Markup.escaped(figure?.reason ?? ""))\">–</td>"
            }
            return "<td data-value=\"\(value)\">\(Markup.value(value))</td>"
        }
        if hasErrors {
            cells += [0, 4].map { index in
                guard let value = step.tokenErrors?.inSample.quantiles[index] else { return "<td>–</td>" }
                return "<td data-value=\"\(value)\">\(Markup.value(value))</td>"
            }
        }
        return "<tr><th scope=\"row\" data-value=\"\(step.layer)\">\(step.layer)</th><td>\(step.site.rawValue)</td>"
            + "\(cells.joined())</tr>"
    }

    /// Everything of profile.json but the views.
    private func circumstances() -> String {
        let object = json().object ?? JSONObject()
        let rows = object.members.filter { $0.key != "views" }.flatMap { Profile.flattened($0.value, $0.key) }
        return "<dl>"
            + rows.map { "<dt>\(Markup.escaped($0))</dt><dd>\(Markup.escaped($1))</dd>" }.joined(separator: "\n")
            + "</dl>"
    }

    private static func flattened(_ value: JSON, _ name: String) -> [(String, String)] {
        switch value {
        case .object(let object): object.members.flatMap { flattened($0.value, "\(name).\($0.key)") }
        case .array, .bool, .null, .number, .integer:
            [(name, value.serialized(indented: false).replacing(",", with: ", "))]
        case .string(let text): [(name, text)]
        }
    }
}
