/// Pieces that all charts have.
enum SVG {
    static func open(
        width: Double, height: Double, label: String, standalone: Bool, style: String = "", attributes: String = ""
    ) -> String {
        let (columns, rows) = (Markup.number(width), Markup.number(height))
        let name = standalone ? " xmlns=\"http://www.w3.org/2000/svg\" width=\"\(columns)\" height=\"\(rows)\"" : ""
        let css = standalone ? "<style>\(ChartStyle.css)</style>" : ""
        return "<svg class=\"chart\(style)\"\(name) viewBox=\"0 0 \(columns) \(rows)\" role=\"img\" "
            + "aria-label=\"\(Markup.escaped(label))\"\(attributes)>\(css)"
    }

    static func horizontalGrid(_ y: Axis, left: Double, right: Double) -> String {
        y.ticks().map { tick in
            let row = Markup.number(y.position(tick.value))
            return "<path class=\"grid\" d=\"M\(Markup.number(left)) \(row)H\(Markup.number(right))\"/>"
                + "<text class=\"faint\" x=\"\(Markup.number(left - 6))\" y=\"\(row)\" dy=\"4\" text-anchor=\"end\">"
                + "\(tick.label)</text>"
        }.joined()
    }

    /// - Parameter given: Ticks that stand in the place of the axis' own.
    static func bottomAxis(
        _ x: Axis, y: Double, title: String, hasGridTo top: Double? = nil,
        ticks given: [(value: Double, label: String)]? = nil
    ) -> String {
        let ticks = (given ?? x.ticks()).map { tick in
            let column = Markup.number(x.position(tick.value))
            let end = top.map { Markup.number($0) } ?? Markup.number(y + 5)
            return "<path class=\"grid\" d=\"M\(column) \(Markup.number(y))V\(end)\"/>"
                + "<text class=\"faint\" x=\"\(column)\" y=\"\(Markup.number(y + 18))\" text-anchor=\"middle\">"
                + "\(Markup.escaped(tick.label))</text>"
        }.joined()
        // Two strokes across the axis where it breaks.
        let gap = x.gap.map { place in
            let strokes = [place - 2, place + 2].map { column in
                "M\(Markup.number(column - 2)) \(Markup.number(y + 5))L\(Markup.number(column + 2)) \(Markup.number(y - 5))"
            }
            return "<path class=\"break\" d=\"\(strokes.joined())\"/>"
        }
        return ticks + (gap ?? "")
            + "<text class=\"faint\" x=\"\(Markup.number((x.start + x.end) / 2))\" y=\"\(Markup.number(y + 35))\" "
            + "text-anchor=\"middle\">\(Markup.escaped(title))</text>"
    }

    static func sideTitle(_ title: String, top: Double, bottom: Double) -> String {
        let middle = Markup.number((top + bottom) / 2)
        return "<text class=\"faint\" x=\"14\" y=\"\(middle)\" text-anchor=\"middle\" "
            + "transform=\"rotate(-90 14 \(middle))\">\(Markup.escaped(title))</text>"
    }
}
