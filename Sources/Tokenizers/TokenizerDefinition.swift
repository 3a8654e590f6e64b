import Checkpoints

/// What a file says of a tokenizer, before it is checked: the way of a text to ids, and back.
///
/// Added tokens are found in the text; what lies between is changed by the normalizers, one after the other, and cut
/// into pre-tokens by the pre-tokenizers; the model makes tokens of each pre-token alone; tokens that every sequence has
/// are put around them all. The decoders, one after the other, make text of tokens.
struct TokenizerDefinition {
    struct Token {
        /// As in the file.
        var text: String
        var id: Int32
        /// Whether the text is what the token stands for, whatever the decoders make of others.
        var isLiteral = false
        /// Whether the model can make it; an added token that is not of the model is only found as it is.
        var isOfModel = true
    }

    /// How a pre-token becomes tokens.
    enum Model {
        case bytePair(BytePairDefinition)
        case unigram(UnigramDefinition)
        /// Takes the text between added tokens as it is: there are no normalizers and no pre-tokenizers.
        case sentencePiece(SentencePieceModel)
    }

    /// The file, for messages.
    var path: String
    var tokens: [Token] = []
    var addedTokens: [AddedToken] = []
    var normalizers: [Normalizer] = []
    var preTokenizers: [PreTokenizer] = []
    /// What the file calls the pre-tokenizers, if it does.
    var preTokenizationName: String?
    var model = Model.bytePair(BytePairDefinition())
    var decoders: [TokenDecoder] = []
    /// The token of this role, whether it is added or not.
    var beginningOfSequence: Int32?
    /// What is put in front of a sequence by default, such as its beginning.
    var sequencePrefix: [Int32] = []
    /// What is put after a sequence by default, such as its end.
    var sequenceSuffix: [Int32] = []
}

/// Byte-pair encoding whose merges are listed in the order in which they are made.
///
/// The first symbols are characters. Where the last pre-tokenizer or a normalizer is `byteLevel`, each of them stands for
/// a byte.
struct BytePairDefinition {
    var merges: [(left: String, right: String)] = []
    /// What stands for a character that has no token.
    var unknownToken: String?
    /// Whether one token stands for a run of such characters.
    var fusesUnknown = false
    /// Whether a character that has no token becomes the tokens `<0x00>` to `<0xFF>` of its bytes, where they all are there.
    var fallsBackToBytes = false
    /// What the symbols of a pre-token but the first one start with in the vocabulary.
    var continuingPrefix = ""
    /// What the last symbol of a pre-token ends with in the vocabulary.
    var endSuffix = ""
    /// Whether a pre-token that is in the vocabulary is taken whole, whatever the merges make of it.
    var ignoresMerges = false
    /// The same for pre-tokens of line feeds alone.
    var takesLineFeedsWhole = false
}
