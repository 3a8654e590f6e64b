import Checkpoints
import Linearity

extension Comparison {
    /// The means of all runs for a terminal, and what is not comparable.
    public func table() -> String {
        let labels = runs.map { Text.cut($0.label.legible, to: 36) }
        let width = max(labels.map(\.count).max() ?? 0, views.map(\.shortLabel.count).max() ?? 0)
        var lines: [String] = []
        for view in views {
            let columns = "   fit  held-out  smallest        slope"
            lines.append(Text.padded("", width) + "  " + Text.padded("with residual", 42) + "without residual")
            lines.append(Text.padded(view.shortLabel, width) + "  " + Text.padded(columns, 42) + columns)
            for (run, label) in zip(runs, labels) {
                let line = ComparedScore.all.map { cells(run, view, $0) }.joined(separator: "   ")
                lines.append(Text.padded(label, width) + "  " + line + (run.differences.isEmpty ? "" : "  ≠"))
            }
            lines.append("")
        }
        lines.append(
            "fit, held-out: means over layers. smallest: of the fit, with its layer; slope: of the fit, from the")
        lines.append("first layer to the last, by linear regression.")
        for run in runs where !run.differences.isEmpty {
            lines.append("≠ \(run.label.legible): \(run.differences.map(\.legible).joined(separator: "; "))")
        }
        return lines.joined(separator: "\n")
    }

    private func cells(_ run: Run, _ view: View, _ score: ComparedScore) -> String {
        let fit = run.summary(view, score, .fit)
        let heldOut = run.summary(view, score, .heldOut)
        let smallest = fit.map { "\(Text.plain($0.smallest.value)) (\($0.smallest.layer))" } ?? "–"
        return Text.aligned(Text.plain(fit?.mean), 6) + "  " + Text.aligned(Text.plain(heldOut?.mean), 8) + "  "
            + Text.padded(smallest, 12) + "  " + Text.aligned(Text.plain(fit?.slope), 7)
    }
}

extension View {
    /// The view in few words.
    var shortLabel: String {
        skippedTokenCount == 0 ? "all tokens" : "without the first \(skippedTokenCount)"
    }
}
