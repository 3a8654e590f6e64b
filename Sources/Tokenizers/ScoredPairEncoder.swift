/// Byte-pair encoding as SentencePiece has it: of the symbols of a text, first its characters, the neighbours that
/// together are the piece of the best score, the leftmost first, are merged until no two are a piece.
struct ScoredPairEncoder: Sendable {
    /// What becomes of a character that is no piece.
    struct Unknown: Sendable {
        /// Stands for a run of them; without one they are left out.
        var id: Int32?
        /// The pieces of the bytes `0x00` to `0xFF`, which stand for the character's.
        var byteIDs: [Int32]?
    }

    private let merges: ScoredMerges
    private let unknown: Unknown
    /// Found in the text before its characters; they do not merge.
    private let userDefined: PieceTrie?

    /// Room for the work, to be used again.
    struct Scratch {
        fileprivate var list = ScoredMergeList()
        /// Whether the last character is unknown: runs of such are one, also across words.
        var followsUnknown = false
    }

    /// - Parameter findsUserDefined: whether user-defined pieces are found in the text and do not merge.
    init(_ pieces: [SentencePieceModel.Piece], unknown: Unknown, findsUserDefined: Bool) {
        self.unknown = unknown
        userDefined = findsUserDefined ? PieceTrie(userDefinedIn: pieces) : nil
        merges = ScoredMerges(pieces) { piece in piece.isOfText && !(piece.kind == .userDefined && findsUserDefined) }
    }

    /// Whether unused pieces can be made, which are taken apart again as they were put together anywhere in the text:
    /// the words of a text cannot be encoded apart then.
    var needsWholeText: Bool { merges.makesUnused }

    /// Appends the ids of a word; gives the number of bytes that have none.
    func append(_ text: Span<UInt8>, _ word: Range<Int>, to ids: inout [Int32], _ scratch: inout Scratch) -> Int {
        cut(text, word, &scratch.list)
        scratch.list.merge(merges)
        var lostCount = 0
        var place = 0
        while place < scratch.list.count {
            let range = scratch.list.text(at: place)
            lostCount += append(scratch.list.symbols[place], text, range, to: &ids, &scratch, depth: 0)
            place = scratch.list.next[place]
        }
        return lostCount
    }

    private func cut(_ text: Span<UInt8>, _ word: Range<Int>, _ list: inout ScoredMergeList) {
        list.removeAll()
        var start = word.lowerBound
        while start < word.upperBound {
            if let userDefined, let match = userDefined.longestMatch(in: text, start..<word.upperBound) {
                list.append(ScoredMerges.frozen(match.value), start)
                start += match.byteCount
            } else {
                let (symbol, byteCount) = merges.symbol(at: start, of: text)
                list.append(symbol, start)
                start += byteCount
            }
        }
        list.end = word.upperBound
    }

    /// As deep as the SentencePiece library goes.
    private static let depthLimit = 100

    private func append(
        _ symbol: Int32, _ text: Span<UInt8>, _ range: Range<Int>, to ids: inout [Int32], _ scratch: inout Scratch,
        depth: Int
    ) -> Int {
        if let id = merges.id(of: symbol) {
            guard merges.isUnused(id), depth <= Self.depthLimit else {
                ids.append(id)
                scratch.followsUnknown = false
                return 0
            }
            if let parts = scratch.list.parts[id] {
                let middle = range.lowerBound + parts.leftByteCount
                return append(parts.left, text, range.lowerBound..<middle, to: &ids, &scratch, depth: depth + 1)
                    + append(parts.right, text, middle..<range.upperBound, to: &ids, &scratch, depth: depth + 1)
            }
        }
        defer { scratch.followsUnknown = true }
        if let byteIDs = unknown.byteIDs {
            for index in range { ids.append(byteIDs[Int(text[index])]) }
            return 0
        }
        if let id = unknown.id, !scratch.followsUnknown { ids.append(id) }
        return range.count
    }
}

/// The symbols of a text as a linked list with a heap of the merges to come.
struct ScoredMergeList {
    /// What an unused piece was put together of.
    struct Parts {
        var left: Int32
        var right: Int32
        var leftByteCount: Int
    }

    var symbols: [Int32] = []
    /// The place of the symbol after each; the number of places after the last.
    private(set) var next: [Int] = []
    /// Where the text ends.
    var end = 0
    /// Of unused pieces, by their ids, as they could last be made.
    private(set) var parts: [Int32: Parts] = [:]
    private var previous: [Int] = []
    private var starts: [Int] = []
    /// The merge of each symbol with its right neighbour; `.none` also for a symbol that is gone.
    private var merges: [MergeTable.Merge] = []
    private var queue = MergeQueue()

    var count: Int { symbols.count }

    func text(at place: Int) -> Range<Int> { starts[place]..<(next[place] < count ? starts[next[place]] : end) }

    mutating func removeAll() {
        symbols.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
    }

    mutating func append(_ symbol: Int32, _ start: Int) {
        symbols.append(symbol)
        starts.append(start)
    }

    mutating func merge(_ table: ScoredMerges) {
        previous.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        merges.removeAll(keepingCapacity: true)
        for place in 0..<count {
            previous.append(place - 1)
            next.append(place + 1)
            merges.append(.none)
        }
        queue.removeAll()
        parts.removeAll(keepingCapacity: true)
        for place in 0..<max(count - 1, 0) { look(at: place, table) }
        while let candidate = queue.popFirst() {
            let place = candidate.place
            // A candidate whose symbol was merged otherwise meanwhile. One of the same rank is there itself.
            guard merges[place] != .none, merges[place].rank == candidate.rank else { continue }
            let gone = next[place]
            symbols[place] = merges[place].result
            merges[gone] = .none
            next[place] = next[gone]
            if next[place] < count { previous[next[place]] = place }
            if previous[place] >= 0 { look(at: previous[place], table) }
            look(at: place, table)
        }
    }

    /// The symbol at `place`, or its right neighbour, is new.
    @inline(__always)
    private mutating func look(at place: Int, _ table: ScoredMerges) {
        guard next[place] < count else {
            merges[place] = .none
            return
        }
        let merge = table[symbols[place], symbols[next[place]]]
        merges[place] = merge
        guard merge != .none else { return }
        queue.push(MergeQueue.Candidate(rank: merge.rank, place: place))
        if table.makesUnused, table.isUnused(merge.result) {
            parts[merge.result] = Parts(
                left: symbols[place], right: symbols[next[place]], leftByteCount: starts[next[place]] - starts[place])
        }
    }
}
