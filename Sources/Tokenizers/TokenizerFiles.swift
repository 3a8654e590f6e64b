public import Checkpoints

/// The files of a tokenizer as Hugging Face's libraries have them, made of a GGUF file's metadata.
public struct TokenizerFiles: Sendable {
    /// tokenizer.json.
    public let tokenizer: JSON
    /// tokenizer_config.json.
    public let configuration: JSON
    /// The ids of tokens with roles, where the file has them.
    public let beginningOfSequence: Int?
    /// The end of a sequence first, and what ends a turn where it is another token.
    public let endsOfSequence: [Int]
    public let padding: Int?

    /// - Parameter maximumLength: The longest sequence that the model was made for.
    /// - Throws: `TokenizerError` where the file's tokenizer is not read, or is one that the libraries do not have.
    public init(_ file: GGUFFile, maximumLength: Int) throws(TokenizerError) {
        let original = try TokenizerDefinition(file)
        let definition = try original.listingMerges()
        try definition.requireSameIDs(as: original)
        tokenizer = try definition.tokenizerJSON()
        let reader = GGUFTokenizerReader(metadata: file.metadata)
        func id(_ name: String) throws(TokenizerError) -> Int? {
            try reader.tokenID(name, vocabularySize: definition.tokens.count).map { Int($0) }
        }
        beginningOfSequence = definition.beginningOfSequence.map { Int($0) }
        let (end, endOfTurn) = (try id("eos_token_id"), try id("eot_token_id"))
        endsOfSequence = [end, endOfTurn == end ? nil : endOfTurn].compactMap(\.self)
        padding = try id("padding_token_id")
        let unknown = try id("unknown_token_id")
        configuration = .object(
            try definition.configuration(
                [
                    ("bos_token", beginningOfSequence), ("eos_token", end), ("unk_token", unknown),
                    ("pad_token", padding),
                ],
                template: reader.chatTemplate(), maximumLength: maximumLength))
    }
}

extension GGUFTokenizerReader {
    fileprivate func chatTemplate() throws(TokenizerError) -> String? {
        do throws(CheckpointError) {
            return try metadata.stringIfPresent("tokenizer.chat_template")
        } catch {
            throw .checkpoint(error)
        }
    }
}

extension TokenizerDefinition {
    /// The class is the one that takes all from tokenizer.json.
    fileprivate func configuration(
        _ roles: [(name: String, id: Int?)], template: String?, maximumLength: Int
    ) throws(TokenizerError) -> JSONObject {
        var configuration: JSONObject = [
            "added_tokens_decoder": .object(
                JSONObject(addedTokens.sorted { $0.id < $1.id }.map { ("\($0.id)", .object($0.flags)) })),
            "clean_up_tokenization_spaces": false, "model_max_length": .integer(maximumLength),
            "tokenizer_class": "PreTrainedTokenizerFast",
        ]
        for (name, id) in roles {
            guard let id, let token = tokens.first(where: { $0.id == Int32(id) }) else { continue }
            configuration[name] = .string(token.text)
        }
        if let template { configuration["chat_template"] = .string(template) }
        return configuration
    }
}

extension TokenizerDefinition {
    /// Makes ids of texts in which merges meet: of each token's, of each with the next, and of runs of short ones.
    ///
    /// - Throws: `unsupported` where those of another definition are others, naming the text.
    fileprivate func requireSameIDs(as other: TokenizerDefinition) throws(TokenizerError) {
        guard case .sentencePiece = other.model else { return }
        let (got, want) = (try Tokenizer(self), try Tokenizer(other))
        let texts = tokens.map { String($0.text.map { $0 == "\u{2581}" ? " " : $0 }) }
        for (index, text) in texts.enumerated() {
            let next = texts[(index + 1) % texts.count]
            let run = text.unicodeScalars.count < 4 ? String(repeating: text, count: 9) : text
            for sample in [text, text + next, run + next] where try got.encode(sample) != want.encode(sample) {
                throw .unsupported(
                    path: path, feature: "a tokenizer.json",
                    found: "pieces whose merges depend on the text, as in "
                        + sample.quoted, known: ["vocabularies whose merges can be listed in one order"])
            }
        }
    }
}
