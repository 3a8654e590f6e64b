extension TokenDecoder {
    private static let known = ["ByteLevel", "ByteFallback", "Fuse", "Metaspace", "Replace", "Strip", "Sequence"]

    /// One step of `decoder` in a tokenizer.json.
    init(_ place: JSONPlace) throws(TokenizerError) {
        switch try place.type {
        case "ByteLevel":
            // What it has besides concerns the pre-tokenizer of this name.
            try place.refuseMembers(except: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
            self = .byteLevel
        case "ByteFallback":
            try place.refuseMembers(except: ["type"])
            self = .byteFallback
        case "Fuse":
            try place.refuseMembers(except: ["type"])
            self = .fuse
        case "Metaspace":
            try place.refuseMembers(except: [
                "type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep",
            ])
            self = .metaspace(
                replacement: try place.required("replacement").scalar, try PrependScheme(metaspace: place))
        case "Replace":
            try place.refuseMembers(except: ["type", "pattern", "content"])
            self = .replace(
                try TextPattern(place.required("pattern")), with: try place.required("content").shortString)
        case "Strip":
            try place.refuseMembers(except: ["type", "content", "start", "stop"])
            self = .strip(
                try place.required("content").scalar, start: try place.count("start"), end: try place.count("stop"))
        default: throw place.unsupported(try place.type.quoted, known: Self.known)
        }
    }
}

extension JSONPlace {
    fileprivate func count(_ key: String) throws(TokenizerError) -> Int {
        let member = try required(key)
        guard let count = member.value.integer, count >= 0 else { throw member.wrong("a count") }
        return count
    }
}
