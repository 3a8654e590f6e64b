import Linearity

/// A chart with the name of its file.
struct NamedFigure: Sendable {
    var name: String
    var caption: String
    /// The chart for the page, and as a file of its own.
    var svg: @Sendable (_ standalone: Bool) -> String
}

extension Profile {
    /// Both scores over normalized depth, one chart for each view.
    func scoreFigures() -> [NamedFigure] {
        result.views.filter { !$0.layers.isEmpty }.map { view in
            func series(_ name: String, _ color: Int, _ figure: (LayerFigures) -> Figure, isDashed: Bool = false)
                -> LineChart.Series
            {
                .init(
                    name: name, values: view.layers.map { figure($0.figures).value }, color: color,
                    stroke: isDashed ? .dashed : .solid)
            }
            let chart = LineChart(
                title: "Linearity over depth, \(view.label)", places: places(view),
                series: [
                    series("with residual, fit", 0, \.linearity),
                    series("with residual, held out", 0, \.linearityHeldOut, isDashed: true),
                    series("without residual, fit", 1, \.linearityWithoutResidual),
                    series("without residual, held out", 1, \.linearityWithoutResidualHeldOut, isDashed: true),
                    .init(
                        name: "with residual, if B were unrelated to X",
                        values: view.layers.map(\.figures.linearityIfContributionUnrelated.value), color: 0,
                        stroke: .dotted, hasDots: false),
                ],
                floors: [
                    .init(name: "chance floor without residual", values: view.layers.map(\.figures.chanceFloor.value))
                ],
                yTitle: "linearity score", lowest: -0.5, included: [0])
            return NamedFigure(
                name: "linearity-\(view.view.name)",
                caption:
                    "Linearity over depth, \(view.label): 1 is a perfectly linear step. Shaded: what unrelated data "
                    + "would score without residual; dotted: what the score with residual would be if the contribution had "
                    + "nothing to do with its input. Triangles at the bottom: held-out scores below the chart, worse than "
                    + "no map at all.",
                svg: { chart.svg(standalone: $0) })
        }
    }

    /// Norms of what the layers add, one chart for each view.
    func contributionFigures() -> [NamedFigure] {
        result.views.filter { !$0.layers.isEmpty }.map { view in
            var series = [contribution(view, .layer, "‖B‖/‖X‖ of the layer", 0)]
            series[0].band = view.layers.map { step in
                let quantiles = step.figures.contribution.quantiles
                guard let low = quantiles[1].value, let high = quantiles[3].value, low > 0 else { return nil }
                return (low, high)
            }
            series.append(
                .init(
                    name: "‖B‖/‖Y‖ of the layer",
                    values: view.layers.map { $0.figures.contributionToOutput.mean.value }, color: 1, stroke: .dashed))
            for (site, name, color) in [(StepSite.attention, "attention", 2), (.feedForward, "MLP", 3)]
            where view.steps.contains(where: { $0.site == site }) {
                series.append(contribution(view, site, "‖B‖/‖X‖ of \(name)", color))
            }
            let chart = LineChart(
                title: "Contribution norms, \(view.label)", places: places(view), series: series,
                yTitle: "ratio of norms, mean over tokens",
                yKind: .logarithmic)
            return NamedFigure(
                name: "contribution-\(view.view.name)",
                caption: "What a layer adds to the stream, B, beside the stream entering it, X, and leaving it, Y: "
                    + "\(view.label), logarithmic; the band holds 10 % to 90 % of the tokens.",
                svg: { chart.svg(standalone: $0) })
        }
    }

    private func places(_ view: Analysis.ViewResult) -> [LineChart.Place] {
        LineChart.depths(view.layers.map(\.layer), of: model.layerCount)
    }

    private func contribution(
        _ view: Analysis.ViewResult, _ site: StepSite, _ name: String, _ color: Int
    ) -> LineChart.Series {
        let values = view.steps.filter { $0.site == site }.map { $0.figures.contribution.mean.value }
        return .init(name: name, values: values, color: color)
    }

    /// Histograms of the errors of tokens, one chart for each view that has them.
    func errorFigures() -> [NamedFigure] {
        result.views.compactMap { view -> NamedFigure? in
            let rows = view.layers.compactMap { step -> HistogramChart.Row? in
                guard let errors = step.tokenErrors, !errors.histogram.edges.isEmpty else { return nil }
                let quantiles = errors.inSample.quantiles
                return HistogramChart.Row(
                    layer: step.layer, edges: errors.histogram.edges, filled: errors.histogram.inSample,
                    outlined: errors.histogram.heldOut,
                    description: "median \(Markup.value(quantiles[0])), 99 % \(Markup.value(quantiles[2])), largest "
                        + "\(Markup.value(quantiles[4])); half of the squared error is in "
                        + "\(Markup.value(100 * errors.inSample.shareOfTokensWithHalf)) % of the tokens")
            }
            guard !rows.isEmpty else { return nil }
            let chart = HistogramChart(
                title: "Errors of single tokens, \(view.label)", rows: rows,
                xTitle: "‖x A + b − y‖ of a token, logarithmic")
            return NamedFigure(
                name: "token-errors-\(view.view.name)",
                caption:
                    "Errors of single tokens, \(view.label): filled with the map of all tokens, outlined with the map "
                    + "of the other folds. Heights are square roots of counts, so that the tails can be seen.",
                svg: { chart.svg(standalone: $0) })
        }
    }

    /// For each view the heat maps of its excerpts.
    func heatMaps(_ view: Int) -> [(excerpt: Excerpt, figure: NamedFigure)] {
        guard excerpts.indices.contains(view) else { return [] }
        let steps = result.views[view].layers
        return excerpts[view].enumerated().map { index, excerpt in
            let medians = steps.map { step -> Double? in
                let spread = excerpt.isHeldOut ? step.tokenErrors?.heldOut : step.tokenErrors?.inSample
                return spread.flatMap { $0.quantiles[0] > 0 ? $0.quantiles[0] : nil }
            }
            let marked = excerpt.worstPosition - excerpt.firstPosition
            let map = HeatMap(
                title: "Errors of the tokens around token \(excerpt.worstPosition) of sequence \(excerpt.sequence)",
                tokens: excerpt.tokenLabels, markedColumn: marked, layers: steps.map(\.layer),
                ratios: zip(excerpt.errors, medians).map { row, median in
                    row.map { error in error.isNaN ? nil : median.map { Double(error) / $0 } }
                })
            return (
                excerpt,
                NamedFigure(
                    name: "excerpt-\(result.views[view].view.name)-\(index)", caption: map.title,
                    svg: { map.svg(standalone: $0) })
            )
        }
    }
}

extension Excerpt {
    /// Texts of the tokens, or their ids where they have none.
    var tokenLabels: [String] { zip(texts, ids).map { $0 ?? "#\($1)" } }
}

extension View {
    /// The view in words.
    var label: String {
        switch self {
        case .allTokens: "all tokens"
        case .withoutFirstTokens(let count):
            count == 1
                ? "without the first token of each sequence" : "without the first \(count) tokens of each sequence"
        }
    }
}

extension Analysis.ViewResult {
    /// The view in words.
    var label: String { view.label }
}
