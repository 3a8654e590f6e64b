import Checkpoints

extension TokenizerDefinition {
    /// The definition as the `tokenizers` library writes it to a tokenizer.json.
    ///
    /// - Throws: `unsupported` for what that library cannot be asked for, `malformed` where two tokens have one text.
    func tokenizerJSON() throws(TokenizerError) -> JSON {
        var (normalizing, decoding): ([JSON], [JSON]) = ([], [])
        for step in normalizers { normalizing.append(try json(step)) }
        for step in decoders { decoding.append(try json(step)) }
        return [
            "version": "1.0", "truncation": nil, "padding": nil,
            "added_tokens": .array(addedTokens.sorted { $0.id < $1.id }.map(\.json)),
            "normalizer": Self.steps("normalizers", normalizing),
            "pre_tokenizer": Self.steps("pretokenizers", preTokenizers.map(\.json)),
            "post_processor": try template(), "decoder": Self.steps("decoders", decoding),
            "model": try modelJSON(),
        ]
    }

    /// One step as it is, several as a sequence, none as null.
    private static func steps(_ name: String, _ steps: [JSON]) -> JSON {
        guard steps.count > 1 else { return steps.first ?? .null }
        return .object(JSONObject([("type", "Sequence"), (name, .array(steps))]))
    }

    private func refusal(_ feature: String) -> TokenizerError {
        .unsupported(path: path, feature: feature, found: "a tokenizer.json to be written", known: [])
    }
}

// MARK: - The model

extension TokenizerDefinition {
    private func modelJSON() throws(TokenizerError) -> JSON {
        guard case .bytePair(let definition) = model else { throw refusal("a model that is no byte-pair encoding") }
        guard !definition.takesLineFeedsWhole else { throw refusal("line feeds that are taken whole") }
        return [
            "type": "BPE", "dropout": nil, "unk_token": definition.unknownToken.map(JSON.string) ?? nil,
            "continuing_subword_prefix": definition.continuingPrefix.isEmpty
                ? nil : .string(definition.continuingPrefix),
            "end_of_word_suffix": definition.endSuffix.isEmpty ? nil : .string(definition.endSuffix),
            "fuse_unk": .bool(definition.fusesUnknown), "byte_fallback": .bool(definition.fallsBackToBytes),
            "ignore_merges": .bool(definition.ignoresMerges), "vocab": .object(try vocabulary()),
            "merges": .array(definition.merges.map { [.string($0.left), .string($0.right)] }),
        ]
    }

    private func vocabulary() throws(TokenizerError) -> JSONObject {
        let tokens = tokens.filter(\.isOfModel).sorted { $0.id < $1.id }
        let object = JSONObject(tokens.lazy.map { ($0.text, .integer(Int($0.id))) })
        guard object.count == tokens.count else {
            throw .malformed(path: path, place: "the vocabulary", problem: "two of its tokens have the same text")
        }
        return object
    }

    /// What is put around sequences: around each of two the same.
    private func template() throws(TokenizerError) -> JSON {
        let ids = sequencePrefix + sequenceSuffix
        guard !ids.isEmpty else { return nil }
        var texts: [Int32: String] = [:]
        for token in tokens where ids.contains(token.id) { texts[token.id] = token.text }
        func part(_ id: Int32, _ type: Int) -> JSON {
            ["SpecialToken": ["id": .string(texts[id] ?? ""), "type_id": .integer(type)]]
        }
        func sequence(_ name: String, _ type: Int) -> [JSON] {
            sequencePrefix.map { part($0, type) }
                + [["Sequence": ["id": .string(name), "type_id": .integer(type)]]]
                + sequenceSuffix.map { part($0, type) }
        }
        let tokens = texts.sorted { $0.key < $1.key }.map { id, text in
            (text, ["id": .string(text), "ids": [.integer(Int(id))], "tokens": [.string(text)]] as JSON)
        }
        return [
            "type": "TemplateProcessing", "single": .array(sequence("A", 0)),
            "pair": .array(sequence("A", 0) + sequence("B", 1)), "special_tokens": .object(JSONObject(tokens)),
        ]
    }
}

extension AddedToken {
    fileprivate var json: JSON {
        .object(JSONObject([("id", .integer(Int(id)))] + flags.members.map { ($0.key, $0.value) }))
    }

    /// What the token is and how it is found.
    var flags: JSONObject {
        [
            "content": .string(content), "single_word": .bool(isSingleWord), "lstrip": .bool(stripsLeft),
            "rstrip": .bool(stripsRight), "normalized": .bool(isNormalized), "special": .bool(isSpecial),
        ]
    }
}

// MARK: - Steps

extension TokenizerDefinition {
    private func json(_ step: Normalizer) throws(TokenizerError) -> JSON {
        switch step {
        case .form(let form): ["type": .string(form.rawValue)]
        case .lowercase: ["type": "Lowercase"]
        case .stripAccents: ["type": "StripAccents"]
        case .strip(let left, let right):
            ["type": "Strip", "strip_left": .bool(left), "strip_right": .bool(right)]
        case .replace(let pattern, let text):
            ["type": "Replace", "pattern": pattern.json, "content": .string(text)]
        case .prepend(let text): ["type": "Prepend", "prepend": .string(text)]
        case .byteLevel: ["type": "ByteLevel"]
        case .precompiled: throw refusal("a map of characters")
        }
    }

    private func json(_ step: TokenDecoder) throws(TokenizerError) -> JSON {
        switch step {
        case .byteLevel:
            ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true]
        case .byteFallback: ["type": "ByteFallback"]
        case .metaspace(let replacement, let scheme):
            PreTokenizer.metaspace(replacement: replacement, scheme, splits: true).json
        case .fuse: ["type": "Fuse"]
        case .strip(let scalar, let start, let end):
            ["type": "Strip", "content": .string(String(scalar)), "start": .integer(start), "stop": .integer(end)]
        case .replace(let pattern, let text):
            ["type": "Replace", "pattern": pattern.json, "content": .string(text)]
        case .sentencePiece: throw refusal("a text put together of SentencePiece's pieces")
        }
    }
}

extension PreTokenizer {
    fileprivate var json: JSON {
        switch self {
        case .split(let pattern, let behavior, let isInverted):
            [
                "type": "Split", "pattern": pattern.json, "behavior": .string(behavior.rawValue),
                "invert": .bool(isInverted),
            ]
        case .byteLevel(let addsPrefixSpace, let usesPattern):
            [
                "type": "ByteLevel", "add_prefix_space": .bool(addsPrefixSpace), "trim_offsets": true,
                "use_regex": .bool(usesPattern),
            ]
        case .metaspace(let replacement, let scheme, let splits):
            [
                "type": "Metaspace", "replacement": .string(String(replacement)),
                "prepend_scheme": .string(scheme.rawValue), "split": .bool(splits),
            ]
        case .digits(let individually): ["type": "Digits", "individual_digits": .bool(individually)]
        case .punctuation(let behavior): ["type": "Punctuation", "behavior": .string(behavior.rawValue)]
        case .whitespace: ["type": "Whitespace"]
        case .whitespaceSplit: ["type": "WhitespaceSplit"]
        }
    }
}

extension TextPattern {
    fileprivate var json: JSON {
        switch self {
        case .literal(let text): ["String": .string(text)]
        case .regularExpression(let text): ["Regex": .string(text)]
        }
    }
}
