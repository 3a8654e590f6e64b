public import Transformers

/// Folds of a corpus: contiguous runs of sequences of about equal token counts, since neighbouring tokens are
/// correlated. Where there are fewer sequences than folds, sequences are cut into blocks.
public struct FoldLayout: Sendable, Hashable {
    /// Packed rows at which folds begin, and the total: foldCount + 1 numbers.
    public let boundaries: [Int]

    public var foldCount: Int { boundaries.count - 1 }

    public func rows(ofFold fold: Int) -> Range<Int> { boundaries[fold]..<boundaries[fold + 1] }

    /// A layout of known boundaries; nil where they do not ascend from 0.
    public init?(boundaries: [Int]) {
        guard boundaries.count > 1, boundaries[0] == 0, zip(boundaries, boundaries.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
        self.boundaries = boundaries
    }

    /// - Parameters:
    ///   - layout: The sequences.
    ///   - foldCount: At least 1; fewer folds are made where there are fewer tokens.
    public init(layout: SequenceLayout, foldCount: Int) {
        let tokenCount = layout.tokenCount
        let count = max(1, min(foldCount, tokenCount))
        let ideal = (0...count).map { $0 * tokenCount / count }
        guard layout.lengths.count >= count else {
            boundaries = ideal
            return
        }
        var boundaries = [0]
        var sequence = 0
        for fold in 1..<max(count, 1) {
            // The nearest sequence end that leaves at least one sequence to this fold and to each later one.
            sequence += 1
            let last = layout.lengths.count - (count - fold)
            while sequence < last,
                abs(layout.offsets[sequence + 1] - ideal[fold]) <= abs(layout.offsets[sequence] - ideal[fold])
            {
                sequence += 1
            }
            boundaries.append(layout.offsets[sequence])
        }
        boundaries.append(tokenCount)
        self.boundaries = boundaries
    }
}
