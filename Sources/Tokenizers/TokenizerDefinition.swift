import Checkpoints

/// What a file says of a byte-level BPE tokenizer, before it is checked.
struct TokenizerDefinition {
    struct Token {
        /// As in the file: in the byte-level alphabet, or literal.
        var text: String
        var id: Int32
        /// Whether the text is what the token stands for, and not written in the byte-level alphabet.
        var isLiteral = false
        /// Whether bytes and merges can make it; an added token that is not of the model is only found as it is.
        var isOfModel = true
    }

    /// The file, for messages.
    var path: String
    var tokens: [Token] = []
    var merges: [(left: String, right: String)] = []
    var addedTokens: [AddedToken] = []
    var preTokenization = PreTokenization.gpt2
    /// What stands for bytes that have no token.
    var unknownToken: String?
    var fusesUnknown = false
    /// Whether a pre-token that is in the vocabulary is taken whole, whatever the merges make of it.
    var ignoresMerges = false
    var beginningOfSequence: Int32?
    var addsBeginningOfSequence = false
}
