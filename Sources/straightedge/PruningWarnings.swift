import Pruning
import Tokenizers
import Transformers

/// What `plan` and `prune` share.
enum PruningWarnings {
    /// What makes fits and figures less certain than they look, in words.
    ///
    /// - Parameter fits: Whether maps are made.
    static func all(
        _ model: DecoderModel, _ corpus: Corpus, _ tokens: CalibrationCorpus, fits: Bool = true
    ) -> [String] {
        let (count, width) = (tokens.fit.ids.count, model.plan.width)
        var warnings: [String] = []
        if fits, count <= 5 * width {
            warnings.append(
                "maps of width \(width) are fitted on \(count) tokens and will follow these; \(10 * width) are better")
        }
        if let asked = corpus.askedTokenCount, corpus.tokenCount < asked {
            warnings.append(
                "the text has only \(corpus.tokenCount) tokens, \(asked) were asked for; all of them are used")
        }
        if corpus.lostByteCount > 0 {
            warnings.append(
                "\(corpus.lostByteCount) bytes of the text have no token in this model's vocabulary and are left out")
        }
        return warnings
    }
}
