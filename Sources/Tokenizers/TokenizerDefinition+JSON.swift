import Checkpoints

extension TokenizerDefinition {
    /// Reads a file that the `tokenizers` library writes. Truncation and padding are not looked at: they are settings
    /// of a call, which `transformers` does not take from the file either.
    init(tokenizerJSON path: String) throws(TokenizerError) {
        try self.init(JSONPlace(reading: path))
    }

    init(_ root: JSONPlace) throws(TokenizerError) {
        self.init(path: root.path)
        try root.refuseMembers(except: [
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder",
            "model",
        ])
        normalizers = try JSONSteps(members: "normalizers").list(root.member("normalizer")) {
            step throws(TokenizerError) in
            try Normalizer(step)
        }
        preTokenizers = try JSONSteps(members: "pretokenizers").list(root.member("pre_tokenizer")) {
            step throws(TokenizerError) in try PreTokenizer(step)
        }
        decoders = try JSONSteps(members: "decoders").list(root.required("decoder")) { step throws(TokenizerError) in
            try TokenDecoder(step)
        }
        try readModel(root.required("model"))
        if let added = root.member("added_tokens") { try readAddedTokens(added) }
        let processors = try JSONSteps(members: "processors").list(root.member("post_processor")) {
            step throws(TokenizerError) in try SequenceTemplate(step)
        }
        try readTemplates(processors.compactMap(\.self), root)
    }

    /// What is put around a sequence.
    private mutating func readTemplates(
        _ templates: [SequenceTemplate], _ root: JSONPlace
    ) throws(TokenizerError) {
        guard let template = templates.first else { return }
        let place = try root.required("post_processor")
        guard templates.count == 1 else {
            throw place.unsupported("\(templates.count) steps that add tokens", known: ["one step that adds tokens"])
        }
        for id in template.prefix + template.suffix where !tokens.contains(where: { $0.id == id }) {
            throw place.malformed("the id \(id) is not in the vocabulary")
        }
        (sequencePrefix, sequenceSuffix) = (template.prefix, template.suffix)
        beginningOfSequence = template.prefix.first
    }
}

// MARK: - The model

extension TokenizerDefinition {
    private mutating func readModel(_ model: JSONPlace) throws(TokenizerError) {
        // Files of early versions have no type.
        let type = try model.member("type")?.string ?? "BPE"
        guard type != "Unigram" else {
            let definition = try UnigramDefinition(model)
            tokens = try definition.tokens(model)
            self.model = .unigram(definition)
            return
        }
        guard type == "BPE" else { throw model.unsupported(type.quoted, known: ["BPE", "Unigram"]) }
        try model.refuseMembers(except: [
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges",
        ])
        if let dropout = model.member("dropout"), dropout.value.number != 0 {
            throw dropout.unsupported("random merges", known: ["null", "0"])
        }
        try readVocabulary(model.required("vocab"))
        var definition = BytePairDefinition(merges: try Self.merges(model.required("merges")))
        definition.unknownToken = try model.member("unk_token")?.string
        definition.fusesUnknown = try model.bool("fuse_unk")
        definition.fallsBackToBytes = try model.bool("byte_fallback")
        definition.ignoresMerges = try model.bool("ignore_merges")
        definition.continuingPrefix = try model.affix("continuing_subword_prefix")
        definition.endSuffix = try model.affix("end_of_word_suffix")
        let hasAffixes = definition.continuingPrefix + definition.endSuffix != ""
        if hasAffixes, definition.fallsBackToBytes {
            throw model.unsupported("byte_fallback with a prefix or suffix", known: ["one of them"])
        }
        self.model = .bytePair(definition)
    }

    mutating func readVocabulary(_ vocabulary: JSONPlace) throws(TokenizerError) {
        guard let object = vocabulary.value.object else { throw vocabulary.wrong("an object") }
        tokens.reserveCapacity(object.count)
        for (text, value) in object.members {
            guard let id = value.integer.flatMap({ Int32(exactly: $0) }), id >= 0, id < .max else {
                throw vocabulary.malformed("token \(text.quoted): expected an id of at least 0, found \(value.kind)")
            }
            tokens.append(Token(text: text, id: id))
        }
    }

    private static func merges(_ merges: JSONPlace) throws(TokenizerError) -> [(left: String, right: String)] {
        guard let array = merges.value.array else { throw merges.wrong("an array") }
        var result: [(left: String, right: String)] = []
        result.reserveCapacity(array.count)
        for (index, value) in array.enumerated() {
            guard let merge = merge(value) else {
                throw merges.malformed(
                    "element \(index): expected two tokens, as \"a b\" or [\"a\", \"b\"], found \(value.kind)")
            }
            result.append(merge)
        }
        return result
    }

    private static func merge(_ value: JSON) -> (left: String, right: String)? {
        if let text = value.string { return merge(text) }
        guard let pair = value.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string else {
            return nil
        }
        return (left, right)
    }
}

// MARK: - Added tokens

extension TokenizerDefinition {
    /// The ids have to be those that the `tokenizers` library gives, which counts on where a file has other ones: a
    /// token of the vocabulary keeps its id, any other has the next one.
    private mutating func readAddedTokens(_ added: JSONPlace) throws(TokenizerError) {
        var ids: [ExactString: Int32] = [:]
        for token in tokens { ids[ExactString(token.text)] = token.id }
        let vocabularyCount = tokens.count
        var next = Int32(clamping: vocabularyCount)
        var contents: Set<ExactString> = []
        for element in try added.elements {
            let token = try AddedToken(element)
            let content = ExactString(token.content)
            guard contents.insert(content).inserted else {
                throw element.malformed("\(token.content.quoted) was added before")
            }
            let expected = ids[content] ?? next
            guard token.id == expected else {
                throw element.malformed("\(token.content.quoted) has the id \(token.id); expected \(expected)")
            }
            // The last id of all has no next one; a token that would have it is refused with the vocabulary.
            if token.id >= vocabularyCount, token.id < .max { next = max(next, token.id + 1) }
            if ids[content] == nil {
                tokens.append(Token(text: token.content, id: token.id, isLiteral: true, isOfModel: false))
            }
            addedTokens.append(token)
        }
    }
}

extension AddedToken {
    fileprivate init(_ place: JSONPlace) throws(TokenizerError) {
        try place.refuseMembers(except: [
            "id", "content", "special", "single_word", "lstrip", "rstrip", "normalized",
        ])
        content = try place.required("content").string
        guard !content.isEmpty else { throw place.malformed("its content is empty") }
        guard content.utf8.count <= Self.byteCountLimit else {
            throw place.malformed(
                "its content has \(content.utf8.count) bytes; expected at most \(Self.byteCountLimit)")
        }
        id = try place.required("id").id
        isSpecial = try place.bool("special")
        isSingleWord = try place.bool("single_word")
        stripsLeft = try place.bool("lstrip")
        stripsRight = try place.bool("rstrip")
        isNormalized = try place.bool("normalized", absent: !isSpecial)
    }
}

extension JSONPlace {
    /// What is put to the texts of symbols: "##", or "" where there is nothing.
    fileprivate func affix(_ key: String) throws(TokenizerError) -> String {
        guard let member = member(key) else { return "" }
        let text = try member.string
        // The reference library cuts it off by its characters, as if they were bytes.
        guard text.utf8.count <= 64, text.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw member.unsupported(text.quoted, known: ["up to 64 ASCII characters"])
        }
        return text
    }
}
