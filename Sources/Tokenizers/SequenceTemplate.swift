/// What a step of `post_processor` in a tokenizer.json puts around a single sequence.
struct SequenceTemplate {
    var prefix: [Int32] = []
    var suffix: [Int32] = []
}

extension SequenceTemplate {
    private static let known = [
        "BertProcessing", "ByteLevel", "RobertaProcessing", "TemplateProcessing", "Sequence",
    ]

    /// nil for a step that adds nothing: ByteLevel concerns offsets only.
    init?(_ place: JSONPlace) throws(TokenizerError) {
        switch try place.type {
        case "ByteLevel": return nil
        case "TemplateProcessing": try self.init(template: place)
        case "BertProcessing", "RobertaProcessing":
            try place.refuseMembers(except: ["type", "sep", "cls", "trim_offsets", "add_prefix_space"])
            self.init(
                prefix: [try Self.id(place.required("cls"))], suffix: [try Self.id(place.required("sep"))])
        default: throw place.unsupported(try place.type.quoted, known: Self.known)
        }
    }

    /// `["<s>", 0]`.
    private static func id(_ place: JSONPlace) throws(TokenizerError) -> Int32 {
        let pair = try place.elements
        guard pair.count == 2 else { throw place.wrong("a token and its id") }
        return try pair[1].id
    }

    private init(template place: JSONPlace) throws(TokenizerError) {
        self.init()
        try place.refuseMembers(except: ["type", "single", "pair", "special_tokens"])
        let single = try place.required("single")
        var sequenceCount = 0
        for part in try single.elements {
            if part.member("Sequence") != nil {
                sequenceCount += 1
            } else {
                let name = try part.required("SpecialToken").required("id").string
                for id in try place.required("special_tokens").required(name).required("ids").elements {
                    if sequenceCount == 0 { prefix.append(try id.id) } else { suffix.append(try id.id) }
                }
            }
            guard prefix.count + suffix.count <= Self.countLimit else {
                throw single.unsupported("more than \(Self.countLimit) tokens", known: ["a few tokens"])
            }
        }
        guard sequenceCount == 1 else {
            throw single.unsupported(
                "a template with \(sequenceCount) sequences", known: ["one sequence, and tokens around it"])
        }
    }

    /// Far beyond those of real files.
    private static let countLimit = 16
}
