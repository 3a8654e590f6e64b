/// Histograms of many layers, one above the other, on one logarithmic axis.
struct HistogramChart: Sendable {
    /// One layer's histogram.
    struct Row: Sendable {
        var layer: Int
        /// Ascending edges, above zero.
        var edges: [Double]
        var filled: [Int]
        /// Counts drawn as a line; empty for none.
        var outlined: [Int]
        var description: String
    }

    var title: String
    var rows: [Row]
    var xTitle: String

    private static let (width, left, right) = (720.0, 58.0, 12.0)
    private static let (rowHeight, overlap, top) = (20.0, 14.0, 30.0)

    /// The axis that holds all rows.
    func xDomain() -> ClosedRange<Double> {
        let edges = rows.flatMap(\.edges)
        guard let low = edges.min(), let high = edges.max(), low > 0 else { return 1...10 }
        return low...max(high, low * 1.001)
    }

    func svg(standalone: Bool = false) -> String {
        let bottom = HistogramChart.top + HistogramChart.rowHeight * Double(rows.count)
        let x = Axis(
            .logarithmic, domain: xDomain(), from: HistogramChart.left, to: HistogramChart.width - HistogramChart.right)
        var parts = [
            SVG.open(width: HistogramChart.width, height: bottom + 44, label: title, standalone: standalone),
            SVG.bottomAxis(x, y: bottom, title: xTitle, hasGridTo: HistogramChart.top - 10),
            SVG.sideTitle("layer", top: HistogramChart.top, bottom: bottom),
        ]
        for (index, row) in rows.enumerated() {
            let base = HistogramChart.top + HistogramChart.rowHeight * Double(index + 1)
            parts.append(
                "<g><title>layer \(row.layer): \(Markup.escaped(row.description))</title>"
                    + shape(row, row.filled, base, x, isFilled: true)
                    + shape(row, row.outlined, base, x, isFilled: false)
                    + "<text class=\"faint\" x=\"\(Markup.number(HistogramChart.left - 6))\" y=\"\(Markup.number(base))\" "
                    + "text-anchor=\"end\">\(row.layer)</text></g>")
        }
        return (parts + ["</svg>"]).joined(separator: "\n")
    }

    /// Steps whose heights are the square roots of the shares, so that the tails can be seen.
    private func shape(_ row: Row, _ counts: [Int], _ base: Double, _ x: Axis, isFilled: Bool) -> String {
        guard counts.count + 1 == row.edges.count, let most = (row.filled + row.outlined).max(), most > 0 else {
            return ""
        }
        let height = HistogramChart.rowHeight + HistogramChart.overlap - 4
        var path = "M\(Markup.number(x.position(row.edges[0]))) \(Markup.number(base))"
        for (index, count) in counts.enumerated() {
            let top = base - height * (Double(count) / Double(most)).squareRoot()
            path += "V\(Markup.number(top))H\(Markup.number(x.position(row.edges[index + 1])))"
        }
        path += "V\(Markup.number(base))"
        return isFilled
            ? "<path class=\"area s0\" d=\"\(path)Z\"/>"
            : "<path class=\"line s1\" stroke-width=\"1\" style=\"stroke-width:1.2\" d=\"\(path)\"/>"
    }
}
