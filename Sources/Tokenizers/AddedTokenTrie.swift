/// Added tokens by their bytes.
struct AddedTokenTrie: Sendable {
    private let tokens: [AddedToken]
    /// The node below a node by a byte: node · 256 + byte. Node 0 is the root.
    private var children: [Int: Int] = [:]
    /// The token that ends at each node.
    private var ends: [Int?] = [nil]
    /// Which bytes tokens start with: most of a text is passed over by this.
    private var startsToken = [Bool](repeating: false, count: 256)

    /// - Parameter tokens: not empty, with contents that are not empty and differ.
    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            var node = 0
            for byte in token.content.utf8 {
                if node == 0 { startsToken[Int(byte)] = true }
                node = child(of: node, byte)
            }
            ends[node] = index
        }
    }

    private mutating func child(of node: Int, _ byte: UInt8) -> Int {
        let key = node << 8 | Int(byte)
        if let child = children[key] { return child }
        ends.append(nil)
        children[key] = ends.count - 1
        return ends.count - 1
    }

    /// The first token in `range` of `text`, and of those that start there the longest.
    func firstMatch(in text: Span<UInt8>, _ range: Range<Int>) -> (Range<Int>, AddedToken)? {
        for start in range where startsToken[Int(text[start])] {
            if let match = longestMatch(in: text, start..<range.upperBound) { return match }
        }
        return nil
    }

    private func longestMatch(in text: Span<UInt8>, _ range: Range<Int>) -> (Range<Int>, AddedToken)? {
        var (node, match): (Int, (Range<Int>, AddedToken)?) = (0, nil)
        for index in range {
            guard let child = children[node << 8 | Int(text[index])] else { break }
            node = child
            if let end = ends[node] { match = (range.lowerBound..<index + 1, tokens[end]) }
        }
        return match
    }
}
