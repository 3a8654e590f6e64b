public import Transformers

/// Tokens of packed sequences that are scored, and the rows of the stream that predict them.
public struct ScoredTokens: Sendable {
    /// What goes through the model: the ids of all sequences, packed.
    public let ids: [Int32]
    public let layout: SequenceLayout
    /// Of each sequence the packed rows whose next token is scored; empty where none is.
    public let rows: [Range<Int>]
    /// The token after each of those rows, in their order.
    public let targets: [Int32]

    public var count: Int { targets.count }

    /// Scores every token that has one before it in its sequence, but for those that are only context.
    ///
    /// - Parameters:
    ///   - ids: Of all sequences, packed.
    ///   - contextTokenCounts: First tokens of each sequence that are not scored; nil for only the first one of each.
    public init(ids: [Int32], layout: SequenceLayout, contextTokenCounts: [Int]? = nil) {
        precondition(ids.count == layout.tokenCount, "\(ids.count) ids for \(layout.tokenCount) places")
        let counts = contextTokenCounts ?? [Int](repeating: 1, count: layout.lengths.count)
        let rows = layout.lengths.indices.map { sequence in
            let first = min(max(1, counts[sequence]), layout.lengths[sequence])
            return layout.offsets[sequence] + first - 1..<layout.offsets[sequence + 1] - 1
        }
        self.init(
            ids: ids, layout: layout, rows: rows, targets: rows.flatMap { ids[$0.lowerBound + 1..<$0.upperBound + 1] })
    }

    /// - Parameter targets: What is scored of each sequence; its last token need not be one of the ids.
    init(ids: [Int32], layout: SequenceLayout, rows: [Range<Int>], targets: [Int32]) {
        self.ids = ids
        self.layout = layout
        self.rows = rows
        self.targets = targets
    }

    /// The scored rows in even runs of at most `limit`, whatever the sequences, which lanes share evenly.
    func slabs(rowCount limit: Int) -> [ScoredSlab] {
        let fewest = (count + limit - 1) / limit
        return SlabSharing(limit: limit).best(fewest: fewest, rowCount: \.rowCount) { slabCount in
            runs(rowCount: max(1, (count + slabCount - 1) / max(1, slabCount)))
        }
    }

    private func runs(rowCount: Int) -> [ScoredSlab] {
        var slabs: [ScoredSlab] = []
        var slab = ScoredSlab(firstTarget: 0)
        for (sequence, rows) in rows.enumerated() {
            var rest = rows
            while !rest.isEmpty {
                let piece = rest.prefix(rowCount - slab.rowCount)
                slab.pieces.append(ScoredSlab.Piece(sequence: sequence, rows: piece))
                rest = rest.dropFirst(piece.count)
                if slab.rowCount == rowCount {
                    slabs.append(slab)
                    slab = ScoredSlab(firstTarget: slab.targets.upperBound)
                }
            }
        }
        return slab.pieces.isEmpty ? slabs : slabs + [slab]
    }
}

/// Rows whose logits are computed at once.
struct ScoredSlab: Sendable {
    /// Among the targets of all tokens.
    let firstTarget: Int
    /// In the order of the rows.
    var pieces: [Piece] = []

    /// Neighbouring rows of one sequence.
    struct Piece: Sendable {
        let sequence: Int
        let rows: Range<Int>
    }

    var rowCount: Int { pieces.reduce(0) { $0 + $1.rows.count } }
    var targets: Range<Int> { firstTarget..<firstTarget + rowCount }
}
