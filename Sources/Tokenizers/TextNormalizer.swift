/// The normalizers of a tokenizer, ready for use.
struct TextNormalizer: Sendable {
    private enum Step: Sendable {
        case form(NormalizationForm)
        case lowercase
        case stripAccents
        case strip(left: Bool, right: Bool)
        case replace(TextMatcher, with: [UInt8])
        case prepend([UInt8])
        case byteLevel
        case precompiled(CharacterMap)
    }

    private var steps: [Step] = []

    var isEmpty: Bool { steps.isEmpty }

    /// - Throws: what is wrong with a pattern.
    init(_ normalizers: [Normalizer]) throws(RegularExpression.Refusal) {
        for normalizer in normalizers { steps.append(try Self.step(normalizer)) }
    }

    private static func step(_ normalizer: Normalizer) throws(RegularExpression.Refusal) -> Step {
        switch normalizer {
        case .form(let form): .form(form)
        case .lowercase: .lowercase
        case .stripAccents: .stripAccents
        case .strip(let left, let right): .strip(left: left, right: right)
        case .replace(let pattern, let content): .replace(try TextMatcher(pattern), with: Array(content.utf8))
        case .prepend(let text): .prepend(Array(text.utf8))
        case .byteLevel: .byteLevel
        case .precompiled(let map): .precompiled(map)
        }
    }

    /// Changes `text`, valid UTF-8, by all steps; says whether its first character was taken out.
    func normalize(
        _ text: inout [UInt8], _ room: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> Bool {
        let limit = Growth.limit(text.count)
        var lostStart = false
        for step in steps {
            switch step {
            case .form(let form): UnicodeNormalizer(form).normalize(&text)
            case .lowercase: Self.lowercase(&text)
            case .stripAccents: lostStart = Self.stripAccents(&text) || lostStart
            case .strip(let left, let right): lostStart = Self.strip(&text, left, right) || lostStart
            case .replace(let matcher, let content):
                lostStart = try Self.replace(&text, matcher, content, room, limit) || lostStart
            case .prepend(let start): if !text.isEmpty { text.insert(contentsOf: start, at: 0) }
            case .byteLevel: ByteLevelAlphabet.spell(&text)
            case .precompiled(let map): text = map.normalizeGraphemes(text)
            }
            try limit.check(text.count)
        }
        return lostStart
    }
}

/// How large a text can become by the steps of a tokenizer: beyond what those of real ones make of it. Compatibility
/// decomposition, the step with the largest growth, makes 11 bytes of one (U+FDFA) and 3 of most others.
struct Growth {
    private let byteCount: Int

    static func limit(_ byteCount: Int) -> Growth { Growth(byteCount: 16 * byteCount + 1 << 16) }

    func check(_ count: Int) throws(RegularExpressionMatch.Failure) {
        guard count <= byteCount else {
            throw RegularExpressionMatch.Failure(
                byteOffset: 0, problem: "the text becomes larger than \(byteCount) bytes")
        }
    }
}

extension TextNormalizer {
    private static func lowercase(_ text: inout [UInt8]) {
        if text.allSatisfy({ $0 < 0x80 }) {
            for index in text.indices where (0x41...0x5A).contains(text[index]) { text[index] |= 0x20 }
            return
        }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
        }
        text = result
    }

    private static func stripAccents(_ text: inout [UInt8]) -> Bool {
        guard text.contains(where: { $0 >= 0x80 }) else { return false }
        var result = String.UnicodeScalarView()
        var lostStart = false
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            if !isAccent(scalar) { result.append(scalar) } else if result.isEmpty { lostStart = true }
        }
        text = Array(String(result).utf8)
        return lostStart
    }

    /// General category M, as the reference library knows it: of Unicode 9, with two signs that are letters since, and
    /// without one that was punctuation.
    private static func isAccent(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x300 else { return false }
        if scalar.value == 0x1CF2 || scalar.value == 0x1CF3 { return true }
        if scalar.value == 0x111C9 { return false }
        guard [.nonspacingMark, .spacingMark, .enclosingMark].contains(scalar.properties.generalCategory),
            let age = scalar.properties.age
        else { return false }
        return age.major <= 9
    }

    private static func strip(_ text: inout [UInt8], _ left: Bool, _ right: Bool) -> Bool {
        let rest = stripped(text.span, left, right)
        if rest.count < text.count { text = Array(text[rest]) }
        return rest.lowerBound > 0
    }

    private static func stripped(_ text: Span<UInt8>, _ left: Bool, _ right: Bool) -> Range<Int> {
        var (start, end) = (0, text.count)
        while left, start < end {
            let (scalar, byteCount) = text.scalar(at: start)
            guard scalar.properties.isWhitespace else { break }
            start += byteCount
        }
        while right, start < end {
            var last = end - 1
            while last > start, UTF8.isContinuation(text[last]) { last -= 1 }
            guard text.scalar(at: last).0.properties.isWhitespace else { break }
            end = last
        }
        return start..<end
    }

    private static func replace(
        _ text: inout [UInt8], _ matcher: TextMatcher, _ content: [UInt8], _ room: RegularExpressionMatch,
        _ limit: Growth
    ) throws(RegularExpressionMatch.Failure) -> Bool {
        guard !text.isEmpty else { return false }
        var (result, lostStart): ([UInt8], Bool) = ([], false)
        result.reserveCapacity(text.count)
        var events = PieceEvents(matcher, 0..<text.count)
        while let event = try events.next(text.span, room) {
            if event.isMatch {
                if content.isEmpty, result.isEmpty { lostStart = true }
                result.append(contentsOf: content)
            } else {
                result.append(contentsOf: text[event.range])
            }
            try limit.check(result.count)
        }
        text = result
        return lostStart
    }
}
