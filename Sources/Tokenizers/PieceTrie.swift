/// The pieces of a vocabulary by their bytes: which of them a text starts with.
///
/// A double array: the child of a node by a byte stands at the node's base, exclusive-or'd with the byte, and names its
/// parent, so that a step is one look. Room is made in blocks of 256 places, of which the last few are open.
struct PieceTrie: Sendable {
    struct Node: Sendable {
        /// Where its children stand.
        fileprivate(set) var base: Int32 = 0
        /// Its parent; `absent` for a place that is free.
        fileprivate(set) var parent = PieceTrie.absent
        /// The piece that ends here, or `absent`.
        fileprivate(set) var value = PieceTrie.absent
    }

    static let absent: Int32 = -1
    static let root = 0

    fileprivate(set) var nodes: [Node] = []

    /// - Parameter pieces: that differ; values that are not negative.
    init(_ pieces: [(bytes: [UInt8], value: Int32)]) {
        var builder = PieceTrieBuilder(pieces)
        builder.build()
        nodes = builder.nodes
    }

    /// The user-defined pieces, or nil where there are none.
    init?(userDefinedIn pieces: [SentencePieceModel.Piece]) {
        let found = pieces.indices.filter { pieces[$0].kind == .userDefined }
        guard !found.isEmpty else { return nil }
        self.init(found.map { (Array(pieces[$0].text.utf8), Int32($0)) })
    }

    /// The child of `node` by `byte`, or nil.
    @inline(__always)
    static func child(of node: Int, _ byte: UInt8, _ nodes: Span<Node>) -> Int? {
        let child = Int(nodes[node].base) ^ Int(byte)
        return nodes[child].parent == Int32(truncatingIfNeeded: node) ? child : nil
    }

    /// The longest piece that the text in `range` starts with.
    func longestMatch(in text: Span<UInt8>, _ range: Range<Int>) -> (byteCount: Int, value: Int32)? {
        let nodes = nodes.span
        var (node, match): (Int, (Int, Int32)?) = (Self.root, nil)
        for index in range {
            guard let child = Self.child(of: node, text[index], nodes) else { break }
            node = child
            if nodes[node].value != Self.absent { match = (index + 1 - range.lowerBound, nodes[node].value) }
        }
        return match
    }

    /// The piece that is the text in `range`.
    func value(of text: Span<UInt8>, _ range: Range<Int>) -> Int32? {
        let nodes = nodes.span
        var node = Self.root
        for index in range {
            guard let child = Self.child(of: node, text[index], nodes) else { return nil }
            node = child
        }
        return nodes[node].value == Self.absent ? nil : nodes[node].value
    }
}

private struct PieceTrieBuilder {
    /// Pieces that agree in as many bytes as the node is deep.
    struct Task {
        var node: Int
        var pieces: Range<Int>
        var depth: Int
    }

    let pieces: [(bytes: [UInt8], value: Int32)]
    var nodes: [PieceTrie.Node] = []
    private var tasks: [Task] = []
    /// The bytes that lead on from the node at hand, and where the pieces of each start.
    private var labels: [UInt8] = []
    private var starts: [Int] = []
    /// Where the free places of each open block are looked for from.
    private var openBlocks: [Int] = []

    /// With more, the array is a little denser and takes longer to build.
    private static let openBlockLimit = 8
    /// The parent of the root: nobody's child, and not free.
    private static let none: Int32 = -2
    /// Of free places of a block that are tried for several children.
    private static let trialLimit = 64

    init(_ pieces: [(bytes: [UInt8], value: Int32)]) {
        self.pieces = pieces.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    mutating func build() {
        openBlock()
        nodes[PieceTrie.root].parent = Self.none
        if !pieces.isEmpty { tasks.append(Task(node: PieceTrie.root, pieces: 0..<pieces.count, depth: 0)) }
        while let task = tasks.popLast() { expand(task) }
    }

    private mutating func expand(_ task: Task) {
        var first = task.pieces.lowerBound
        if pieces[first].bytes.count == task.depth {
            nodes[task.node].value = pieces[first].value
            first += 1
        }
        labels.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        for index in first..<task.pieces.upperBound where labels.last != pieces[index].bytes[task.depth] {
            labels.append(pieces[index].bytes[task.depth])
            starts.append(index)
        }
        guard !labels.isEmpty else { return }
        starts.append(task.pieces.upperBound)
        let base = placeChildren()
        nodes[task.node].base = Int32(base)
        for (index, label) in labels.enumerated() {
            nodes[base ^ Int(label)].parent = Int32(task.node)
            tasks.append(
                Task(node: base ^ Int(label), pieces: starts[index]..<starts[index + 1], depth: task.depth + 1))
        }
    }

    /// A base from which all places of the labels are free.
    private mutating func placeChildren() -> Int {
        for block in openBlocks.reversed() {
            if let base = base(inBlock: block) { return base }
        }
        openBlock()
        return base(inBlock: nodes.count - 256) ?? nodes.count - 256
    }

    private func base(inBlock block: Int) -> Int? {
        var trialCount = 0
        for place in block..<block + 256 where nodes[place].parent == PieceTrie.absent {
            let base = place ^ Int(labels[0])
            if labels.allSatisfy({ nodes[base ^ Int($0)].parent == PieceTrie.absent }) { return base }
            trialCount += 1
            if trialCount == Self.trialLimit { return nil }
        }
        return nil
    }

    private mutating func openBlock() {
        openBlocks.append(nodes.count)
        nodes.append(contentsOf: repeatElement(PieceTrie.Node(), count: 256))
        if openBlocks.count > Self.openBlockLimit { openBlocks.removeFirst() }
    }
}
