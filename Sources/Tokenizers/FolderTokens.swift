import Checkpoints

/// What a Hugging Face folder says of its tokens beside the vocabulary: tokenizer_config.json, special_tokens_map.json and
/// added_tokens.json.
struct FolderTokens {
    private let settings: JSONPlace
    private let roles: JSONPlace?
    private let ids: JSONPlace?
    private let modelType: String?

    private static let roleNames = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]

    init(_ folder: HuggingFaceFolder) throws(TokenizerError) {
        settings = JSONPlace(
            path: "\(folder.path)/tokenizer_config.json", place: "",
            value: folder.tokenizerConfig ?? .object(JSONObject([])))
        roles = try Self.read(folder, "special_tokens_map.json")
        ids = try Self.read(folder, "added_tokens.json")
        modelType = folder.config["model_type"]?.string
    }

    private static func read(_ folder: HuggingFaceFolder, _ name: String) throws(TokenizerError) -> JSONPlace? {
        guard let path = folder.path(of: name) else { return nil }
        let place = try JSONPlace(reading: path)
        guard place.value.object != nil else { throw place.wrong("an object") }
        return place
    }

    /// The class of the model's own tokenizer, or where the folder does not say it the type of the model.
    ///
    /// - Throws: `unsupported` for a class that is not `known`: it may do more than its vocabulary says.
    func requireClass(_ known: [String], modelTypes: [String]) throws(TokenizerError) {
        if let name = try settings.member("tokenizer_class")?.string {
            let plain = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
            guard known.contains(plain) else {
                throw settings.unsupported("the tokenizer \(name.quoted) without a tokenizer.json", known: known)
            }
            return
        }
        guard let modelType, modelTypes.contains(modelType) else {
            throw settings.unsupported(
                "no tokenizer_class, and the model_type \(modelType?.quoted ?? "null"), without a tokenizer.json",
                known: known)
        }
    }

    /// A flag of tokenizer_config.json.
    func flag(_ name: String) throws(TokenizerError) -> Bool? {
        try settings.member(name) == nil ? nil : settings.bool(name)
    }

    func isOfModel(_ type: String) -> Bool { modelType == type }

    /// The text of a role such as `bos_token`: a string, or an object with the token's flags.
    func text(of role: String) -> String? {
        for place in [settings, roles].compactMap(\.self) {
            guard let token = place.member(role)?.value else { continue }
            if let text = token.string ?? token["content"]?.string { return text }
        }
        return nil
    }

    /// Tokens with special roles, whether they are in the vocabulary or not.
    var specialTexts: [String] {
        var texts = Self.roleNames.compactMap { text(of: $0) }
        for place in [settings, roles].compactMap(\.self) {
            for token in place.value["additional_special_tokens"]?.array ?? [] {
                if let text = token.string ?? token["content"]?.string { texts.append(text) }
            }
        }
        return texts
    }

    /// The tokens that are found in a text, with their ids.
    func added() throws(TokenizerError) -> [AddedToken] {
        if let decoder = settings.member("added_tokens_decoder") {
            guard let object = decoder.value.object else { throw decoder.wrong("an object") }
            var tokens: [AddedToken] = []
            for (key, value) in object.members {
                let place = JSONPlace(path: decoder.path, place: "\(decoder.place).\(key.legible)", value: value)
                guard let id = Int32(key), id >= 0 else { throw place.malformed("its key is no token id") }
                tokens.append(try AddedToken(described: place, id: id))
            }
            return tokens.sorted { $0.id < $1.id }
        }
        guard let ids, let object = ids.value.object else { return [] }
        let special = Set(specialTexts.map(ExactString.init))
        var tokens: [AddedToken] = []
        for (text, value) in object.members {
            let place = JSONPlace(path: ids.path, place: text.legible, value: value)
            let isSpecial = special.contains(ExactString(text))
            let token = AddedToken(content: text, id: try place.id, isSpecial: isSpecial, isNormalized: !isSpecial)
            try token.check(place)
            tokens.append(token)
        }
        return tokens.sorted { $0.id < $1.id }
    }
}

extension AddedToken {
    /// An element of `added_tokens_decoder`.
    fileprivate init(described place: JSONPlace, id: Int32) throws(TokenizerError) {
        try place.refuseMembers(except: ["content", "special", "single_word", "lstrip", "rstrip", "normalized"])
        self.init(content: try place.required("content").string, id: id, isSpecial: try place.bool("special"))
        try check(place)
        isSingleWord = try place.bool("single_word")
        stripsLeft = try place.bool("lstrip")
        stripsRight = try place.bool("rstrip")
        isNormalized = try place.bool("normalized", absent: !isSpecial)
    }

    fileprivate func check(_ place: JSONPlace) throws(TokenizerError) {
        guard !content.isEmpty, content.utf8.count <= Self.byteCountLimit else {
            throw place.malformed(
                "its content has \(content.utf8.count) bytes; expected 1 to \(Self.byteCountLimit)")
        }
    }
}
