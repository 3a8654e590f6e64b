import ArgumentParser

/// Layers of a model, as a list of half-open ranges: `8:12,20` is layers 8, 9, 10, 11 and 20.
struct LayerSelection: Equatable, Sendable {
    /// Ascending; none is empty, and none overlaps another.
    let ranges: [Range<Int>]

    init(_ ranges: [Range<Int>]) { self.ranges = ranges }

    /// - Throws: `LayerSelectionError` for what is no list of ranges, or names a layer twice.
    init(_ text: String) throws(LayerSelectionError) {
        var ranges: [Range<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            ranges.append(try LayerSelection.range(String(part)))
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        for (first, second) in zip(ranges, ranges.dropFirst()) where first.upperBound > second.lowerBound {
            throw .overlap(LayerSelection.text(first), LayerSelection.text(second), layer: second.lowerBound)
        }
        self.ranges = ranges
    }

    private static func range(_ text: String) throws(LayerSelectionError) -> Range<Int> {
        let bounds = text.split(separator: ":", omittingEmptySubsequences: false).map(number)
        switch bounds.count {
        case 1:
            guard let layer = bounds[0], layer < Int.max else { throw .unreadable(text) }
            return layer..<layer + 1
        case 2:
            guard let begin = bounds[0], let end = bounds[1] else { throw .unreadable(text) }
            if begin == end { throw .empty(text) }
            if begin > end { throw .reversed(text) }
            return begin..<end
        default: throw .unreadable(text)
        }
    }

    /// Of ASCII digits alone.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }

    /// As it is written: 8:12, or 20 for one layer.
    static func text(_ range: Range<Int>) -> String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound):\(range.upperBound)"
    }

    /// The layers, ascending.
    var layers: [Int] { ranges.flatMap { Array($0) } }

    /// Holds all layers to be in a model of so many.
    func check(layerCount: Int) throws(LayerSelectionError) {
        if let range = ranges.first(where: { $0.upperBound > layerCount }) {
            throw .outside(LayerSelection.text(range), layerCount: layerCount)
        }
    }

    /// Each range in runs of `size` layers.
    ///
    /// - Throws: `LayerSelectionError.remainder` where a range is not a whole number of them.
    func blocks(of size: Int) throws(LayerSelectionError) -> [Range<Int>] {
        if let range = ranges.first(where: { !$0.count.isMultiple(of: size) }) {
            throw .remainder(LayerSelection.text(range), count: range.count, size: size)
        }
        return ranges.flatMap { range in
            stride(from: range.lowerBound, to: range.upperBound, by: size).map { $0..<$0 + size }
        }
    }
}

/// Why a list of layers is refused.
enum LayerSelectionError: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    case empty(String)
    case reversed(String)
    case overlap(String, String, layer: Int)
    case outside(String, layerCount: Int)
    case remainder(String, count: Int, size: Int)

    var description: String {
        switch self {
        case .unreadable(let text):
            "'\(text)' is no layer and no range of layers: 8:12 is layers 8 to 11, 20 is layer 20, and a comma stands "
                + "between them"
        case .empty(let text): "layers \(text) are none: ranges are half-open, 8:9 is layer 8"
        case .reversed(let text): "layers \(text) go backwards: the first layer comes first"
        case .overlap(let first, let second, let layer):
            "layers \(first) and \(second) overlap: layer \(layer) is in both; name each layer once"
        case .outside(let text, let layerCount):
            "layers \(text) are not all in the model, whose layers are 0:\(layerCount)"
        case .remainder(let text, let count, let size):
            "layers \(text) are \(count), which is no multiple of --block \(size); give ranges of whole blocks"
        }
    }
}
