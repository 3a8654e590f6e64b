public import Transformers

/// Sequences of ids, packed.
public struct TokenBatch: Sendable {
    public let ids: [Int32]
    public let layout: SequenceLayout

    public init(_ sequences: some Sequence<[Int32]>) {
        let sequences = Array(sequences)
        ids = sequences.flatMap { $0 }
        layout = SequenceLayout(lengths: sequences.map(\.count))
    }
}

/// A corpus in two parts: tokens that maps are fitted on, and tokens that judge them.
public struct CalibrationCorpus: Sendable {
    public let fit: TokenBatch
    public let heldOut: TokenBatch

    /// Keeps the last sequences back: as many as have `heldOutTokenCount` tokens, but at most half of all.
    ///
    /// - Throws: `PruningError.tooFewSequences` for a single sequence; `.nothingHeldOut`.
    public init(_ sequences: [[Int32]], heldOutTokenCount: Int) throws(PruningError) {
        guard sequences.count > 1 else { throw .tooFewSequences(count: sequences.count) }
        var (first, count) = (sequences.count, 0)
        while first > (sequences.count + 1) / 2, count < heldOutTokenCount {
            first -= 1
            count += sequences[first].count
        }
        guard sequences[first...].contains(where: { $0.count > 1 }) else { throw .nothingHeldOut }
        self.init(fit: TokenBatch(sequences[..<first]), heldOut: TokenBatch(sequences[first...]))
    }

    public init(fit: TokenBatch, heldOut: TokenBatch) {
        self.fit = fit
        self.heldOut = heldOut
    }
}
