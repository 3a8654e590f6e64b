import ArgumentParser

/// A half-open range of layers: 8:12 is layers 8, 9, 10 and 11; 5 is layer 5 alone.
struct LayerRange {
    let range: Range<Int>

    init(_ text: String) throws {
        let ranges = try LayerSelection(text).ranges
        guard ranges.count == 1 else {
            throw ValidationError("\(text) is several ranges of layers: name one, such as 0:12.")
        }
        range = ranges[0]
    }
}
