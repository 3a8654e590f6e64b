import Checkpoints

extension TokenizerDefinition {
    /// Reads the tokenizer of a folder: tokenizer.json, or where there is none tokenizer.model, or vocab.json with
    /// merges.txt.
    init(_ folder: HuggingFaceFolder) throws(TokenizerError) {
        if let path = folder.tokenizerPath {
            try self.init(tokenizerJSON: path)
            guard beginningOfSequence == nil, let text = try FolderTokens(folder).text(of: "bos_token") else { return }
            beginningOfSequence = tokens.first { ExactString($0.text) == ExactString(text) }?.id
        } else if let path = folder.path(of: "tokenizer.model") {
            try self.init(sentencePieceModel: path, FolderTokens(folder))
        } else if let vocabulary = folder.path(of: "vocab.json"), let merges = folder.path(of: "merges.txt") {
            try self.init(vocabulary: vocabulary, merges: merges, FolderTokens(folder))
        } else if let path = folder.path(of: "tekken.json") {
            throw .unsupported(
                path: path, feature: "the whole file", found: "a Tekken vocabulary of mistral-common",
                known: ["tokenizer.json", "tokenizer.model", "vocab.json with merges.txt"])
        } else {
            throw .noTokenizer(path: folder.path)
        }
    }

    /// Adds what is found in the text before the model sees it; a token of the vocabulary keeps its id.
    fileprivate mutating func add(_ folder: FolderTokens, path: String) throws(TokenizerError) {
        var ids: [ExactString: Int32] = [:]
        for token in tokens { ids[ExactString(token.text)] = token.id }
        for token in addedTokens { ids[ExactString(token.content)] = token.id }
        func add(_ token: AddedToken) throws(TokenizerError) {
            let content = ExactString(token.content)
            guard let id = ids[content] else {
                ids[content] = token.id
                tokens.append(Token(text: token.content, id: token.id, isLiteral: true, isOfModel: false))
                addedTokens.append(token)
                return
            }
            guard id == token.id else {
                throw .malformed(
                    path: path, place: "token \(token.content.quoted)",
                    problem: "it is added with the id \(token.id), and has the id \(id) in the vocabulary")
            }
            if let place = addedTokens.firstIndex(where: { ExactString($0.content) == content }) {
                addedTokens[place] = token
            } else {
                addedTokens.append(token)
            }
        }
        for token in try folder.added() { try add(token) }
        // A token of a special role that has no id anywhere is text.
        let known = Set(addedTokens.map { ExactString($0.content) })
        for text in folder.specialTexts where !known.contains(ExactString(text)) {
            if let id = ids[ExactString(text)], !addedTokens.contains(where: { $0.id == id }) {
                try add(AddedToken(content: text, id: id, isSpecial: true))
            }
        }
    }

    fileprivate func id(of role: String, _ folder: FolderTokens) -> Int32? {
        guard let text = folder.text(of: role) else { return nil }
        return addedTokens.first { ExactString($0.content) == ExactString(text) }?.id
            ?? tokens.first { ExactString($0.text) == ExactString(text) }?.id
    }

    /// What the model's own tokenizer puts around a sequence.
    fileprivate mutating func surround(_ folder: FolderTokens, addsBeginning: Bool) throws(TokenizerError) {
        if try folder.flag("add_bos_token") ?? addsBeginning, let beginningOfSequence {
            sequencePrefix = [beginningOfSequence]
        }
        if try folder.flag("add_eos_token") ?? false, let end = id(of: "eos_token", folder) { sequenceSuffix = [end] }
    }
}

// MARK: - tokenizer.model

extension TokenizerDefinition {
    /// The classes of `transformers` that encode as the SentencePiece library does, with a beginning of the sequence.
    private static let sentencePieceClasses = ["LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer"]
    private static let sentencePieceModels = [
        "llama", "mistral", "mixtral", "gemma", "gemma2", "gemma3_text", "gemma3",
    ]

    /// A tokenizer.model in a folder without tokenizer.json.
    ///
    /// `legacy` in tokenizer_config.json is as in `transformers`: true, which it is where the file does not say it, encodes
    /// what lies between added tokens as texts of their own, each with the model's space in front; false puts a space
    /// only in front of a text, and none where it starts with an added token.
    fileprivate init(sentencePieceModel path: String, _ folder: FolderTokens) throws(TokenizerError) {
        try folder.requireClass(Self.sentencePieceClasses, modelTypes: Self.sentencePieceModels)
        var model = try SentencePieceModel(path: path)
        if try folder.flag("legacy") == false {
            model.normalization.addsDummyPrefix = try folder.flag("add_prefix_space") ?? true
            model.normalization.prefixesFirstOnly = true
        }
        try self.init(model, path: path)
        try add(folder, path: path)
        beginningOfSequence = id(of: "bos_token", folder) ?? id(of: "<s>") ?? id(of: "<bos>")
        try surround(folder, addsBeginning: true)
    }
}

// MARK: - vocab.json and merges.txt

extension TokenizerDefinition {
    private static let bytePairClasses = ["GPT2Tokenizer", "CodeGenTokenizer"]
    private static let bytePairModels = ["gpt2", "gptj", "gpt_neo", "codegen", "opt"]

    /// The files of GPT-2 and of what followed it.
    fileprivate init(vocabulary: String, merges: String, _ folder: FolderTokens) throws(TokenizerError) {
        try folder.requireClass(Self.bytePairClasses, modelTypes: Self.bytePairModels)
        self.init(path: vocabulary)
        try readVocabulary(JSONPlace(reading: vocabulary))
        model = .bytePair(BytePairDefinition(merges: try Self.merges(file: merges)))
        let addsSpace = try folder.flag("add_prefix_space") ?? false
        preTokenizers = [.byteLevel(addsPrefixSpace: addsSpace, usesPattern: true)]
        decoders = [.byteLevel]
        try add(folder, path: vocabulary)
        // The end of a text, where the folder names no special tokens, as the model's own tokenizer has it.
        let end = "<|endoftext|>"
        if folder.specialTexts.isEmpty, id(of: end) == nil,
            let token = tokens.first(where: { ExactString($0.text) == ExactString(end) })
        {
            addedTokens.append(AddedToken(content: end, id: token.id, isSpecial: true))
        }
        beginningOfSequence = id(of: "bos_token", folder) ?? id(of: end)
        try surround(folder, addsBeginning: folder.isOfModel("opt"))
    }

    /// The lines of merges.txt, `left right`, after a first one that says `#version`.
    private static func merges(file path: String) throws(TokenizerError) -> [(left: String, right: String)] {
        let file: MappedFile
        do throws(CheckpointError) { file = try MappedFile(path) } catch { throw .checkpoint(error) }
        let text = try SourceText(file)
        var merges: [(left: String, right: String)] = []
        let lines = text.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty && !line.starts(with: "#version".utf8) {
            guard let merge = merge(String(decoding: line, as: UTF8.self)) else {
                throw .malformed(
                    path: path, place: "line \(index + 1)", problem: "expected two tokens with a space between")
            }
            merges.append(merge)
        }
        return merges
    }
}

extension JSONPlace {
    /// A file.
    init(reading path: String) throws(TokenizerError) {
        do throws(CheckpointError) {
            self.init(path: path, place: "", value: try JSON.read(path))
        } catch {
            throw .checkpoint(error)
        }
    }
}
