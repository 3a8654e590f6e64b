import Linearity

/// Lines over layers, or over other places along the horizontal axis, with shaded floors and bands.
struct LineChart: Sendable {
    /// Where values stand, and how it is called.
    struct Place: Sendable, Hashable {
        var position: Double
        var name: String
    }

    /// How a line is drawn.
    enum Stroke: String, Sendable, CaseIterable {
        case solid, dashed, dotted
        case dashDotted = "dash-dotted"
        case longDashed = "long-dashed"
    }

    /// A line; a missing value leaves a gap.
    struct Series: Sendable {
        var name: String
        /// nil for the chart's own.
        var places: [Place]?
        var values: [Double?]
        /// Which of the eight colours.
        var color: Int
        var stroke = Stroke.solid
        var hasDots = true
        /// Between these values around the line, if there are any.
        var band: [(low: Double, high: Double)?] = []
        /// The run that it shows: the page picks out all lines of a run together.
        var run: Int?

        fileprivate var lineStyle: String { stroke == .solid ? "" : " \(stroke.rawValue)" }

        fileprivate func grouped(_ content: String) -> String {
            guard let run else { return content }
            return "<g data-run=\"\(run)\"><title>\(Markup.escaped(name))</title>\(content)</g>"
        }
    }

    /// An area from the bottom of the chart up to these values.
    struct Floor: Sendable {
        var name: String
        var values: [Double?]
    }

    /// The horizontal axis.
    struct Horizontal: Sendable {
        var title: String
        var kind = Axis.Kind.linear
        var domain: ClosedRange<Double>
        /// nil for round values.
        var ticks: [(value: Double, label: String)]?

        static let depth = Horizontal(title: "depth (layer / last layer)", domain: 0...1)
    }

    var title: String
    /// Where the values of series stand that have no places of their own, and those of floors and bands.
    var places: [Place]
    var series: [Series]
    var floors: [Floor] = []
    var horizontal = Horizontal.depth
    var yTitle: String
    var yKind = Axis.Kind.linear
    /// Values below are drawn at the bottom, as triangles.
    var lowest = -Double.infinity
    var highest = Double.infinity
    /// Values that the axis holds in any case.
    var included: [Double] = []
    /// Without the legend, which the page has then.
    var width = 720.0
    var height = 330.0
    var hasLegend = true
    /// Dots show only where the page picks out their run.
    var isQuiet = false

    private static let (left, right, top) = (58.0, 12.0, 14.0)

    /// What the triangles of a chart are, where it has any.
    static func note(_ chart: LineChart) -> String {
        let hasTriangles = chart.series.contains { $0.values.contains { $0.map { $0 < chart.lowest } ?? false } }
        return hasTriangles ? " Triangles at the bottom: values below the chart." : ""
    }

    /// Layers at their normalized depth.
    static func depths(_ layers: [Int], of layerCount: Int) -> [Place] {
        layers.map { Place(position: DepthSummary.depth($0, of: layerCount), name: "layer \($0)") }
    }

    /// The vertical axis: all values, and not beyond `lowest` and `highest`.
    func yDomain() -> ClosedRange<Double> {
        var values = series.flatMap {
            $0.values.compactMap { $0 } + $0.band.compactMap { $0 }.flatMap { [$0.low, $0.high] }
        }
        // Far from where a margin or a span would be infinite.
        values = values.filter { abs($0) < 1e300 && (yKind == .linear || $0 > 1e-300) }
        values += included
        let low = max(lowest, values.min() ?? (yKind == .linear ? 0 : 0.1))
        let high = min(highest, values.max() ?? 1)
        if yKind == .logarithmic { return (low * 0.8)...max(high * 1.25, low) }
        let margin = max((high - low) * 0.04, 1e-6)
        return (low - margin)...max(high + margin, low)
    }

    /// The chart as an SVG element.
    func svg(standalone: Bool = false) -> String {
        let legendRowCount = hasLegend ? (series.count + floors.count + 1) / 2 : 0
        let fullHeight = height + 18 * Double(legendRowCount)
        let x = Axis(
            horizontal.kind, domain: horizontal.domain, from: LineChart.left, to: width - LineChart.right)
        let y = Axis(yKind, domain: yDomain(), from: height - 44, to: LineChart.top)
        var parts = [
            SVG.open(
                width: width, height: fullHeight, label: title, standalone: standalone, style: isQuiet ? " quiet" : "")
        ]
        parts += floors.map { area($0, x, y) }
        parts.append(SVG.horizontalGrid(y, left: LineChart.left, right: width - LineChart.right))
        parts.append(SVG.bottomAxis(x, y: height - 44, title: horizontal.title, ticks: horizontal.ticks))
        parts.append(SVG.sideTitle(yTitle, top: LineChart.top, bottom: height - 44))
        parts += series.map { $0.grouped(band($0, x, y) + line($0, x, y)) }
        parts += series.map { $0.grouped(dots($0, x, y)) }
        if hasLegend { parts.append(legend(height)) }
        return (parts + ["</svg>"]).joined(separator: "\n")
    }

    private func area(_ floor: Floor, _ x: Axis, _ y: Axis) -> String {
        let points = zip(places, floor.values).compactMap { place, value in
            value.map { (x.position(place.position), y.position($0)) }
        }
        guard let first = points.first, let last = points.last else { return "" }
        let top = points.map { "L\(Markup.number($0.0)) \(Markup.number($0.1))" }.joined()
        let bottom = Markup.number(y.start)
        return
            "<path class=\"shade\" d=\"M\(Markup.number(first.0)) \(bottom)\(top)L\(Markup.number(last.0)) \(bottom)Z\">"
            + "<title>\(Markup.escaped(floor.name))</title></path>"
    }

    private func band(_ series: Series, _ x: Axis, _ y: Axis) -> String {
        let points = zip(places, series.band).compactMap { place, band in
            band.map { (x.position(place.position), y.position($0.low), y.position($0.high)) }
        }
        guard points.count > 1 else { return "" }
        let forth = points.map { "\(Markup.number($0.0)) \(Markup.number($0.2))" }
        let back = points.reversed().map { "\(Markup.number($0.0)) \(Markup.number($0.1))" }
        return "<path class=\"area s\(series.color)\" d=\"M\((forth + back).joined(separator: "L"))Z\"/>"
    }

    private func line(_ series: Series, _ x: Axis, _ y: Axis) -> String {
        var path = ""
        var isDrawing = false
        for (place, value) in zip(series.places ?? places, series.values) {
            guard let value, value.isFinite else {
                isDrawing = false
                continue
            }
            path +=
                "\(isDrawing ? "L" : "M")\(Markup.number(x.position(place.position))) \(Markup.number(y.position(value)))"
            // No line is drawn over the break of an axis.
            isDrawing = x.gap == nil || place.position > 0
        }
        return "<path class=\"line s\(series.color)\(series.lineStyle)\" d=\"\(path)\"/>"
    }

    private func dots(_ series: Series, _ x: Axis, _ y: Axis) -> String {
        zip(series.places ?? places, series.hasDots ? series.values : []).compactMap { place, value -> String? in
            guard let value, value.isFinite else { return nil }
            let (column, row) = (x.position(place.position), y.position(value))
            let title = "<title>\(Markup.escaped("\(place.name), \(series.name)")): \(Markup.value(value))</title>"
            let style = "dot s\(series.color)\(series.stroke == .dashed ? " hollow" : "")"
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
        let half = (width - LineChart.left) / 2
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
