import Checkpoints

extension TokenizerDefinition {
    /// Reads the metadata of a GGUF file: keys under `tokenizer.ggml`.
    init(_ file: GGUFFile) throws(TokenizerError) {
        let reader = GGUFTokenizerReader(metadata: file.metadata)
        if let definition = try Self(sentencePieceIn: reader) {
            self = definition
            return
        }
        self.init(path: file.file.path)
        let preTokenization = try reader.preTokenization()
        let types = try reader.tokenTypes()
        tokens = try reader.tokens(types)
        addedTokens = tokens.filter(\.isLiteral).map { token in
            AddedToken(
                content: token.text, id: token.id,
                isSpecial: types[Int(token.id)] != GGUFTokenizerReader.TokenType.userDefined.rawValue)
        }
        normalizers = preTokenization.normalizers
        preTokenizers = preTokenization.steps
        preTokenizationName = preTokenization.name
        decoders = preTokenization.decoders
        var definition = preTokenization.model
        definition.merges = try reader.merges()
        model = .bytePair(definition)
        beginningOfSequence = try reader.tokenID("bos_token_id", vocabularySize: tokens.count)
        let addsBeginning = try reader.flag("add_bos_token") ?? preTokenization.addsBeginningOfSequence
        sequencePrefix = try reader.added(beginningOfSequence, addsBeginning, "bos_token_id", "add_bos_token")
        let end = try reader.tokenID("eos_token_id", vocabularySize: tokens.count)
        sequenceSuffix = try reader.added(end, reader.flag("add_eos_token") ?? false, "eos_token_id", "add_eos_token")
    }
}

/// The tokenizer in the metadata of a GGUF file.
struct GGUFTokenizerReader {
    /// The values of `token_type`.
    enum TokenType: Int {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    let metadata: GGUFMetadata

    /// What other files ask for and is not done here.
    private static let refusedFlags = ["add_sep_token", "add_space_prefix"]

    private func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }

    private func read<T>(_ body: () throws(CheckpointError) -> T) throws(TokenizerError) -> T {
        do throws(CheckpointError) { return try body() } catch { throw .checkpoint(error) }
    }

    func model() throws(TokenizerError) -> String {
        try read { () throws(CheckpointError) in try metadata.string(key("model")) }
    }

    /// llama.cpp takes a file without the key for one of its "default", which is no model's own.
    func preTokenization() throws(TokenizerError) -> GGUFPreTokenization {
        let model = try model()
        guard ExactString(model) == ExactString("gpt2") || ExactString(model) == ExactString("gemma4") else {
            throw .unsupported(
                path: metadata.path, feature: key("model"), found: model.quoted,
                known: [
                    "\"gpt2\" (byte-level BPE)", "\"gemma4\"", "\"llama\" and \"t5\" (SentencePiece)",
                ])
        }
        let isGemma = ExactString(model) == ExactString("gemma4")
        for flag in Self.refusedFlags where try self.flag(flag) == true {
            throw .unsupported(path: metadata.path, feature: key(flag), found: "true", known: ["false"])
        }
        let name = try read { () throws(CheckpointError) in try metadata.stringIfPresent(key("pre")) }
        if let known = GGUFPreTokenization(named: name ?? (isGemma ? "gemma4" : "")) { return known }
        throw .unsupported(
            path: metadata.path, feature: key("pre"), found: name?.quoted ?? "a file without this key",
            known: GGUFPreTokenization.names.map(\.quoted))
    }

    func flag(_ name: String) throws(TokenizerError) -> Bool? {
        try read { () throws(CheckpointError) in try metadata.boolIfPresent(key(name)) }
    }

    func numbers(_ name: String) throws(TokenizerError) -> [Double] {
        try read { () throws(CheckpointError) in try metadata.numbers(key(name)) }
    }

    /// Bytes; none where the key is not there.
    func bytes(_ name: String) throws(TokenizerError) -> [UInt8] {
        let values = try read { () throws(CheckpointError) in try metadata.integersIfPresent(key(name)) } ?? []
        return values.map { UInt8(truncatingIfNeeded: $0) }
    }

    /// What llama.cpp takes where the file does not say it, if the vocabulary has it.
    func defaultID(_ id: Int32, vocabularySize: Int) -> Int32? { id < vocabularySize ? id : nil }

    /// Whether the model's name is Phi-3's.
    var isOfPhi3: Bool {
        get throws(TokenizerError) {
            let name = try read { () throws(CheckpointError) in try metadata.stringIfPresent("general.name") } ?? ""
            return ["phi-3", "phi3"].contains { name.lowercased().contains($0) }
        }
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

    func tokenID(_ name: String, vocabularySize: Int) throws(TokenizerError) -> Int32? {
        guard let id = try read({ () throws(CheckpointError) in try metadata.integerIfPresent(key(name)) }) else {
            return nil
        }
        guard (0..<vocabularySize).contains(id) else {
            throw malformed(key(name), "\(id) is outside the vocabulary of \(vocabularySize) tokens")
        }
        return Int32(id)
    }

    /// The token, where it is added.
    func added(
        _ id: Int32?, _ isAdded: Bool, _ name: String, _ flag: String
    ) throws(TokenizerError) -> [Int32] {
        guard isAdded else { return [] }
        guard let id else { throw malformed(key(flag), "it is true, but there is no \(name)") }
        return [id]
    }

    func malformed(_ place: String, _ problem: String) -> TokenizerError {
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
