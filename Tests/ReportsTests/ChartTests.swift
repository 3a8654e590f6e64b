import Testing

@testable import Reports

@Suite("Charts are where their numbers say")
struct ChartTests {
    @Test("a linear axis maps its ends to the ends, and what is beyond to them too")
    func linear() {
        let axis = Axis(.linear, domain: -1...3, from: 100, to: 20)
        #expect([-1, 3, 1, 9, -9].map(axis.position) == [100, 20, 60, 20, 100])
        #expect(axis.ticks(about: 4).map(\.label) == ["-1", "0", "1", "2", "3"])
    }

    @Test("a logarithmic axis gives each decade the same room")
    func logarithmic() {
        let axis = Axis(.logarithmic, domain: 0.01...100, from: 0, to: 400)
        for (value, place) in [(0.01, 0.0), (0.1, 100), (1, 200), (100, 400)] {
            #expect(abs(axis.position(value) - place) < 1e-9)
        }
        #expect(axis.ticks().map(\.label) == ["0.01", "0.1", "1", "10", "100"])
        // Less than a decade has round values.
        #expect(Axis(.logarithmic, domain: 2...6, from: 0, to: 1).ticks(about: 4).map(\.value) == [2, 3, 4, 5, 6])
    }

    @Test("an axis whose span is lost beside its values still ends")
    func lostSpan() {
        let axis = Axis(.linear, domain: 1e20...(1e20 + 16384), from: 0, to: 10)
        #expect(axis.ticks().count == 2)
        #expect(Axis(.linear, domain: -1e308...1e308, from: 0, to: 10).ticks().count < 20)
    }

    @Test("an axis of one value has its middle there")
    func degenerate() {
        #expect(Axis(.linear, domain: 5...5, from: 0, to: 10).position(5) == 5)
    }

    @Test("layers lie by depth, gaps stay gaps, and values below the chart become triangles with their value")
    func lines() {
        let chart = LineChart(
            title: "t", places: LineChart.depths([0, 1, 2], of: 3),
            series: [
                .init(name: "a", values: [0.5, nil, 1], color: 0), .init(name: "b", values: [-7, 0, 1], color: 1),
            ],
            yTitle: "score", lowest: -0.5)
        #expect(chart.places.map(\.position) == [0, 0.5, 1])
        #expect(chart.yDomain().lowerBound > -0.6 && chart.yDomain().contains(1))
        let svg = chart.svg()
        #expect(svg.contains("<polygon") && svg.contains("layer 0, b: -7.0000"))
        #expect(svg.split(separator: "<circle").count - 1 == 4)
        // The first and the last layer stand at the ends of the axis, 58 and 708.
        #expect(svg.contains("cx=\"58\"") && svg.contains("cx=\"708\"") && svg.contains("cx=\"383\""))
        // The gap begins a new line.
        #expect(svg.contains("d=\"M58 ") && svg.contains("M708 "))
    }

    @Test("values near the ends of the number range have a place too", arguments: [Axis.Kind.linear, .logarithmic])
    func extremeValues(kind: Axis.Kind) {
        let chart = LineChart(
            title: "t", places: LineChart.depths([0, 1, 2, 3], of: 4),
            series: [.init(name: "a", values: [1e308, .leastNonzeroMagnitude, 1, 2], color: 0)], yTitle: "y",
            yKind: kind)
        #expect(!chart.svg().contains("nan") && !chart.svg().contains("inf"))
    }

    @Test("a chart without values is empty", arguments: [Axis.Kind.linear, .logarithmic])
    func noValues(kind: Axis.Kind) {
        let chart = LineChart(
            title: "t", places: LineChart.depths([0, 1], of: 2),
            series: [.init(name: "a", values: [nil, nil], color: 0)], yTitle: "y", yKind: kind)
        #expect(!chart.svg().contains("nan") && !chart.svg().contains("<circle"))
    }

    @Test("a model of one layer stands at depth 0")
    func oneLayer() {
        let chart = LineChart(
            title: "t", places: LineChart.depths([0], of: 1), series: [.init(name: "a", values: [1], color: 0)],
            yTitle: "y")
        #expect(chart.places[0].position == 0 && chart.svg().contains("<circle"))
    }

    @Test("histograms share one axis, and heights are square roots of counts")
    func histograms() {
        let chart = HistogramChart(
            title: "t",
            rows: [
                .init(layer: 0, edges: [1, 10, 100], filled: [4, 1], outlined: [], description: "d"),
                .init(layer: 1, edges: [10, 1000], filled: [1], outlined: [1], description: "d"),
            ], xTitle: "x")
        #expect(chart.xDomain() == 1...1000)
        // Three decades over 650: the first bin ends a third along; the base is at 50, a full row 30 high.
        #expect(chart.svg().contains("M58 50V20H274.67V35H491.33V50Z"))
    }

    @Test("a cell's colour grows with the ratio to the median, from 1 to 16")
    func heat() {
        #expect([0.5, 1, 2, 4, 16, 99].map(HeatMap.strength) == [0, 0, 0.25, 0.5, 1, 1])
        let map = HeatMap(
            title: "t", tokens: ["a", "b"], markedColumn: 1, layers: [3], ratios: [[nil, 4]])
        #expect(map.svg().contains("fill-opacity=\"0.5\"") && map.svg().contains("data-ratios=\" 4.0000\""))
        #expect(map.svg().split(separator: "<rect").count == 2)
    }

    @Test("text from outside is escaped, and control characters are made visible")
    func escaping() {
        #expect(
            Markup.escaped("<a href=\"x\">&'\u{1}\n\u{202E}")
                == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{FFFD}↵\u{FFFD}")
    }

    @Test("values are short and keep their size")
    func values() {
        #expect(
            [0, 0.12345, 12.34, 1234, 1e-5, 2.5e9].map(Markup.value) == [
                "0", "0.1235", "12.3", "1,234", "1.00e-5", "2.50e9",
            ])
    }
}
