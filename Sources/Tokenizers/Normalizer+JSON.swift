extension Normalizer {
    private static let known = [
        "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Replace", "Prepend", "ByteLevel",
        "Precompiled",
        "Sequence",
    ]

    /// One step of `normalizer` in a tokenizer.json.
    init(_ place: JSONPlace) throws(TokenizerError) {
        let type = try place.type
        if let form = NormalizationForm(rawValue: type) {
            try place.refuseMembers(except: ["type"])
            self = .form(form)
            return
        }
        switch type {
        case "Lowercase":
            try place.refuseMembers(except: ["type"])
            self = .lowercase
        case "StripAccents":
            try place.refuseMembers(except: ["type"])
            self = .stripAccents
        case "Strip":
            try place.refuseMembers(except: ["type", "strip_left", "strip_right"])
            self = .strip(left: try place.requiredBool("strip_left"), right: try place.requiredBool("strip_right"))
        case "Replace":
            try place.refuseMembers(except: ["type", "pattern", "content"])
            self = .replace(
                try TextPattern(place.required("pattern")), with: try place.required("content").shortString)
        case "Prepend":
            try place.refuseMembers(except: ["type", "prepend"])
            self = .prepend(try place.required("prepend").shortString)
        case "ByteLevel":
            try place.refuseMembers(except: ["type"])
            self = .byteLevel
        case "Precompiled":
            try place.refuseMembers(except: ["type", "precompiled_charsmap"])
            self = .precompiled(try place.required("precompiled_charsmap").characterMap)
        default: throw place.unsupported(type.quoted, known: Self.known)
        }
    }
}

extension TextPattern {
    /// `{"String": " "}` or `{"Regex": "\\s+"}`.
    init(_ place: JSONPlace) throws(TokenizerError) {
        try place.refuseMembers(except: ["String", "Regex"])
        if let text = place.member("String") {
            self = .literal(try text.string)
        } else {
            self = .regularExpression(try place.required("Regex").string)
        }
    }
}

extension JSONPlace {
    /// Far beyond what real files put into texts.
    private static let byteCountLimit = 1024

    /// What is put into texts.
    var shortString: String {
        get throws(TokenizerError) {
            let text = try string
            guard text.utf8.count <= Self.byteCountLimit else {
                throw malformed("it has \(text.utf8.count) bytes; expected at most \(Self.byteCountLimit)")
            }
            return text
        }
    }

    /// A map of characters in base 64.
    fileprivate var characterMap: CharacterMap {
        get throws(TokenizerError) {
            guard let bytes = Base64.decode(try string) else { throw malformed("it is not base 64") }
            do throws(CharacterMap.Failure) { return try CharacterMap(bytes) } catch { throw malformed(error.problem) }
        }
    }

    /// What stands for a space, or is taken off.
    var scalar: Unicode.Scalar {
        get throws(TokenizerError) {
            let scalars = try string.unicodeScalars
            guard let scalar = scalars.first, scalars.count == 1 else { throw wrong("one character") }
            return scalar
        }
    }

    func requiredBool(_ key: String) throws(TokenizerError) -> Bool {
        let member = try required(key)
        guard let bool = member.value.bool else { throw member.wrong("a boolean") }
        return bool
    }
}
