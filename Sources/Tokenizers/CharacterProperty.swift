import CPCRE2

/// A set of characters that patterns name: as Unicode 16 has it, whatever PCRE2's and Swift's versions of Unicode are.
struct CharacterProperty {
    /// The set in a character class of PCRE2, without what Unicode has got since PCRE2's version.
    let known: String
    /// Whether a character is of the set.
    private let contains: @Sendable (Unicode.Scalar) -> Bool

    /// The set in a character class of PCRE2.
    var members: String { known + Self.laterCharacters.members(contains) }

    /// White_Space. PCRE2's own `\s` has U+180E too.
    static let space = CharacterProperty(
        known: #"\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#
    ) { _ in false }

    static let digit = generalCategory("Nd", [.decimalNumber])

    /// As in Unicode's technical standard 18, without joiners and with the numbers of Latin-1.
    static let word = CharacterProperty(
        known: #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}"#
    ) { isWord($0) }

    /// `\w` of Unicode's technical standard 18, without joiners.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age, age.major <= CharacterClasses.unicodeVersion else { return false }
        if scalar.properties.isAlphabetic { return true }
        return switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: false
        }
    }

    static let hexadecimalDigit = CharacterProperty(known: "0-9A-Fa-f") { _ in false }

    private init(known: String, contains: @escaping @Sendable (Unicode.Scalar) -> Bool) {
        self.known = known
        self.contains = contains
    }
}

// MARK: - By name

extension CharacterProperty {
    /// A general category by its short or long name, a script, or Alphabetic; nil for another name. Case, spaces,
    /// hyphens and underscores do not matter. Categories of which unassigned characters are part are not among them.
    static func named(_ name: String) -> CharacterProperty? {
        let key = name.utf8.filter { $0 != 0x20 && $0 != 0x2D && $0 != 0x5F }.map {
            (0x41...0x5A).contains($0) ? $0 | 0x20 : $0
        }
        let plain = String(decoding: key, as: UTF8.self)
        if let category = categories.first(where: { $0.names.contains(plain) }) {
            return generalCategory(category.code, category.members)
        }
        if plain == "alpha" || plain == "alphabetic" {
            return CharacterProperty(known: #"\p{Alphabetic}"#) { $0.properties.isAlphabetic }
        }
        if plain == "han" { return CharacterProperty(known: #"\p{sc:Han}"#) { $0.properties.isUnifiedIdeograph } }
        guard let script = scripts.first(where: { $0.lowercased() == plain }) else { return nil }
        return CharacterProperty(known: "\\p{sc:\(script)}") { _ in false }
    }

    /// The sets of brackets such as `[:alpha:]`.
    static func bracket(_ name: String) -> CharacterProperty? {
        switch name {
        case "space": space
        case "digit": digit
        case "word": word
        case "xdigit": hexadecimalDigit
        case "alpha": named("alpha")
        case "punct":
            CharacterProperty(known: #"\p{P}\p{S}"#) { scalar in
                punctuation.contains(scalar.properties.generalCategory)
                    || symbols.contains(scalar.properties.generalCategory)
            }
        default: nil
        }
    }

    private static func generalCategory(
        _ code: String, _ members: [Unicode.GeneralCategory]
    ) -> CharacterProperty {
        CharacterProperty(known: "\\p{\(code)}") { members.contains($0.properties.generalCategory) }
    }

    /// Scripts that have hardly changed since; a character that PCRE2's version does not know is not in them.
    private static let scripts = [
        "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Georgian", "Greek", "Hangul", "Hebrew", "Hiragana",
        "Katakana", "Khmer", "Lao", "Latin", "Myanmar", "Tamil", "Telugu", "Thai", "Tibetan",
    ]

    private static let letters: [Unicode.GeneralCategory] = [
        .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
    ]
    private static let marks: [Unicode.GeneralCategory] = [.nonspacingMark, .spacingMark, .enclosingMark]
    private static let numbers: [Unicode.GeneralCategory] = [.decimalNumber, .letterNumber, .otherNumber]
    private static let punctuation: [Unicode.GeneralCategory] = [
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation,
    ]
    private static let symbols: [Unicode.GeneralCategory] = [
        .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol,
    ]
    private static let separators: [Unicode.GeneralCategory] = [.spaceSeparator, .lineSeparator, .paragraphSeparator]

    private static let categories: [(code: String, names: [String], members: [Unicode.GeneralCategory])] = [
        ("L", ["l", "letter"], letters), ("Lu", ["lu", "uppercaseletter"], [.uppercaseLetter]),
        ("Ll", ["ll", "lowercaseletter"], [.lowercaseLetter]), ("Lt", ["lt", "titlecaseletter"], [.titlecaseLetter]),
        ("Lm", ["lm", "modifierletter"], [.modifierLetter]), ("Lo", ["lo", "otherletter"], [.otherLetter]),
        ("M", ["m", "mark"], marks), ("Mn", ["mn", "nonspacingmark"], [.nonspacingMark]),
        ("Mc", ["mc", "spacingmark"], [.spacingMark]), ("Me", ["me", "enclosingmark"], [.enclosingMark]),
        ("N", ["n", "number"], numbers), ("Nd", ["nd", "decimalnumber"], [.decimalNumber]),
        ("Nl", ["nl", "letternumber"], [.letterNumber]), ("No", ["no", "othernumber"], [.otherNumber]),
        ("P", ["p", "punctuation", "punct"], punctuation),
        ("Pc", ["pc", "connectorpunctuation"], [.connectorPunctuation]),
        ("Pd", ["pd", "dashpunctuation"], [.dashPunctuation]), ("Ps", ["ps", "openpunctuation"], [.openPunctuation]),
        ("Pe", ["pe", "closepunctuation"], [.closePunctuation]),
        ("Pi", ["pi", "initialpunctuation"], [.initialPunctuation]),
        ("Pf", ["pf", "finalpunctuation"], [.finalPunctuation]),
        ("Po", ["po", "otherpunctuation"], [.otherPunctuation]), ("S", ["s", "symbol"], symbols),
        ("Sm", ["sm", "mathsymbol"], [.mathSymbol]), ("Sc", ["sc", "currencysymbol"], [.currencySymbol]),
        ("Sk", ["sk", "modifiersymbol"], [.modifierSymbol]), ("So", ["so", "othersymbol"], [.otherSymbol]),
        ("Z", ["z", "separator"], separators), ("Zs", ["zs", "spaceseparator"], [.spaceSeparator]),
        ("Zl", ["zl", "lineseparator"], [.lineSeparator]), ("Zp", ["zp", "paragraphseparator"], [.paragraphSeparator]),
        ("Cc", ["cc", "control"], [.control]), ("Cf", ["cf", "format"], [.format]),
        ("Co", ["co", "privateuse"], [.privateUse]),
    ]
}

// MARK: - What PCRE2 does not know

extension CharacterProperty {
    /// The characters that Unicode has got after PCRE2's version of it, up to version 16.
    private static let laterCharacters = LaterCharacters()

    private struct LaterCharacters {
        private let scalars: [Unicode.Scalar]

        init() {
            let version = RegularExpression.unicodeVersion
            // Nothing is assigned between the third plane and the last ones, whose few characters do not change.
            scalars = (UInt32(0)..<0x3_4000).compactMap { value in
                guard let scalar = Unicode.Scalar(value), let age = scalar.properties.age,
                    (age.major, age.minor) > version, age.major <= CharacterClasses.unicodeVersion
                else { return nil }
                return scalar
            }
        }

        /// Those of a set, as ranges.
        func members(_ contains: (Unicode.Scalar) -> Bool) -> String {
            var text = ""
            var range: ClosedRange<UInt32>?
            for scalar in scalars where contains(scalar) {
                if let last = range, last.upperBound + 1 == scalar.value {
                    range = last.lowerBound...scalar.value
                } else {
                    text += Self.text(range)
                    range = scalar.value...scalar.value
                }
            }
            return text + Self.text(range)
        }

        private static func text(_ range: ClosedRange<UInt32>?) -> String {
            guard let range else { return "" }
            let (first, last) = (String(range.lowerBound, radix: 16), String(range.upperBound, radix: 16))
            return first == last ? "\\x{\(first)}" : "\\x{\(first)}-\\x{\(last)}"
        }
    }
}
