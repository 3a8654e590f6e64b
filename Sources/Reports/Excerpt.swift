import Linearity

/// A piece of the corpus around one of its worst tokens, with the errors of its tokens in every layer.
public struct Excerpt: Sendable, Hashable {
    public var sequence: Int
    /// Position in the sequence of the first token of the excerpt, and of the worst.
    public var firstPosition: Int
    public var worstPosition: Int
    /// Whether the errors are those of the other folds' maps.
    public var isHeldOut: Bool
    public var ids: [Int32]
    public var texts: [String?]
    /// For each of the view's layers the error of each token; NaN for tokens outside the view.
    public var errors: [[Float]]

    public init(
        sequence: Int, firstPosition: Int, worstPosition: Int, isHeldOut: Bool, ids: [Int32], texts: [String?],
        errors: [[Float]]
    ) {
        self.sequence = sequence
        self.firstPosition = firstPosition
        self.worstPosition = worstPosition
        self.isHeldOut = isHeldOut
        self.ids = ids
        self.texts = texts
        self.errors = errors
    }

    private static let count = 6
    private static let beforeCount = 24
    private static let afterCount = 12

    /// Excerpts around the tokens whose errors stand out most from their layer's median, the farthest first.
    static func worst(of view: Analysis.ViewResult, _ texts: TokenTexts) -> [Excerpt] {
        let layers = zip(view.steps, view.tokenErrors).compactMap { $0.site == .layer ? $1 : nil }
        guard !layers.isEmpty else { return [] }
        let isHeldOut = layers.allSatisfy { !$0.heldOut.isEmpty }
        let errors = layers.map { isHeldOut ? $0.heldOut : $0.inSample }
        let ranked = rank(errors)
        var (excerpts, covered): ([Excerpt], Set<Int>) = ([], [])
        for row in ranked where excerpts.count < count && !covered.contains(row) {
            let sequence = texts.layout.sequence(ofRow: row)
            let sequenceRows = texts.layout.rows(of: sequence..<sequence + 1)
            let rows =
                max(sequenceRows.lowerBound, row - beforeCount)..<min(sequenceRows.upperBound, row + afterCount + 1)
            covered.formUnion(rows)
            excerpts.append(
                Excerpt(
                    sequence: sequence, firstPosition: rows.lowerBound - sequenceRows.lowerBound,
                    worstPosition: row - sequenceRows.lowerBound, isHeldOut: isHeldOut, ids: Array(texts.ids[rows]),
                    texts: rows.map { texts.text($0) }, errors: errors.map { Array($0[rows]) }))
        }
        return excerpts
    }

    /// Rows by their largest ratio of error to the layer's median, the largest first.
    private static func rank(_ errors: [[Float]]) -> [Int] {
        var ratios = [Float](repeating: 0, count: errors[0].count)
        for layer in errors {
            let sorted = layer.filter { !$0.isNaN }.sorted()
            guard !sorted.isEmpty, sorted[sorted.count / 2] > 0 else { continue }
            let median = sorted[sorted.count / 2]
            for (row, error) in layer.enumerated() where !error.isNaN { ratios[row] = max(ratios[row], error / median) }
        }
        return ratios.indices.filter { ratios[$0] > 0 }.sorted {
            ratios[$0] == ratios[$1] ? $0 < $1 : ratios[$0] > ratios[$1]
        }
    }
}
