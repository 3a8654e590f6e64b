import Linearity
import Testing

@Suite("Figures over depth become a few numbers")
struct DepthSummaryTests {
    private let values = [0.91, 0.97, 0.42, 0.88, 0.95, 0.6, 0.73]

    @Test("the slope is numpy's polyfit over normalized depth, and the ends have their layers")
    func slope() throws {
        let summary = try #require(DepthSummary(layers: Array(0..<7), of: 7, values: values))
        #expect(abs(summary.mean - 0.78) < 1e-15)
        #expect(abs(try #require(summary.slope) - -0.160_714_285_714_285_84) < 1e-14)
        #expect(summary.smallest == .init(layer: 2, value: 0.42) && summary.largest == .init(layer: 1, value: 0.97))
    }

    @Test("layers without the figure are left out, and the others keep their depth")
    func gaps() throws {
        let some = values.enumerated().map { [0, 2, 3, 6].contains($0) ? $1 : nil }
        let summary = try #require(DepthSummary(layers: Array(0..<7), of: 7, values: some))
        #expect(abs(try #require(summary.slope) - -0.072) < 1e-14)
        #expect(summary.largest.layer == 0)
    }

    @Test("one layer has no slope, none has no summary, and huge values overflow nothing")
    func degenerate() throws {
        #expect(try #require(DepthSummary(layers: [3], of: 7, values: [0.5])).slope == nil)
        #expect(try #require(DepthSummary(layers: [0], of: 1, values: [0.5])).mean == 0.5)
        #expect(DepthSummary(layers: [0, 1], of: 2, values: [nil, nil]) == nil)
        let huge = try #require(DepthSummary(layers: [0, 1, 2], of: 3, values: [1e308, 1e308, -1e308]))
        #expect(huge.mean.isFinite && huge.slope?.isFinite != false)
    }

    @Test("rank correlation is scipy's, with shared ranks")
    func spearman() {
        let correlation = RankCorrelation.spearman([0.1, 0.5, 0.5, 0.9, 0.3, 0.7], [2, 1, 5, 5, 3, 4])
        #expect(abs((correlation ?? 0) - 0.602_941_176_470_588_3) < 1e-15)
        #expect(RankCorrelation.spearman([1, 2, 3], [10, 20, 3000]) == 1)
        #expect(RankCorrelation.spearman([1, 2, 3], [5, 4, -7]) == -1)
        #expect(
            RankCorrelation.spearman([1, 2], [1, 2]) == nil && RankCorrelation.spearman([1, 1, 1], [1, 2, 3]) == nil)
    }
}
