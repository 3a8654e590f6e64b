import Tokenizers

/// What the product does with a tokenizer: texts to ids, and ids to texts.
enum TokenizerExercise {
    static func run(_ tokenizer: Tokenizer, _ exercise: inout Exercise) {
        _ = (tokenizer.summary, tokenizer.beginningOfSequence, tokenizer.missingBytes)
        for text in texts {
            // A pattern that does not come to an end is reported.
            guard let ids = exercise.attempt({ try tokenizer.encode(text) }) else { continue }
            if let id = ids.first(where: { $0 < 0 || Int($0) >= tokenizer.vocabularySize }) {
                exercise.complain("the id \(id) of a vocabulary of \(tokenizer.vocabularySize)")
            }
            _ = exercise.attempt { try tokenizer.decode(ids) }
            _ = exercise.attempt { try tokenizer.encode(text, specialTokens: .asText) }
            let start = exercise.attempt { try tokenizer.encode(text, atLeast: 2) }
            if let start, !ids.starts(with: start.ids) {
                exercise.complain("the start of a text has other ids than the text")
            }
        }
        for id in [-1, 0, Int32(clamping: tokenizer.vocabularySize), .min, .max] {
            _ = exercise.attempt { try tokenizer.token(id) }
            exercise.probe { try tokenizer.decode([id]) }
        }
    }

    /// Runs of what tokens are made of make quadratic time long.
    private static let texts = [
        TinyModel.text, "", String(repeating: "a", count: 4_000), String(repeating: " ", count: 4_000),
        String(repeating: "ab é", count: 500),
    ]
}
