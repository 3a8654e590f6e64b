import Glibc

/// Errors of the tokens of an excerpt, a column each, over the layers, a row each.
struct HeatMap: Sendable {
    var title: String
    var tokens: [String]
    /// The column that stands out.
    var markedColumn: Int
    var layers: [Int]
    /// For each layer the ratio of each token's error to the layer's median; nil outside the view.
    var ratios: [[Double?]]

    private static let (left, cellWidth, cellHeight, textHeight) = (40.0, 18.0, 9.0, 96.0)

    /// How strongly a ratio is coloured, from 0 at the median to 1 at sixteen times it.
    static func strength(_ ratio: Double) -> Double { ratio > 1 ? min(1, log2(ratio) / 4) : 0 }

    func svg(standalone: Bool = false) -> String {
        let bottom = HeatMap.textHeight + HeatMap.cellHeight * Double(layers.count)
        let width = HeatMap.left + HeatMap.cellWidth * Double(tokens.count) + 8
        // The page's script shows a cell's value from these.
        let values = ratios.map { $0.map { $0.map { Markup.value($0) } ?? "" }.joined(separator: " ") }.joined(
            separator: ";")
        let names = layers.map(String.init).joined(separator: " ")
        let data = standalone ? "" : " data-ratios=\"\(Markup.escaped(values))\" data-layers=\"\(names)\""
        var parts = [
            SVG.open(
                width: width, height: bottom + 8, label: title, standalone: standalone, style: " heat", attributes: data
            )
        ]
        for (column, token) in tokens.enumerated() {
            let x = Markup.number(HeatMap.left + HeatMap.cellWidth * (Double(column) + 0.5) + 4)
            let y = Markup.number(HeatMap.textHeight - 6)
            let style = column == markedColumn ? " class=\"marked\"" : ""
            parts.append(
                "<text\(style) x=\"\(x)\" y=\"\(y)\" transform=\"rotate(-90 \(x) \(y))\">"
                    + "\(Markup.escaped(String(token.prefix(14)).replacing(" ", with: "␣")))</text>")
        }
        for (row, layer) in layers.enumerated() {
            let y = HeatMap.textHeight + HeatMap.cellHeight * Double(row)
            if row % 5 == 0 {
                parts.append(
                    "<text class=\"faint\" x=\"\(Markup.number(HeatMap.left - 6))\" y=\"\(Markup.number(y + 8))\" "
                        + "text-anchor=\"end\">\(layer)</text>")
            }
            parts.append(cells(row, y))
        }
        return (parts + ["</svg>"]).joined(separator: "\n")
    }

    private func cells(_ row: Int, _ y: Double) -> String {
        ratios[row].enumerated().compactMap { column, ratio -> String? in
            guard let ratio, HeatMap.strength(ratio) > 0.02 else { return nil }
            let x = HeatMap.left + HeatMap.cellWidth * Double(column)
            return "<rect class=\"cell\" x=\"\(Markup.number(x))\" y=\"\(Markup.number(y))\" width=\"17\" height=\"8\" "
                + "fill-opacity=\"\(Markup.number(HeatMap.strength(ratio)))\"/>"
        }.joined()
    }
}
