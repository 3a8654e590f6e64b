/// Added tokens in the order of their bytes: those with a common start stand together, so that each further byte of a
/// text narrows a range of them. It takes no more memory than the tokens, whatever they are.
struct AddedTokenTable: Sendable {
    private let tokens: [AddedToken]
    /// The contents, one after the other, and where each starts; one more at the end.
    private var bytes: [UInt8] = []
    private var starts: [Int] = [0]
    /// The tokens that start with each byte: most of a text is passed over by this.
    private var groups = [Range<Int>](repeating: 0..<0, count: 256)

    /// - Parameter tokens: not empty, with contents that are not empty and differ.
    init(_ tokens: [AddedToken]) {
        self.tokens = tokens.sorted { $0.content.utf8.lexicographicallyPrecedes($1.content.utf8) }
        for (index, token) in self.tokens.enumerated() {
            guard let first = token.content.utf8.first.map({ Int($0) }) else { continue }
            groups[first] = (groups[first].isEmpty ? index : groups[first].lowerBound)..<index + 1
            bytes.append(contentsOf: token.content.utf8)
            starts.append(bytes.count)
        }
    }

    /// The first token in `range` of `text`, and of those that start there the longest.
    func firstMatch(in text: Span<UInt8>, _ range: Range<Int>) -> (Range<Int>, AddedToken)? {
        for start in range where !groups[Int(text[start])].isEmpty {
            if let match = longestMatch(in: text, start..<range.upperBound) { return match }
        }
        return nil
    }

    private func longestMatch(in text: Span<UInt8>, _ range: Range<Int>) -> (Range<Int>, AddedToken)? {
        var (group, match): (Range<Int>, (Range<Int>, AddedToken)?) = (groups[Int(text[range.lowerBound])], nil)
        for index in range {
            let depth = index - range.lowerBound
            if depth > 0 { group = narrow(group, depth: depth, text[index]) }
            guard let first = group.first else { break }
            // Of the tokens that agree so far, the one that ends here is the first.
            if length(first) == depth + 1 {
                match = (range.lowerBound..<index + 1, tokens[first])
                group = first + 1..<group.upperBound
            }
        }
        return match
    }

    private func length(_ token: Int) -> Int { starts[token + 1] - starts[token] }

    /// Those of `group`, whose contents agree in `depth` bytes and have more, that have `byte` next.
    private func narrow(_ group: Range<Int>, depth: Int, _ byte: UInt8) -> Range<Int> {
        let low = firstToken(in: group) { bytes[starts[$0] + depth] >= byte }
        return low..<firstToken(in: low..<group.upperBound) { bytes[starts[$0] + depth] > byte }
    }

    /// The first of `group` from which on `isAfter` is true, by bisection.
    private func firstToken(in group: Range<Int>, where isAfter: (Int) -> Bool) -> Int {
        var (low, high) = (group.lowerBound, group.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if isAfter(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
