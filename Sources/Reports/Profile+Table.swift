import Linearity

extension Profile {
    /// The profile for a terminal: a row and a bar for each layer, held-out beside in-sample, both views.
    public func table() -> String {
        var lines: [String] = []
        let hasSecondView = result.views.count > 1
        let group = Text.padded("all tokens", 34)
        let second = result.views.dropFirst().first.map { "without the first \($0.view.skippedTokenCount)" } ?? ""
        lines.append("        " + group + (hasSecondView ? "  " + second : ""))
        let columns = "with residual    without        "
        lines.append("        " + Text.padded(columns, 34) + (hasSecondView ? "  " + columns : ""))
        let heads = "  fit  held-out    fit  held-out"
        lines.append("layer   " + Text.padded(heads, 34) + (hasSecondView ? "  " + heads : ""))
        let layers = result.views.first?.layers ?? []
        for (index, row) in layers.enumerated() {
            let figures = result.views.map { $0.layers[index].figures }
            lines.append(line(Text.padded(String(row.layer), 6), figures))
        }
        let normed = result.views.compactMap { $0.finalNorm?.figures }
        if !normed.isEmpty { lines.append(line(" norm ", normed)) }
        lines.append("")
        lines.append("fit: score on the tokens it was fitted on; held-out: on tokens it has not seen.")
        lines.append("bar: held-out score without residual, " + (hasSecondView ? second : "all tokens") + ".")
        if !normed.isEmpty {
            lines.append("norm: from the stream entering the last layer to the output of the final norm.")
        }
        return lines.joined(separator: "\n")
    }

    private func line(_ label: String, _ views: [LayerFigures]) -> String {
        let cells = views.map { figures in
            [
                figures.linearity, figures.linearityHeldOut, figures.linearityWithoutResidual,
                figures.linearityWithoutResidualHeldOut,
            ].map { Text.score($0) }.joined(separator: "  ")
        }
        let bar = views.last.map { Text.bar($0.linearityWithoutResidualHeldOut.value ?? 0, width: 16) } ?? ""
        return Text.padded("\(label)  " + cells.joined(separator: "    ") + "  " + bar, 0)
    }

    /// One sentence on what was found.
    public func summary() -> String {
        guard let all = result.views.first, !all.layers.isEmpty else { return "Nothing was measured." }
        let view = result.views.last ?? all
        let mean = { (rows: [StepResult], figure: (LayerFigures) -> Figure) -> Double? in
            let values = rows.compactMap { figure($0.figures).value }
            return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        var parts = [
            "With the residual stream counted, \(Profile.layerPhrase(all.layers.count)) of the \(model.family) model "
                + "\(model.title) score \(Text.plain(mean(all.layers) { $0.linearity })) on average over all "
                + "tokens (held out: \(Text.plain(mean(all.layers) { $0.linearityHeldOut })))"
        ]
        if result.views.count > 1 {
            parts.append(
                "without the first \(view.view.skippedTokenCount) of each sequence "
                    + "\(Text.plain(mean(view.layers) { $0.linearityHeldOut })) held out")
        }
        let without = view.layers.compactMap { $0.figures.linearityWithoutResidualHeldOut.value }.sorted()
        // The median: a fold with an outlier can carry one layer far below zero.
        let median = without.isEmpty ? nil : without[without.count / 2]
        parts.append("what a layer adds is itself linear to \(Text.plain(median)) held out, in the median")
        let ranked = view.layers.compactMap { row in
            row.figures.linearityHeldOut.value.map { (row.layer, $0) }
        }
        var sentence = parts.joined(separator: "; ") + "."
        if let most = ranked.max(by: { $0.1 < $1.1 }), let least = ranked.min(by: { $0.1 < $1.1 }) {
            sentence +=
                " Held out, layer \(most.0) is the most linear (\(Text.plain(most.1))), layer \(least.0) the least "
                + "(\(Text.plain(least.1)))."
        }
        return sentence
    }

    private static func layerPhrase(_ count: Int) -> String { count == 1 ? "the 1 layer" : "the \(count) layers" }
}
