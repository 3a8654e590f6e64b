/// Scores as colours: rows of cells over a common width, which may have different numbers of cells.
struct ScoreMap: Sendable {
    struct Row: Sendable {
        var label: String
        /// From left to right, each of the same width; nil where there is no score.
        var cells: [Double?]
        /// The run that it shows: the page picks out all lines of a run together.
        var run: Int?
    }

    var title: String
    var rows: [Row]
    /// How a cell is called, for its row and column.
    var cellName: @Sendable (_ row: Int, _ column: Int) -> String
    /// Scores that have no colour and full colour; those outside have the colour of the nearer end.
    var domain: ClosedRange<Double>
    /// Along the bottom, at shares of the width.
    var ticks: [(share: Double, label: String)]
    var xTitle: String
    /// Of the rows; nil where they have labels that say it.
    var yTitle: String?
    var width = 520.0

    private static let (right, top) = (12.0, 8.0)

    /// How strongly a score is coloured.
    func strength(_ score: Double) -> Double {
        let span = domain.upperBound - domain.lowerBound
        guard span > 0, span.isFinite else { return 1 }
        return min(1, max(0, (score - domain.lowerBound) / span))
    }

    func svg(standalone: Bool = false) -> String {
        let longest = rows.map { min(24, $0.label.count) }.max() ?? 0
        let left = min(200, 7.5 * Double(longest)) + (yTitle == nil ? 12 : 32)
        let rowHeight = yTitle == nil ? 16.0 : max(6, min(16, 300 / Double(max(1, rows.count))))
        let bottom = ScoreMap.top + rowHeight * Double(rows.count)
        let x = Axis(.linear, domain: 0...1, from: left, to: width - ScoreMap.right)
        var parts = [
            SVG.open(width: width, height: bottom + 66, label: title, standalone: standalone),
            SVG.bottomAxis(x, y: bottom, title: xTitle, ticks: ticks.map { ($0.share, $0.label) }),
        ]
        if let yTitle { parts.append(SVG.sideTitle(yTitle, top: ScoreMap.top, bottom: bottom)) }
        // Labels that would touch are left out.
        let every = max(1, Int((12 / rowHeight).rounded(.up)))
        for (index, row) in rows.enumerated() {
            let y = ScoreMap.top + rowHeight * Double(index)
            let content = cells(row, index, x, y: y, height: rowHeight)
            let label = index % every == 0 ? label(row, x: left - 6, y: y + rowHeight / 2 + 4) : ""
            let run = row.run.map { " data-run=\"\($0)\"" } ?? ""
            parts.append("<g\(run)><title>\(Markup.escaped(row.label))</title>\(content)\(label)</g>")
        }
        return (parts + [scale(x, y: bottom + 46), "</svg>"]).joined(separator: "\n")
    }

    private func label(_ row: Row, x: Double, y: Double) -> String {
        let text = Text.cut(row.label, to: 24)
        return "<text class=\"faint\" x=\"\(Markup.number(x))\" y=\"\(Markup.number(y))\" text-anchor=\"end\">"
            + "\(Markup.escaped(text))</text>"
    }

    private func cells(_ row: Row, _ index: Int, _ x: Axis, y: Double, height: Double) -> String {
        let cellWidth = (x.end - x.start) / Double(max(1, row.cells.count))
        // A line of the ground between cells, where there is room for it.
        let gap = cellWidth > 4 && height > 4 ? 1.0 : 0
        return row.cells.enumerated().compactMap { column, score -> String? in
            guard let score, score.isFinite else { return nil }
            let place = "x=\"\(Markup.number(x.start + cellWidth * Double(column)))\" y=\"\(Markup.number(y))\""
            let size = "width=\"\(Markup.number(cellWidth - gap))\" height=\"\(Markup.number(height - gap))\""
            return "<rect class=\"score\" \(place) \(size) fill-opacity=\"\(opacity(score))\">"
                + "<title>\(Markup.escaped(cellName(index, column))): \(Markup.value(score))</title></rect>"
        }.joined()
    }

    /// A score that is there has some colour, one that is not has none.
    private func opacity(_ score: Double) -> String { Markup.number(0.06 + 0.94 * strength(score)) }

    /// What the colours mean.
    private func scale(_ x: Axis, y: Double) -> String {
        let (count, cellWidth, left) = (16, 10.0, (x.start + x.end) / 2 - 80)
        let cells = (0..<count).map { index -> String in
            let share = Double(index) / Double(count - 1)
            let score = domain.lowerBound + share * (domain.upperBound - domain.lowerBound)
            return
                "<rect class=\"score\" x=\"\(Markup.number(left + cellWidth * Double(index)))\" y=\"\(Markup.number(y))\" "
                + "width=\"10\" height=\"10\" fill-opacity=\"\(opacity(score))\"/>"
        }
        let low = domain.lowerBound == 0 ? "0 or less" : Markup.value(domain.lowerBound)
        return cells.joined()
            + "<text class=\"faint\" x=\"\(Markup.number(left - 6))\" y=\"\(Markup.number(y + 9))\" text-anchor=\"end\">\(low)"
            + "</text><text class=\"faint\" x=\"\(Markup.number(left + 166))\" y=\"\(Markup.number(y + 9))\">"
            + "\(Markup.value(domain.upperBound))</text>"
    }

    /// The span of scores that colours tell apart: down to 0, below which a map is worse than none.
    static func domain(of scores: [Double]) -> ClosedRange<Double> {
        let finite = scores.filter(\.isFinite)
        let high = finite.max() ?? 1
        let low = max(0, min(finite.min() ?? 0, high))
        return low...max(low, high)
    }
}
