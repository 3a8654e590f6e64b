import Checkpoints
public import Tokenizers
public import Transformers

/// The text of scored tokens: how many bytes each sequence's have.
public enum ScoredText: Sendable, Hashable {
    case byteCounts([Int])
    /// Why that cannot be said.
    case unknown(reason: String)

    /// Decodes the sequences with and without their scored tokens: a first token may stand for another text than the same
    /// one later.
    ///
    /// - Parameter tokenizer: Throws where the model has none.
    public init(_ tokens: ScoredTokens, _ tokenizer: () throws(TokenizerError) -> Tokenizer) {
        do throws(TokenizerError) {
            let tokenizer = try tokenizer()
            var counts: [Int] = []
            for (sequence, rows) in tokens.rows.enumerated() {
                let begin = tokens.layout.offsets[sequence]
                // The ids up to the first scored row, and from the one after it.
                let context = Array(tokens.ids[begin..<(rows.isEmpty ? begin : rows.lowerBound + 1)])
                let all = context + (rows.isEmpty ? [] : Array(tokens.ids[rows.lowerBound + 1..<rows.upperBound + 1]))
                let (whole, before) = (try tokenizer.decodeBytes(all).count, try tokenizer.decodeBytes(context).count)
                counts.append(max(0, whole - before))
            }
            let hasText = counts.contains { $0 > 0 }
            self = hasText ? .byteCounts(counts) : .unknown(reason: "the scored tokens stand for no text")
        } catch {
            switch error {
            case .noTokenizer(let path): self = .unknown(reason: "\(path) has no tokenizer")
            default: self = .unknown(reason: "the ids could not be decoded: \(error)")
            }
        }
    }
}

extension EvaluationJob {
    /// Looks whether two models mean the same by these ids.
    ///
    /// - Returns: why the texts of the ids could not be compared, where only the sizes of the vocabularies were; else nil.
    /// - Throws: `EvaluationError.otherVocabulary`, and `.otherTokens` where both have tokenizers that can be read, and an id
    ///   stands for another text in one than in the other.
    public static func requireSameVocabulary(
        _ model: DecoderModel, reference: DecoderModel, _ tokens: ScoredTokens
    ) throws(EvaluationError) -> String? {
        let (name, otherName) = (model.checkpoint.path, reference.checkpoint.path)
        guard model.plan.vocabularySize == reference.plan.vocabularySize else {
            throw .otherVocabulary(
                model: name, size: model.plan.vocabularySize, reference: otherName,
                referenceSize: reference.plan.vocabularySize)
        }
        let difference: String?
        do throws(TokenizerError) {
            difference = try firstDifference(
                Tokenizer(model.checkpoint), Tokenizer(reference.checkpoint), of: Set(tokens.ids).union(tokens.targets))
        } catch {
            return error.description
        }
        guard let difference else { return nil }
        throw .otherTokens(model: name, reference: otherName, problem: difference)
    }

    private static func firstDifference(
        _ tokenizer: Tokenizer, _ other: Tokenizer, of ids: Set<Int32>
    ) throws(TokenizerError) -> String? {
        for id in ids.sorted() {
            let (bytes, others) = (try tokenizer.token(id), try other.token(id))
            if bytes != others { return "id \(id) stands for \(text(bytes)) in one and \(text(others)) in the other" }
        }
        return nil
    }

    private static func text(_ bytes: [UInt8]?) -> String {
        bytes.map { String(decoding: $0, as: UTF8.self).quoted } ?? "nothing"
    }
}
