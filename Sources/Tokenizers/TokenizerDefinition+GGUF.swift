import Checkpoints

extension TokenizerDefinition {
    /// Reads the metadata of a GGUF file: keys under `tokenizer.ggml`.
    init(_ file: GGUFFile) throws(TokenizerError) {
        let reader = GGUFTokenizerReader(metadata: file.metadata)
        self.init(path: file.file.path)
        try reader.checkModel()
        preTokenizers = try reader.preTokenizers()
        let types = try reader.tokenTypes()
        tokens = try reader.tokens(types)
        model = .bytePair(BytePairDefinition(merges: try reader.merges()))
        decoders = [.byteLevel]
        addedTokens = tokens.filter(\.isLiteral).map { token in
            AddedToken(
                content: token.text, id: token.id,
                isSpecial: types[Int(token.id)] != GGUFTokenizerReader.TokenType.userDefined.rawValue)
        }
        let isAdded: Bool
        (beginningOfSequence, isAdded) = try reader.beginningOfSequence(vocabularySize: tokens.count)
        if isAdded, let beginningOfSequence { sequencePrefix = [beginningOfSequence] }
    }
}

/// The tokenizer in the metadata of a GGUF file.
private struct GGUFTokenizerReader {
    /// The values of `token_type`.
    enum TokenType: Int {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    let metadata: GGUFMetadata

    /// The pre-tokenizations by their names in `tokenizer.ggml.pre`.
    private static let preTokenizations: [(name: String, value: [PreTokenizer])] = [
        ("gpt-2", [.byteLevel(addsPrefixSpace: false, usesPattern: true)]),
        ("smollm", [.digits(individually: true), .byteLevel(addsPrefixSpace: false, usesPattern: true)]),
    ]

    /// What other files ask for and is not done here.
    private static let refusedFlags = ["add_eos_token", "add_sep_token", "add_space_prefix"]

    private func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }

    private func read<T>(_ body: () throws(CheckpointError) -> T) throws(TokenizerError) -> T {
        do throws(CheckpointError) { return try body() } catch { throw .checkpoint(error) }
    }

    func checkModel() throws(TokenizerError) {
        let model = try read { () throws(CheckpointError) in try metadata.string(key("model")) }
        guard ExactString(model) == ExactString("gpt2") else {
            throw .unsupported(
                path: metadata.path, feature: key("model"), found: model.quoted, known: ["\"gpt2\" (byte-level BPE)"])
        }
        for flag in Self.refusedFlags {
            let isSet = try read { () throws(CheckpointError) in try metadata.boolIfPresent(key(flag)) }
            if isSet == true {
                throw .unsupported(path: metadata.path, feature: key(flag), found: "true", known: ["false"])
            }
        }
    }

    /// llama.cpp takes a file without the key for one of its "default", which is no model's own.
    func preTokenizers() throws(TokenizerError) -> [PreTokenizer] {
        let name = try read { () throws(CheckpointError) in try metadata.stringIfPresent(key("pre")) }
        if let name, let known = Self.preTokenizations.first(where: { ExactString($0.name) == ExactString(name) }) {
            return known.value
        }
        throw .unsupported(
            path: metadata.path, feature: key("pre"), found: name?.quoted ?? "a file without this key",
            known: Self.preTokenizations.map(\.name.quoted))
    }

    func tokenTypes() throws(TokenizerError) -> [Int] {
        try read { () throws(CheckpointError) in try metadata.integers(key("token_type")) }
    }

    func tokens(_ types: [Int]) throws(TokenizerError) -> [TokenizerDefinition.Token] {
        let texts = try read { () throws(CheckpointError) in try metadata.strings(key("tokens")) }
        guard texts.count == types.count else {
            throw malformed(key("token_type"), "it has \(types.count) elements for \(texts.count) tokens")
        }
        var tokens: [TokenizerDefinition.Token] = []
        tokens.reserveCapacity(texts.count)
        for (index, type) in types.enumerated() {
            guard let type = TokenType(rawValue: type) else {
                throw malformed("\(key("token_type")), element \(index)", "\(type) is no token type; expected 1 to 6")
            }
            guard let text = texts.string(at: index), let id = Int32(exactly: index) else {
                throw malformed("\(key("tokens")), element \(index)", "it is not valid UTF-8")
            }
            let isLiteral = [.unknown, .control, .userDefined].contains(type)
            if isLiteral, text.isEmpty { throw malformed("\(key("tokens")), element \(index)", "it is empty") }
            if isLiteral, text.utf8.count > AddedToken.byteCountLimit {
                throw malformed(
                    "\(key("tokens")), element \(index)",
                    "it has \(text.utf8.count) bytes; expected at most \(AddedToken.byteCountLimit)")
            }
            tokens.append(TokenizerDefinition.Token(text: text, id: id, isLiteral: isLiteral))
        }
        return tokens
    }

    func merges() throws(TokenizerError) -> [(left: String, right: String)] {
        let texts = try read { () throws(CheckpointError) in try metadata.strings(key("merges")) }
        var merges: [(left: String, right: String)] = []
        merges.reserveCapacity(texts.count)
        for index in texts.indices {
            guard let text = texts.string(at: index), let merge = TokenizerDefinition.merge(text) else {
                throw malformed("\(key("merges")), element \(index)", "expected two tokens with a space between")
            }
            merges.append(merge)
        }
        return merges
    }

    func beginningOfSequence(vocabularySize: Int) throws(TokenizerError) -> (Int32?, Bool) {
        let id = try read { () throws(CheckpointError) in try metadata.integerIfPresent(key("bos_token_id")) }
        let isAdded = try read { () throws(CheckpointError) in try metadata.boolIfPresent(key("add_bos_token")) }
        if let id, !(0..<vocabularySize).contains(id) {
            throw malformed(key("bos_token_id"), "\(id) is outside the vocabulary of \(vocabularySize) tokens")
        }
        if isAdded == true, id == nil {
            throw malformed(key("add_bos_token"), "it is true, but there is no bos_token_id")
        }
        return (id.map { Int32($0) }, isAdded ?? false)
    }

    private func malformed(_ place: String, _ problem: String) -> TokenizerError {
        .malformed(path: metadata.path, place: place, problem: problem)
    }
}

extension TokenizerDefinition {
    /// The two tokens of "left right"; nil where there are not two.
    static func merge(_ text: String) -> (left: String, right: String)? {
        let parts = text.utf8.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return (String(Substring(parts[0])), String(Substring(parts[1])))
    }
}
