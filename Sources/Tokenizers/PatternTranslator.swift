/// Writes a regular expression of Oniguruma's syntax, which the `tokenizers` library has, in PCRE2's.
///
/// What both have is written so that both mean the same: classes are Unicode 16's, `^` and `$` are the ends of lines,
/// `{n,m}+` repeats what `{n,m}` does. What PCRE2 lacks or has otherwise is refused by name.
struct PatternTranslator {
    private typealias Refusal = RegularExpression.Refusal

    /// What `(?i)` and `(?m)` change, to the end of a group.
    private struct Options {
        var ignoresCase = false
        /// Whether `.` is any character.
        var dotIsAny = false
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var depth = 0
    /// The letter before, where it can be the first of a ligature that has the letters after it for its lower case.
    private var letterBefore: Unicode.Scalar?

    private static let byteCountLimit = 1 << 15
    private static let depthLimit = 64

    /// - Throws: what cannot be translated, and where.
    static func translate(_ pattern: String) throws(RegularExpression.Refusal) -> String {
        guard !pattern.isEmpty else { throw Refusal(problem: "it is empty") }
        guard pattern.utf8.count <= byteCountLimit else {
            throw Refusal(problem: "it has \(pattern.utf8.count) bytes; expected at most \(byteCountLimit)")
        }
        var translator = PatternTranslator(scalars: Array(pattern.unicodeScalars))
        let text = try translator.alternatives(Options())
        guard translator.isAtEnd else { throw translator.refusal("a closing parenthesis without an opening one") }
        return text
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private var isAtEnd: Bool { index >= scalars.count }

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        index + offset < scalars.count ? scalars[index + offset] : nil
    }

    private func has(_ text: String) -> Bool {
        scalars[index...].starts(with: text.unicodeScalars)
    }

    private mutating func take(_ text: String) -> Bool {
        guard has(text) else { return false }
        index += text.unicodeScalars.count
        return true
    }

    private func refusal(_ problem: String) -> RegularExpression.Refusal {
        Refusal(problem: "\(problem), before character \(index)")
    }
}

// MARK: - Alternatives, groups and repetition

extension PatternTranslator {
    /// Up to the end of the pattern or of a group.
    private mutating func alternatives(_ options: Options) throws(RegularExpression.Refusal) -> String {
        var (options, result, atom) = (options, "", "")
        letterBefore = nil
        while let scalar = peek(), scalar != ")" {
            if scalar == "|" {
                index += 1
                (result, atom, letterBefore) = (result + atom + "|", "", nil)
            } else if has("(?"), let changed = try isolatedOptions(options) {
                guard result.isEmpty, atom.isEmpty else { throw refusal("options that do not stand at a start") }
                options = changed
            } else if let quantifier = try quantifier() {
                guard !atom.isEmpty else { throw refusal("a repetition of nothing") }
                result += quantifier.isWrapped ? "(?:\(atom)\(quantifier.text))+" : atom + quantifier.text
                (atom, letterBefore) = ("", nil)
            } else {
                result += atom
                atom = try self.atom(options)
            }
        }
        return result + atom
    }

    /// One that stands for itself or for one character, a group, or a place.
    private mutating func atom(_ options: Options) throws(RegularExpression.Refusal) -> String {
        guard let scalar = peek() else { throw refusal("an end") }
        switch scalar {
        case "(": return try group(options)
        case "[":
            letterBefore = nil
            return try characterClass(options)
        case "\\":
            return try escape(options)
        default: break
        }
        index += 1
        switch scalar {
        case ".":
            letterBefore = nil
            return options.dotIsAny ? "(?s:.)" : #"[^\n]"#
        case "^":
            letterBefore = nil
            return "(?m:^)"
        case "$":
            letterBefore = nil
            return "(?m:$)"
        default: return try literal(scalar, options)
        }
    }

    private mutating func group(_ options: Options) throws(RegularExpression.Refusal) -> String {
        depth += 1
        guard depth <= Self.depthLimit else {
            throw refusal("groups inside each other more than \(Self.depthLimit) deep")
        }
        defer { depth -= 1 }
        let (opening, inner) = try groupOpening(options)
        let body = try alternatives(inner)
        guard take(")") else { throw refusal("a group without an end") }
        letterBefore = nil
        return opening + body + ")"
    }

    private mutating func groupOpening(
        _ options: Options
    ) throws(RegularExpression.Refusal) -> (text: String, Options) {
        for opening in ["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"] where take(opening) { return (opening, options) }
        if has("(?<") || has("(?'") { throw refusal("a named group") }
        guard take("(?") else {
            index += 1
            return ("(?:", options)
        }
        let changed = try self.options(options)
        guard take(":") else { throw refusal("a group of another kind") }
        return ("(?:", changed)
    }

    /// `(?i)`, and nil for what is a group.
    private mutating func isolatedOptions(_ options: Options) throws(RegularExpression.Refusal) -> Options? {
        let start = index
        index += 2
        guard let scalar = peek(), "imx-".unicodeScalars.contains(scalar) else {
            index = start
            return nil
        }
        let changed = try self.options(options)
        if take(")") { return changed }
        index = start
        return nil
    }

    private mutating func options(_ options: Options) throws(RegularExpression.Refusal) -> Options {
        var (result, isOn) = (options, true)
        while let scalar = peek() {
            switch scalar {
            case "i": result.ignoresCase = isOn
            case "m": result.dotIsAny = isOn
            case "-": isOn = false
            case ":", ")": return result
            default: throw refusal("the option \(String(scalar).quoted)")
            }
            index += 1
        }
        return result
    }

    /// `*`, `+`, `?` and intervals, lazy and possessive.
    private mutating func quantifier() throws(RegularExpression.Refusal) -> (text: String, isWrapped: Bool)? {
        guard let scalar = peek() else { return nil }
        if scalar == "{" { return try interval() }
        guard scalar == "*" || scalar == "+" || scalar == "?" else { return nil }
        index += 1
        var text = String(scalar)
        if let next = peek(), next == "?" || next == "+" {
            index += 1
            text.unicodeScalars.append(next)
        }
        try refuseQuantifier()
        return (text, false)
    }

    private mutating func interval() throws(RegularExpression.Refusal) -> (text: String, isWrapped: Bool)? {
        let start = index
        index += 1
        let low = try number()
        let hasComma = take(",")
        let high = hasComma ? try number() : low
        guard take("}"), low != nil || high != nil else {
            // A brace that stands for itself.
            index = start
            return nil
        }
        if let low, let high, low > high { throw refusal("an interval from \(low) to \(high)") }
        let text = hasComma ? "{\(low ?? 0),\(high.map(String.init) ?? "")}" : "{\(low ?? 0)}"
        if take("+") {
            try refuseQuantifier()
            return (text, true)
        }
        if take("?") {
            // Lazy for an interval, optional for a number.
            guard hasComma else { throw refusal("a number of times that is optional") }
            try refuseQuantifier()
            return (text + "?", false)
        }
        try refuseQuantifier()
        return (text, false)
    }

    private func refuseQuantifier() throws(RegularExpression.Refusal) {
        if let scalar = peek(), scalar == "*" || scalar == "+" || scalar == "?" {
            throw refusal("a repetition of a repetition")
        }
    }

    /// Decimal digits, of at most 1,000; nil where there are none.
    private mutating func number() throws(RegularExpression.Refusal) -> Int? {
        var value: Int?
        while let digit = peek().flatMap({ ("0"..."9").contains($0) ? Int($0.value) - 0x30 : nil }) {
            value = (value ?? 0) * 10 + digit
            guard let value, value <= 1_000 else { throw refusal("more than 1000 times") }
            index += 1
        }
        return value
    }
}

// MARK: - Characters

extension PatternTranslator {
    /// A character that stands for itself.
    private mutating func literal(
        _ scalar: Unicode.Scalar, _ options: Options
    ) throws(RegularExpression.Refusal) -> String {
        guard options.ignoresCase else {
            letterBefore = nil
            return Self.written(scalar)
        }
        // Oniguruma takes some characters for two others where case does not matter, such as ß for ss.
        guard scalar.isASCII else { throw refusal("\(String(scalar).quoted) where case does not matter") }
        let letter = scalar.properties.lowercaseMapping.unicodeScalars.first ?? scalar
        if let letterBefore, ["ss", "st", "ff", "fi", "fl"].contains(String(letterBefore) + String(letter)) {
            throw refusal("\((String(letterBefore) + String(letter)).quoted) where case does not matter")
        }
        letterBefore = letter
        return "(?i:\(Self.written(scalar)))"
    }

    private static func written(_ scalar: Unicode.Scalar) -> String {
        let isPlain =
            scalar.value > 0x7F || scalar == " " || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        return isPlain ? String(scalar) : "\\x{\(String(scalar.value, radix: 16))}"
    }

    private mutating func escape(_ options: Options) throws(RegularExpression.Refusal) -> String {
        let start = index
        if let set = try escapedSet() {
            letterBefore = nil
            return set.isNegated ? "[^\(set.text)]" : "[\(set.text)]"
        }
        let word = CharacterProperty.word.members
        for (text, place) in [
            ("\\b", "(?:(?<=[\(word)])(?![\(word)])|(?<![\(word)])(?=[\(word)]))"),
            ("\\B", "(?:(?<=[\(word)])(?=[\(word)])|(?<![\(word)])(?![\(word)]))"), ("\\A", "\\A"), ("\\z", "\\z"),
            ("\\Z", "\\Z"), ("\\N", #"[^\n]"#), ("\\O", "(?s:.)"),
            ("\\R", #"(?>\r\n|[\x{a}-\x{d}\x{85}\x{2028}\x{2029}])"#),
        ] where take(text) {
            letterBefore = nil
            return place
        }
        if let scalar = try escapedCharacter() { return try literal(scalar, options) }
        index = start
        throw refusal("the escape \(String(String.UnicodeScalarView(scalars[start...].prefix(2))).quoted)")
    }

    /// A set that an escape names.
    private struct EscapedSet {
        /// In a character class of PCRE2.
        var text: String
        /// Whether it is all other characters.
        var isNegated: Bool
        /// Whether it has all characters that differ in case only, or none.
        var hasAllCases = true
    }

    private mutating func escapedSet() throws(RegularExpression.Refusal) -> EscapedSet? {
        for (letter, set) in [
            ("s", CharacterProperty.space), ("d", .digit), ("w", .word), ("h", .hexadecimalDigit),
        ] {
            if take("\\\(letter)") { return EscapedSet(text: set.members, isNegated: false) }
            if take("\\\(letter.uppercased())") { return EscapedSet(text: set.members, isNegated: true) }
        }
        guard has("\\p") || has("\\P") else { return nil }
        var isNegated = has("\\P")
        index += 2
        guard take("{") else { throw refusal("a property without a brace") }
        if take("^") { isNegated.toggle() }
        var name = ""
        while let scalar = peek(), scalar != "}", name.unicodeScalars.count < 64 {
            name.unicodeScalars.append(scalar)
            index += 1
        }
        guard take("}"), let set = CharacterProperty.named(name) else { throw refusal("the property \(name.quoted)") }
        return EscapedSet(text: set.members, isNegated: isNegated, hasAllCases: ["L", "N", "P", "Z"].contains(name))
    }

    /// The character of an escape, or nil for an escape that is none.
    private mutating func escapedCharacter() throws(RegularExpression.Refusal) -> Unicode.Scalar? {
        let controls: [(String, Unicode.Scalar)] = [
            ("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r"), ("\\f", "\u{C}"), ("\\v", "\u{B}"), ("\\a", "\u{7}"),
            ("\\e", "\u{1B}"),
        ]
        for (text, scalar) in controls where take(text) { return scalar }
        if take("\\x{") {
            let scalar = try hexadecimal(1...8)
            guard take("}") else { throw refusal("more than one character in braces") }
            return scalar
        }
        if take("\\u") { return try hexadecimal(4...4) }
        if take("\\x") {
            let scalar = try hexadecimal(1...2)
            guard scalar.isASCII else { throw refusal("a byte that is no character") }
            return scalar
        }
        guard let scalar = peek(1), scalar.isASCII, !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar)
        else {
            return nil
        }
        index += 2
        return scalar
    }

    private mutating func hexadecimal(
        _ count: ClosedRange<Int>
    ) throws(RegularExpression.Refusal) -> Unicode.Scalar {
        var text = ""
        while let scalar = peek(), scalar.properties.isASCIIHexDigit, text.utf8.count < count.upperBound {
            text.unicodeScalars.append(scalar)
            index += 1
        }
        guard count.contains(text.utf8.count), let value = UInt32(text, radix: 16), let scalar = Unicode.Scalar(value)
        else { throw refusal("a number that is no character") }
        return scalar
    }
}

// MARK: - Character classes

extension PatternTranslator {
    /// What one part of a class, between `&&`, has.
    private struct Members {
        /// In a character class of PCRE2.
        var text = ""
        /// Expressions that match one character each.
        var alternatives: [String] = []

        func expression(isNegated: Bool) -> String {
            if alternatives.isEmpty {
                return text.isEmpty ? (isNegated ? "(?s:.)" : "(?!)") : isNegated ? "[^\(text)]" : "[\(text)]"
            }
            let all = (text.isEmpty ? [] : ["[\(text)]"]) + alternatives
            return isNegated ? "(?:(?!\(all.joined(separator: "|")))(?s:.))" : "(?:\(all.joined(separator: "|")))"
        }
    }

    private mutating func characterClass(_ options: Options) throws(RegularExpression.Refusal) -> String {
        depth += 1
        guard depth <= Self.depthLimit else {
            throw refusal("classes inside each other more than \(Self.depthLimit) deep")
        }
        defer { depth -= 1 }
        index += 1
        let isNegated = take("^")
        if has("]") { throw refusal("a class that starts with ]") }
        var parts = [Members()]
        while !take("]") {
            guard !isAtEnd else { throw refusal("a class without an end") }
            if take("&&") {
                parts.append(Members())
            } else {
                try readMember(options, into: &parts[parts.count - 1])
            }
        }
        let text: String
        if parts.count == 1 {
            text = parts[0].expression(isNegated: isNegated)
        } else {
            let all = parts.map { $0.expression(isNegated: false) }
            let both = all.dropLast().map { "(?=\($0))" }.joined() + all[all.count - 1]
            text = isNegated ? "(?:(?!\(both))(?s:.))" : "(?:\(both))"
        }
        return options.ignoresCase ? "(?i:\(text))" : text
    }

    private mutating func readMember(
        _ options: Options, into members: inout Members
    ) throws(RegularExpression.Refusal) {
        if has("[:"), let bracket = try bracket() {
            members.text += bracket
        } else if has("[") {
            members.alternatives.append(try characterClass(options))
        } else if let set = try escapedSet() {
            guard set.hasAllCases || !options.ignoresCase else { throw refusal("a class that case matters to") }
            if set.isNegated { members.alternatives.append("[^\(set.text)]") } else { members.text += set.text }
            try refuseRange()
        } else {
            let first = try member(options)
            guard has("-"), let next = peek(1), next != "]" else {
                members.text += Self.written(first)
                return
            }
            index += 1
            guard !has("[") else { throw refusal("a range that ends with a class") }
            let last = try member(options)
            guard first <= last else { throw refusal("a range from \(String(first).quoted) to \(String(last).quoted)") }
            members.text += "\(Self.written(first))-\(Self.written(last))"
        }
    }

    /// One character of a class.
    private mutating func member(_ options: Options) throws(RegularExpression.Refusal) -> Unicode.Scalar {
        guard let scalar = peek() else { throw refusal("a class without an end") }
        let result: Unicode.Scalar
        if scalar == "\\" {
            guard let character = try escapedCharacter() else {
                throw refusal(
                    "the escape \(String(String.UnicodeScalarView(scalars[index...].prefix(2))).quoted) in a class")
            }
            result = character
        } else {
            index += 1
            result = scalar
        }
        if options.ignoresCase, !result.isASCII {
            throw refusal("\(String(result).quoted) where case does not matter")
        }
        return result
    }

    private func refuseRange() throws(RegularExpression.Refusal) {
        if has("-"), let next = peek(1), next != "]" { throw refusal("a range that starts with a set") }
    }

    /// `[:alpha:]` and the like; nil where it is not one.
    private mutating func bracket() throws(RegularExpression.Refusal) -> String? {
        let start = index
        index += 2
        let isNegated = take("^")
        var name = ""
        while let scalar = peek(), scalar.isASCII, scalar.properties.isAlphabetic {
            name.unicodeScalars.append(scalar)
            index += 1
        }
        guard take(":]") else {
            index = start
            return nil
        }
        guard !isNegated, let set = CharacterProperty.bracket(name) else {
            throw refusal("the set \(name.quoted)")
        }
        return set.members
    }
}
