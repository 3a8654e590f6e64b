/// A step that cuts each piece of a text into smaller ones, as the `tokenizers` library defines it.
enum PreTokenizer: Equatable, Sendable {
    /// Cuts at the matches of a pattern; inverted, what lies between is taken for the matches.
    case split(TextPattern, SplitBehavior, isInverted: Bool)
    /// Each byte becomes its character of the byte-level alphabet, after the piece has got a space in front, unless it has
    /// one, and was cut by the pattern of GPT-2, both where they are asked for.
    case byteLevel(addsPrefixSpace: Bool, usesPattern: Bool)
    /// Spaces become `replacement`, one more is put in front where the scheme says so, and the piece is cut before each.
    case metaspace(replacement: Unicode.Scalar, PrependScheme, splits: Bool)
    /// Cuts off numeric characters (general category N), each or in runs.
    case digits(individually: Bool)
    /// Cuts at punctuation: ASCII's, and that of general category P.
    case punctuation(SplitBehavior)
    /// Cuts out the matches of `\w+|[^\w\s]+`.
    case whitespace
    /// Cuts at white space, and takes it out.
    case whitespaceSplit
}

/// What becomes of the matches that a piece is cut at.
enum SplitBehavior: String, Equatable, Sendable, CaseIterable {
    /// They are taken out.
    case removed = "Removed"
    /// Each is a piece.
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    /// Each run of neighbouring matches is a piece.
    case contiguous = "Contiguous"
}

/// Which pieces get a space in front, unless they have one.
enum PrependScheme: String, Equatable, Sendable, CaseIterable {
    /// Every one.
    case always
    /// The one at the start of the text.
    case first
    case never
}

extension PreTokenizer {
    /// For people: `gpt-2`, `smollm` where the steps are one of these, else what they are.
    static func name(_ steps: [PreTokenizer]) -> String {
        var rest = steps[...]
        let scan = PreTokenization(last: &rest)
        let names = rest.map(\.name) + (scan.map { [$0.name] } ?? [])
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    private var name: String {
        switch self {
        case .split: "a split by a pattern"
        case .byteLevel: "byte level"
        case .metaspace: "metaspace"
        case .digits: "digits"
        case .punctuation: "punctuation"
        case .whitespace: "words"
        case .whitespaceSplit: "white space"
        }
    }
}
