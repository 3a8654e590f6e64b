/// Cuts a text into the pieces with the greatest sum of scores, by Viterbi's algorithm: the best cut up to each character
/// is that of a character before it and one more piece.
struct UnigramEncoder: Sendable {
    /// What a text is cut into where no piece fits: one character, with this score.
    struct Unknown: Sendable {
        /// Without one such characters are left out.
        var id: Int32?
        var score: Double
        /// The pieces of the bytes `0x00` to `0xFF`, which stand for the character's where they all are there.
        var byteIDs: [Int32]?
        /// Whether a run of such characters is looked for in the vocabulary, as the `tokenizers` library does.
        var looksUpRuns = false
    }

    private let trie: PieceTrie
    /// By id.
    private let scores: [Double]
    private let unknown: Unknown
    /// Whether sums are float32, as in the SentencePiece library, which sets them back to zero before they grow long.
    private let roundsSums: Bool

    private static let sumLimit = 100_000.0

    init(_ pieces: [(text: String, id: Int32, score: Double)], unknown: Unknown, roundsSums: Bool) {
        trie = PieceTrie(pieces.map { (Array($0.text.utf8), $0.id) })
        var scores = [Double](repeating: 0, count: (pieces.map { Int($0.id) }.max() ?? -1) + 1)
        for piece in pieces { scores[Int(piece.id)] = piece.score }
        self.scores = scores
        self.unknown = unknown
        self.roundsSums = roundsSums
    }

    /// The best cut that ends at a byte.
    fileprivate struct Node {
        var score = 0.0
        /// Where its last piece starts; -1 where no cut ends.
        var start: Int32 = -1
        var id: Int32 = 0
    }

    /// Room for the work, to be used again.
    struct Scratch {
        fileprivate var nodes: [Node] = []
        /// The pieces of the best cut, the last first.
        fileprivate var path: [(range: Range<Int>, id: Int32)] = []
    }

    /// Stands for the unknown in a cut.
    private static let unknownID: Int32 = -1

    /// What a word has of those before it.
    struct Context {
        /// Of their scores: only the rounding of sums depends on it.
        fileprivate var sum = 0.0
        /// Whether the last character is unknown: runs of such are one.
        fileprivate var isUnknown = false
    }

    /// Appends the ids of a word; gives the number of bytes that have none.
    func append(
        _ text: Span<UInt8>, _ word: Range<Int>, _ context: inout Context, to ids: inout [Int32],
        _ scratch: inout Scratch
    ) -> Int {
        guard !word.isEmpty else { return 0 }
        findBest(text, word, context.sum, &scratch)
        context.sum = scratch.nodes[word.count].score
        scratch.path.removeAll(keepingCapacity: true)
        var end = word.count
        while end > 0 {
            let node = scratch.nodes[end]
            scratch.path.append((word.lowerBound + Int(node.start)..<word.lowerBound + end, node.id))
            end = Int(node.start)
        }
        return appendPath(text, &context, to: &ids, scratch.path)
    }

    private func appendPath(
        _ text: Span<UInt8>, _ context: inout Context, to ids: inout [Int32], _ path: [(range: Range<Int>, id: Int32)]
    ) -> Int {
        var lostCount = 0
        var run: Range<Int>?
        for (range, id) in path.reversed() {
            if id == Self.unknownID || id == unknown.id {
                run = (run ?? range).lowerBound..<range.upperBound
                continue
            }
            if let unknownRun = run { lostCount += appendUnknown(text, unknownRun, context, to: &ids) }
            run = nil
            context.isUnknown = false
            ids.append(id)
        }
        if let run {
            lostCount += appendUnknown(text, run, context, to: &ids)
            context.isUnknown = true
        }
        return lostCount
    }

    private func findBest(_ text: Span<UInt8>, _ word: Range<Int>, _ sum: Double, _ scratch: inout Scratch) {
        scratch.nodes.removeAll(keepingCapacity: true)
        scratch.nodes.append(contentsOf: repeatElement(Node(), count: word.count + 1))
        scratch.nodes[0].score = sum
        let trie = trie.nodes.span
        let scores = scores.span
        var nodes = scratch.nodes.mutableSpan
        var start = 0
        var frontier = 0
        while start < word.count {
            if roundsSums, abs(nodes[start].score) > Self.sumLimit { Self.reset(&nodes, start...max(start, frontier)) }
            let base = nodes[start].score
            let byteCount = min(Self.characterByteCount(text[word.lowerBound + start]), word.count - start)
            var hasCharacter = false
            var node = PieceTrie.root
            var end = start
            while end < word.count, let child = PieceTrie.child(of: node, text[word.lowerBound + end], trie) {
                (node, end) = (child, end + 1)
                let id = trie[node].value
                guard id != PieceTrie.absent else { continue }
                frontier = max(frontier, end)
                offer(&nodes, end, Node(score: base + scores[Int(id)], start: Int32(truncatingIfNeeded: start), id: id))
                if end - start == byteCount { hasCharacter = true }
            }
            if !hasCharacter {
                frontier = max(frontier, start + byteCount)
                offer(
                    &nodes, start + byteCount,
                    Node(score: base + unknown.score, start: Int32(truncatingIfNeeded: start), id: Self.unknownID))
            }
            start += byteCount
        }
    }

    /// Of equal sums the first stays, which is that of the longest piece.
    @inline(__always)
    private func offer(_ nodes: inout MutableSpan<Node>, _ end: Int, _ node: Node) {
        // A sum of two float32 that is rounded to float64 first is the same float32.
        let score = roundsSums ? Double(Float(node.score)) : node.score
        guard nodes[end].start < 0 || score > nodes[end].score else { return }
        nodes[end] = Node(score: score, start: node.start, id: node.id)
    }

    @inline(never)
    private static func reset(_ nodes: inout MutableSpan<Node>, _ range: ClosedRange<Int>) {
        let sum = nodes[range.lowerBound].score
        for index in range where index == range.lowerBound || nodes[index].start >= 0 {
            nodes[index].score = Double(Float(nodes[index].score - sum))
        }
    }

    /// Gives the number of bytes that have no token.
    private func appendUnknown(
        _ text: Span<UInt8>, _ run: Range<Int>, _ context: Context, to ids: inout [Int32]
    ) -> Int {
        if unknown.looksUpRuns, let id = trie.value(of: text, run) {
            ids.append(id)
            return 0
        }
        if let byteIDs = unknown.byteIDs, run.allSatisfy({ byteIDs[Int(text[$0])] != PieceTrie.absent }) {
            for index in run { ids.append(byteIDs[Int(text[index])]) }
            return 0
        }
        if let id = unknown.id, !context.isUnknown { ids.append(id) }
        return run.count
    }

    /// - Parameter first: of the bytes of a character.
    @inline(__always)
    static func characterByteCount(_ first: UInt8) -> Int { first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4 }
}
