/// Which layers of a model are cut, and which are kept.
public struct CutLayers: Sendable, Hashable {
    /// Runs of cut layers, half-open, in order; runs that touch are one.
    public let runs: [Range<Int>]
    public let layerCount: Int

    /// - Throws: `PruningError` where ranges are outside the model, share layers, or are all of it.
    public init(_ ranges: [Range<Int>], layerCount: Int) throws(PruningError) {
        let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
        for range in sorted where range.isEmpty || range.lowerBound < 0 || range.upperBound > layerCount {
            throw .layers(asked: range, layerCount: layerCount)
        }
        for (one, other) in zip(sorted, sorted.dropFirst()) where one.upperBound > other.lowerBound {
            throw .overlap(one, other)
        }
        guard !sorted.isEmpty else { throw .nothingAsked }
        var runs: [Range<Int>] = []
        for range in sorted {
            if let last = runs.last, last.upperBound == range.lowerBound {
                runs[runs.count - 1] = last.lowerBound..<range.upperBound
            } else {
                runs.append(range)
            }
        }
        if runs == [0..<layerCount] { throw .nothingKept(layerCount: layerCount) }
        self.runs = runs
        self.layerCount = layerCount
    }

    public var cut: [Int] { runs.flatMap { Array($0) } }
    public var kept: [Int] { (0..<layerCount).filter { layer in !runs.contains { $0.contains(layer) } } }

    /// The run that begins at a layer.
    func run(at layer: Int) -> Range<Int>? { runs.first { $0.lowerBound == layer } }

    /// Layers for people: `0:12, 14, 16:30`.
    public static func list(_ layers: [Int]) -> String {
        var runs: [Range<Int>] = []
        for layer in layers {
            if let last = runs.last, last.upperBound == layer {
                runs[runs.count - 1] = last.lowerBound..<layer + 1
            } else {
                runs.append(layer..<layer + 1)
            }
        }
        if runs.isEmpty { return "none" }
        return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)" }
            .joined(separator: ", ")
    }
}
