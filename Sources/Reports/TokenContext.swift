import Linearity
public import Transformers

/// A token of the corpus, where it stands, and what stands around it.
public struct TokenContext: Sendable, Hashable {
    public var sequence: Int
    /// Within the sequence, from 0.
    public var position: Int
    public var id: Int32
    /// nil where the model's tokenizer cannot be read.
    public var text: String?
    /// The text of the tokens before it in the sequence, and of those after it.
    public var before: String?
    public var after: String?

    public init(sequence: Int, position: Int, id: Int32, text: String?, before: String?, after: String?) {
        self.sequence = sequence
        self.position = position
        self.id = id
        self.text = text
        self.before = before
        self.after = after
    }
}

/// The tokens of a corpus and their texts.
public struct TokenTexts: Sendable {
    public let layout: SequenceLayout
    /// Ids of all sequences, packed.
    public let ids: [Int32]
    /// The text of ids; nil where they have none.
    private let decode: @Sendable ([Int32]) -> String?

    private static let beforeCount = 12
    private static let afterCount = 6

    public init(layout: SequenceLayout, ids: [Int32], decode: @escaping @Sendable ([Int32]) -> String?) {
        self.layout = layout
        self.ids = ids
        self.decode = decode
    }

    public func text(_ row: Int) -> String? { decode([ids[row]]) }

    /// The context of a packed row.
    public func context(_ row: Int) -> TokenContext {
        let sequence = layout.sequence(ofRow: row)
        let rows = layout.rows(of: sequence..<sequence + 1)
        let before = max(rows.lowerBound, row - TokenTexts.beforeCount)..<row
        let after = row + 1..<min(rows.upperBound, row + 1 + TokenTexts.afterCount)
        return TokenContext(
            sequence: sequence, position: row - rows.lowerBound, id: ids[row], text: text(row),
            before: decode(Array(ids[before])), after: decode(Array(ids[after])))
    }

    /// The contexts of the worst tokens of all steps, by packed row.
    func contexts(_ views: [Analysis.ViewResult]) -> [Int: TokenContext] {
        var contexts: [Int: TokenContext] = [:]
        for step in views.flatMap(\.steps) {
            guard let errors = step.tokenErrors else { continue }
            for token in errors.inSample.worst + (errors.heldOut?.worst ?? []) where contexts[token.row] == nil {
                contexts[token.row] = context(token.row)
            }
        }
        return contexts
    }
}
