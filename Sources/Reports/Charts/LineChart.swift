/// Lines over layers, with shaded floors and bands.
struct LineChart: Sendable {
    /// A line; a missing value leaves a gap.
    struct Series: Sendable {
        var name: String
        var values: [Double?]
        /// Which of the four colours.
        var color: Int
        var isDashed = false
        /// A faint line without dots, for comparison.
        var isDotted = false
        /// Between these values around the line, if there are any.
        var band: [(low: Double, high: Double)?] = []

        fileprivate var lineStyle: String { isDashed ? " dashed" : isDotted ? " dotted" : "" }
    }

    /// An area from the bottom of the chart up to these values.
    struct Floor: Sendable {
        var name: String
        var values: [Double?]
    }

    var title: String
    /// Layers at which the values stand, and the number of layers in the model.
    var layers: [Int]
    var layerCount: Int
    var series: [Series]
    var floors: [Floor] = []
    var yTitle: String
    var yKind = Axis.Kind.linear
    /// Values below are drawn at the bottom, as triangles.
    var lowest = -Double.infinity
    var highest = Double.infinity
    /// A value that the axis holds in any case.
    var included: Double?

    private static let (width, height) = (720.0, 330.0)
    private static let (left, right, top) = (58.0, 12.0, 14.0)

    /// Normalized depth of a layer, between 0 and 1.
    func depth(_ layer: Int) -> Double { layerCount > 1 ? Double(layer) / Double(layerCount - 1) : 0 }

    /// The vertical axis: all values, and not beyond `lowest` and `highest`.
    func yDomain() -> ClosedRange<Double> {
        var values = series.flatMap {
            $0.values.compactMap { $0 } + $0.band.compactMap { $0 }.flatMap { [$0.low, $0.high] }
        }
        // Far from where a margin or a span would be infinite.
        values = values.filter { abs($0) < 1e300 && (yKind == .linear || $0 > 1e-300) }
        if let included { values.append(included) }
        let low = max(lowest, values.min() ?? 0)
        let high = min(highest, values.max() ?? 1)
        if yKind == .logarithmic { return (low * 0.8)...max(high * 1.25, low) }
        let margin = max((high - low) * 0.04, 1e-6)
        return (low - margin)...max(high + margin, low)
    }

    /// The chart as an SVG element.
    func svg(standalone: Bool = false) -> String {
        let legendRowCount = (series.count + floors.count + 1) / 2
        let height = LineChart.height + 18 * Double(legendRowCount)
        let x = Axis(.linear, domain: 0...1, from: LineChart.left, to: LineChart.width - LineChart.right)
        let y = Axis(yKind, domain: yDomain(), from: LineChart.height - 44, to: LineChart.top)
        var parts = [SVG.open(width: LineChart.width, height: height, label: title, standalone: standalone)]
        parts += floors.map { area($0, x, y) }
        parts.append(SVG.horizontalGrid(y, left: LineChart.left, right: LineChart.width - LineChart.right))
        parts.append(SVG.bottomAxis(x, y: LineChart.height - 44, title: "depth (layer / last layer)"))
        parts.append(SVG.sideTitle(yTitle, top: LineChart.top, bottom: LineChart.height - 44))
        parts += series.map { band($0, x, y) + line($0, x, y) }
        parts += series.map { dots($0, x, y) }
        parts.append(legend(LineChart.height))
        return (parts + ["</svg>"]).joined(separator: "\n")
    }

    private func area(_ floor: Floor, _ x: Axis, _ y: Axis) -> String {
        let points = zip(layers, floor.values).compactMap { layer, value in
            value.map { (x.position(depth(layer)), y.position($0)) }
        }
        guard let first = points.first, let last = points.last else { return "" }
        let top = points.map { "L\(Markup.number($0.0)) \(Markup.number($0.1))" }.joined()
        let bottom = Markup.number(y.start)
        return
            "<path class=\"shade\" d=\"M\(Markup.number(first.0)) \(bottom)\(top)L\(Markup.number(last.0)) \(bottom)Z\">"
            + "<title>\(Markup.escaped(floor.name))</title></path>"
    }

    private func band(_ series: Series, _ x: Axis, _ y: Axis) -> String {
        let points = zip(layers, series.band).compactMap { layer, band in
            band.map { (x.position(depth(layer)), y.position($0.low), y.position($0.high)) }
        }
        guard points.count > 1 else { return "" }
        let forth = points.map { "\(Markup.number($0.0)) \(Markup.number($0.2))" }
        let back = points.reversed().map { "\(Markup.number($0.0)) \(Markup.number($0.1))" }
        return "<path class=\"area s\(series.color)\" d=\"M\((forth + back).joined(separator: "L"))Z\"/>"
    }

    private func line(_ series: Series, _ x: Axis, _ y: Axis) -> String {
        var path = ""
        var isDrawing = false
        for (layer, value) in zip(layers, series.values) {
            guard let value, value.isFinite else {
                isDrawing = false
                continue
            }
            path +=
                "\(isDrawing ? "L" : "M")\(Markup.number(x.position(depth(layer)))) \(Markup.number(y.position(value)))"
            isDrawing = true
        }
        return "<path class=\"line s\(series.color)\(series.lineStyle)\" d=\"\(path)\"/>"
    }

    private func dots(_ series: Series, _ x: Axis, _ y: Axis) -> String {
        zip(layers, series.isDotted ? [] : series.values).compactMap { layer, value -> String? in
            guard let value, value.isFinite else { return nil }
            let (column, row) = (x.position(depth(layer)), y.position(value))
            let title = "<title>layer \(layer), \(Markup.escaped(series.name)): \(Markup.value(value))</title>"
            let style = "dot s\(series.color)\(series.isDashed ? " hollow" : "")"
            if value < y.domain.lowerBound {
                let corners = [(column - 5, row - 8), (column + 5, row - 8), (column, row)]
                let points = corners.map { "\(Markup.number($0.0)),\(Markup.number($0.1))" }.joined(separator: " ")
                return "<polygon class=\"\(style)\" points=\"\(points)\">\(title)</polygon>"
            }
            return "<circle class=\"\(style)\" cx=\"\(Markup.number(column))\" cy=\"\(Markup.number(row))\" r=\"3.2\">"
                + "\(title)</circle>"
        }.joined()
    }

    private func legend(_ top: Double) -> String {
        let half = (LineChart.width - LineChart.left) / 2
        return (series.map { ($0.name, Optional($0)) } + floors.map { ($0.name, nil) }).enumerated().map {
            index, entry in
            let column = LineChart.left + Double(index % 2) * half
            let row = top + 8 + 18 * Double(index / 2)
            let (begin, end, line) = (Markup.number(column), Markup.number(column + 24), Markup.number(row))
            let sample =
                entry.1.map {
                    "<path class=\"line s\($0.color)\($0.lineStyle)\" d=\"M\(begin) \(line)H\(end)\"/>"
                } ?? "<rect class=\"shade\" x=\"\(begin)\" y=\"\(Markup.number(row - 6))\" width=\"24\" height=\"12\"/>"
            return sample
                + "<text x=\"\(Markup.number(column + 30))\" y=\"\(Markup.number(row + 4))\">\(Markup.escaped(entry.0))</text>"
        }.joined()
    }
}
