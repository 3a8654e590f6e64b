extension PreTokenizer {
    private static let known = [
        "ByteLevel", "Digits", "Metaspace", "Punctuation", "Split", "Whitespace", "WhitespaceSplit", "Sequence",
    ]

    /// One step of `pre_tokenizer` in a tokenizer.json.
    init(_ place: JSONPlace) throws(TokenizerError) {
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
        case "Metaspace": self = try Self.metaspace(place)
        case "Punctuation":
            try place.refuseMembers(except: ["type", "behavior"])
            self = .punctuation(try place.member("behavior").map(SplitBehavior.init) ?? .isolated)
        case "Split":
            try place.refuseMembers(except: ["type", "pattern", "behavior", "invert"])
            self = .split(
                try TextPattern(place.required("pattern")), try SplitBehavior(place.required("behavior")),
                isInverted: try place.bool("invert"))
        case "Whitespace":
            try place.refuseMembers(except: ["type"])
            self = .whitespace
        case "WhitespaceSplit":
            try place.refuseMembers(except: ["type"])
            self = .whitespaceSplit
        default: throw place.unsupported(try place.type.quoted, known: Self.known)
        }
    }

    private static func metaspace(_ place: JSONPlace) throws(TokenizerError) -> PreTokenizer {
        // str_rep is what early versions had besides the replacement, which is the same.
        try place.refuseMembers(except: [
            "type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep",
        ])
        return .metaspace(
            replacement: try place.required("replacement").scalar, try PrependScheme(metaspace: place),
            splits: try place.bool("split", absent: true))
    }
}

extension PrependScheme {
    /// The scheme of a Metaspace.
    init(metaspace place: JSONPlace) throws(TokenizerError) {
        let scheme: PrependScheme
        if let member = place.member("prepend_scheme") {
            let text = try member.string
            guard let known = PrependScheme(rawValue: text) else {
                throw member.unsupported(text.quoted, known: Self.allCases.map(\.rawValue.quoted))
            }
            scheme = known
        } else {
            scheme = .always
        }
        guard try place.bool("add_prefix_space", absent: true) || scheme == .never else {
            throw place.malformed("add_prefix_space is false, and prepend_scheme is not \"never\"")
        }
        self = scheme
    }
}

extension SplitBehavior {
    fileprivate init(_ place: JSONPlace) throws(TokenizerError) {
        let text = try place.string
        guard let behavior = SplitBehavior(rawValue: text) else {
            throw place.unsupported(text.quoted, known: Self.allCases.map(\.rawValue.quoted))
        }
        self = behavior
    }
}
