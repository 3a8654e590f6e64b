import Checkpoints

/// A value in a tokenizer.json with its place, for messages: members are asked for by name, and any other is refused,
/// because what it means is not known.
struct JSONPlace {
    let path: String
    let place: String
    let value: JSON

    /// The member, or nil where it is absent or null.
    func member(_ key: String) -> JSONPlace? {
        guard let value = value[key], !value.isNull else { return nil }
        return JSONPlace(path: path, place: place.isEmpty ? key.legible : "\(place).\(key.legible)", value: value)
    }

    /// - Throws: `malformed` where this is not an object or lacks the member.
    func required(_ key: String) throws(TokenizerError) -> JSONPlace {
        guard value.object != nil else { throw wrong("an object") }
        guard let member = member(key) else { throw malformed("it has no \(key.quoted)") }
        return member
    }

    /// The elements, each made when it is asked for: many with the place that deep nesting gives them would take much
    /// more than the file.
    var elements: LazyMapCollection<Range<Int>, JSONPlace> {
        get throws(TokenizerError) {
            guard let array = value.array else { throw wrong("an array") }
            return array.indices.lazy.map { index in
                JSONPlace(path: path, place: "\(place)[\(index)]", value: array[index])
            }
        }
    }

    var string: String {
        get throws(TokenizerError) {
            guard let string = value.string else { throw wrong("a string") }
            return string
        }
    }

    /// A token id.
    var id: Int32 {
        get throws(TokenizerError) {
            guard let id = value.integer.flatMap({ Int32(exactly: $0) }), id >= 0 else { throw wrong("a token id") }
            return id
        }
    }

    /// The member, or `absent` where it is absent or null.
    func bool(_ key: String, absent: Bool = false) throws(TokenizerError) -> Bool {
        guard let member = member(key) else { return absent }
        guard let bool = member.value.bool else { throw member.wrong("a boolean") }
        return bool
    }

    /// The member named `type`.
    var type: String {
        get throws(TokenizerError) { try required("type").string }
    }

    /// - Throws: `unsupported` for a member that is not in `known` and not null.
    func refuseMembers(except known: [String]) throws(TokenizerError) {
        guard let object = value.object else { throw wrong("an object") }
        for (key, value) in object.members where !value.isNull && !known.contains(where: { $0 == key }) {
            throw .unsupported(
                path: path, feature: place.isEmpty ? "the whole file" : place, found: "a member \(key.quoted)",
                known: known)
        }
    }

    func unsupported(_ found: String, known: [String]) -> TokenizerError {
        .unsupported(path: path, feature: place, found: found, known: known)
    }

    func malformed(_ problem: String) -> TokenizerError {
        .malformed(path: path, place: place.isEmpty ? "the whole file" : place, problem: problem)
    }

    func wrong(_ expected: String) -> TokenizerError { malformed("expected \(expected), found \(value.kind)") }
}
