/// How a text is cut into the pieces, pre-tokens, that are encoded each alone.
///
/// First digits are cut off, if at all; then what lies between is cut by the pattern of GPT-2:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
struct PreTokenization: Equatable, Sendable {
    enum Digits: Equatable, Sendable {
        /// Left to the pattern.
        case together
        /// Each run of numeric characters (general category N) is cut off before the pattern is applied.
        case apart
        /// Each numeric character is.
        case individual
    }

    var digits = Digits.together
    /// Whether each piece gets a space in front, unless it has one, before the pattern is applied.
    var addsPrefixSpace = false
    /// Without the pattern, what lies between the digits is one pre-token.
    var usesPattern = true

    static let gpt2 = PreTokenization()
    static let smollm = PreTokenization(digits: .individual)

    init(digits: Digits = .together, addsPrefixSpace: Bool = false, usesPattern: Bool = true) {
        self.digits = digits
        self.addsPrefixSpace = addsPrefixSpace
        self.usesPattern = usesPattern
    }

    /// ByteLevel at the end of `steps`, which it is taken off of, with Digits before it; nil where it is another step.
    init?(last steps: inout ArraySlice<PreTokenizer>) {
        guard case .byteLevel(let addsPrefixSpace, let usesPattern) = steps.last else { return nil }
        steps.removeLast()
        self.init(addsPrefixSpace: addsPrefixSpace, usesPattern: usesPattern)
        guard case .digits(let individually) = steps.last else { return }
        steps.removeLast()
        digits = individually ? .individual : .apart
    }

    /// For people: `gpt-2`, `smollm` where it is one of these, else what makes it up.
    var name: String {
        if self == .gpt2 { return "gpt-2" }
        if self == .smollm { return "smollm" }
        var parts: [String] = []
        if digits == .apart { parts.append("runs of digits apart") }
        if digits == .individual { parts.append("single digits") }
        if addsPrefixSpace { parts.append("a space in front") }
        parts.append(usesPattern ? "gpt-2 pattern" : "no pattern")
        return parts.joined(separator: ", ")
    }
}

extension PreTokenization {
    /// Where the pre-token that starts at `start` ends.
    ///
    /// - Parameters:
    ///   - text: valid UTF-8.
    ///   - end: where the piece of text ends; the pattern does not look beyond. More than `start`.
    func endOfPreToken(
        in text: Span<UInt8>, from start: Int, to end: Int, classes: inout CharacterClasses
    ) -> Int {
        let first = classes.character(at: start, of: text)
        if digits != .together, first.class == .number {
            let next = start + first.byteCount
            return digits == .individual
                ? next : Self.endOfRun(of: .number, in: text, from: next, to: end, classes: &classes)
        }
        guard usesPattern else { return endOfPiece(in: text, from: start, to: end, classes: &classes) }
        return endOfMatch(in: text, from: start, to: end, first: first, classes: &classes)
    }

    /// Where the digits, or what lies between digits, end: the pieces before the pattern is applied.
    func endOfPiece(in text: Span<UInt8>, from start: Int, to end: Int, classes: inout CharacterClasses) -> Int {
        guard digits != .together else { return end }
        let first = classes.character(at: start, of: text)
        var index = start + first.byteCount
        if first.class == .number, digits == .individual { return index }
        while index < end {
            let next = classes.character(at: index, of: text)
            if (next.class == .number) != (first.class == .number) { break }
            index += next.byteCount
        }
        return index
    }

    /// The pattern: its alternatives in their order.
    @inline(__always)
    private func endOfMatch(
        in text: Span<UInt8>, from start: Int, to end: Int, first: (class: CharacterClass, byteCount: Int),
        classes: inout CharacterClasses
    ) -> Int {
        if text[start] == UInt8(ascii: "'"), let length = Self.contraction(in: text, from: start + 1, to: end) {
            return start + 1 + length
        }
        let next = start + first.byteCount
        if first.class != .space {
            return Self.endOfRun(of: first.class, in: text, from: next, to: end, classes: &classes)
        }
        if text[start] == UInt8(ascii: " "), next < end {
            let second = classes.character(at: next, of: text)
            if second.class != .space, digits == .together || second.class != .number {
                return Self.endOfRun(
                    of: second.class, in: text, from: next + second.byteCount, to: end, classes: &classes)
            }
        }
        return endOfSpace(in: text, from: start, to: end, classes: &classes)
    }

    /// `\s+(?!\S)|\s+`: all the space at the end of a piece, else all but its last character, if that leaves any.
    private func endOfSpace(
        in text: Span<UInt8>, from start: Int, to end: Int, classes: inout CharacterClasses
    ) -> Int {
        var (index, last) = (start, start)
        while index < end {
            let next = classes.character(at: index, of: text)
            if next.class != .space {
                // Digits that were cut off are the end of the piece.
                if digits != .together, next.class == .number { return index }
                return last > start ? last : index
            }
            last = index
            index += next.byteCount
        }
        return end
    }

    @inline(__always)
    private static func endOfRun(
        of kind: CharacterClass, in text: Span<UInt8>, from start: Int, to end: Int, classes: inout CharacterClasses
    ) -> Int {
        var index = start
        while index < end {
            let next = classes.character(at: index, of: text)
            if next.class != kind { break }
            index += next.byteCount
        }
        return index
    }

    /// The length of `s`, `t`, `re`, `ve`, `m`, `ll` or `d` after an apostrophe.
    private static func contraction(in text: Span<UInt8>, from start: Int, to end: Int) -> Int? {
        guard start < end else { return nil }
        switch text[start] {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 1
        case UInt8(ascii: "r"), UInt8(ascii: "v"):
            return start + 1 < end && text[start + 1] == UInt8(ascii: "e") ? 2 : nil
        case UInt8(ascii: "l"): return start + 1 < end && text[start + 1] == UInt8(ascii: "l") ? 2 : nil
        default: return nil
        }
    }
}
