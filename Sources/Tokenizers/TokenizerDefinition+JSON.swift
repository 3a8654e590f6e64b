import Checkpoints

extension TokenizerDefinition {
    /// Reads the tokenizer.json of a folder, and the name of the beginning-of-sequence token in tokenizer_config.json.
    init(_ folder: HuggingFaceFolder) throws(TokenizerError) {
        guard let path = folder.tokenizerPath else { throw .noTokenizer(path: folder.path) }
        try self.init(tokenizerJSON: path)
        guard beginningOfSequence == nil, let token = folder.tokenizerConfig?["bos_token"] else { return }
        // Written as a string, or as an object with the token's flags.
        guard let text = token.string ?? token["content"]?.string else { return }
        beginningOfSequence = tokens.first { ExactString($0.text) == ExactString(text) }?.id
    }

    /// Reads a file that the `tokenizers` library writes. Truncation and padding are not looked at: they are settings
    /// of a call, which `transformers` does not take from the file either.
    init(tokenizerJSON path: String) throws(TokenizerError) {
        let root: JSONPlace
        do throws(CheckpointError) {
            root = JSONPlace(path: path, place: "", value: try JSON.read(path))
        } catch {
            throw .checkpoint(error)
        }
        try self.init(root)
    }

    init(_ root: JSONPlace) throws(TokenizerError) {
        self.init(path: root.path)
        try root.refuseMembers(except: [
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder",
            "model",
        ])
        if let normalizer = root.member("normalizer") {
            throw normalizer.unsupported(try normalizer.type.quoted, known: ["null"])
        }
        preTokenizers = try PreTokenizer.list(root.required("pre_tokenizer"))
        let decoder = try root.required("decoder")
        guard try decoder.type == "ByteLevel" else {
            throw decoder.unsupported(try decoder.type.quoted, known: ["ByteLevel"])
        }
        decoders = [.byteLevel]
        try readModel(root.required("model"))
        if let added = root.member("added_tokens") { try readAddedTokens(added) }
        if let processor = root.member("post_processor") { try readPostProcessor(processor) }
    }
}

// MARK: - The model

extension TokenizerDefinition {
    private mutating func readModel(_ model: JSONPlace) throws(TokenizerError) {
        // Files of early versions have no type.
        if let type = try model.member("type")?.string, type != "BPE" {
            throw model.unsupported(type.quoted, known: ["BPE"])
        }
        try model.refuseMembers(except: [
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges",
        ])
        if let dropout = model.member("dropout"), dropout.value.number != 0 {
            throw dropout.unsupported("random merges", known: ["null", "0"])
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = model.member(key), try !affix.string.isEmpty {
                throw affix.unsupported(try affix.string.quoted, known: ["null", "\"\""])
            }
        }
        if try model.bool("byte_fallback") {
            throw model.unsupported("byte_fallback true", known: ["byte_fallback false"])
        }
        try readVocabulary(model.required("vocab"))
        self.model = .bytePair(
            BytePairDefinition(
                merges: try Self.merges(model.required("merges")), unknownToken: try model.member("unk_token")?.string,
                fusesUnknown: try model.bool("fuse_unk"), ignoresMerges: try model.bool("ignore_merges")))
    }

    private mutating func readVocabulary(_ vocabulary: JSONPlace) throws(TokenizerError) {
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

// MARK: - Pre-tokenization

extension PreTokenizer {
    /// ByteLevel, alone or after Digits.
    fileprivate static func list(_ place: JSONPlace) throws(TokenizerError) -> [PreTokenizer] {
        guard try place.type == "Sequence" else { return [try PreTokenizer(place)] }
        try place.refuseMembers(except: ["type", "pretokenizers"])
        var steps: [PreTokenizer] = []
        for step in try place.required("pretokenizers").elements { steps.append(try PreTokenizer(step)) }
        return steps
    }

    private init(_ place: JSONPlace) throws(TokenizerError) {
        switch try place.type {
        case "ByteLevel":
            // trim_offsets concerns offsets only.
            try place.refuseMembers(except: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
            self = .byteLevel(
                addsPrefixSpace: try place.bool("add_prefix_space", absent: true),
                usesPattern: try place.bool("use_regex", absent: true))
        case "Digits":
            try place.refuseMembers(except: ["type", "individual_digits"])
            self = .digits(individually: try place.bool("individual_digits"))
        default:
            throw place.unsupported(try place.type.quoted, known: ["ByteLevel", "Digits before ByteLevel"])
        }
    }
}

// MARK: - Post-processing

extension TokenizerDefinition {
    /// A template that puts one token, the beginning of the sequence, in front; ByteLevel concerns offsets only.
    private mutating func readPostProcessor(_ place: JSONPlace, depth: Int = 1) throws(TokenizerError) {
        switch try place.type {
        case "ByteLevel": return
        case "TemplateProcessing": try readTemplate(place)
        case "Sequence":
            guard depth <= Self.sequenceDepthLimit else {
                throw place.unsupported(
                    "more than \(Self.sequenceDepthLimit) sequences inside each other", known: ["a sequence of steps"])
            }
            for step in try place.required("processors").elements { try readPostProcessor(step, depth: depth + 1) }
        default:
            throw place.unsupported(try place.type.quoted, known: ["ByteLevel", "TemplateProcessing", "Sequence"])
        }
    }

    /// Real files have one; the place of a step in a message has a part for each.
    private static let sequenceDepthLimit = 8

    private mutating func readTemplate(_ place: JSONPlace) throws(TokenizerError) {
        let template = try place.required("single")
        let steps = try template.elements
        let known = ["the sequence", "one token and the sequence"]
        guard let last = steps.last, last.member("Sequence") != nil, steps.count <= 2 else {
            throw template.unsupported("a template of \(steps.count) other parts", known: known)
        }
        guard steps.count == 2 else { return }
        guard sequencePrefix.isEmpty, let special = steps[0].member("SpecialToken") else {
            throw template.unsupported("another template", known: known)
        }
        let name = try special.required("id").string
        let ids = try place.required("special_tokens").required(name).required("ids").elements
        guard ids.count == 1 else { throw template.unsupported("\(ids.count) tokens in front", known: known) }
        let id = try ids[0].id
        guard tokens.contains(where: { $0.id == id }) else {
            throw ids[0].malformed("the id \(id) is not in the vocabulary")
        }
        beginningOfSequence = id
        sequencePrefix = [id]
    }
}
