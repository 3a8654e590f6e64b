/// The pre-tokenizers of a tokenizer, ready for use.
struct TextCutter: Sendable {
    enum Step: Sendable {
        case split(TextMatcher, SplitBehavior, isInverted: Bool)
        case metaspace(replacement: [UInt8], PrependScheme, splits: Bool)
        /// The piece is cut, and each byte of it becomes its character of the byte-level alphabet.
        case spell(PreTokenization)
        /// The same as the last step: the bytes stay, and the model takes them for their characters.
        case scan(PreTokenization)
    }

    let steps: [Step]

    /// - Throws: what is wrong with a pattern.
    init(_ preTokenizers: [PreTokenizer]) throws(RegularExpression.Refusal) {
        var rest = preTokenizers[...]
        var last: Step?
        if let scan = PreTokenization(last: &rest) { last = .scan(scan) }
        var steps: [Step] = []
        for preTokenizer in rest { steps.append(try Self.step(preTokenizer)) }
        self.steps = steps + (last.map { [$0] } ?? [])
    }

    /// Whether the model gets bytes, which stand for characters of the byte-level alphabet.
    var givesBytes: Bool {
        if case .scan = steps.last { true } else { false }
    }

    /// Whether numbers are cut off before any pattern sees them.
    var cutsNumbers: Bool {
        if case .scan(let scan) = steps.last { scan.digits != .together } else { false }
    }

    private static func step(_ preTokenizer: PreTokenizer) throws(RegularExpression.Refusal) -> Step {
        switch preTokenizer {
        case .split(let pattern, let behavior, let isInverted):
            .split(try TextMatcher(pattern), behavior, isInverted: isInverted)
        case .byteLevel(let addsPrefixSpace, let usesPattern):
            .spell(PreTokenization(addsPrefixSpace: addsPrefixSpace, usesPattern: usesPattern))
        case .metaspace(let replacement, let scheme, let splits):
            .metaspace(replacement: Array(String(replacement).utf8), scheme, splits: splits)
        case .digits(let individually):
            .split(.characters(isNumber), individually ? .isolated : .contiguous, isInverted: false)
        case .punctuation(let behavior): .split(.characters(isPunctuation), behavior, isInverted: false)
        case .whitespace: .split(.words, .removed, isInverted: true)
        case .whitespaceSplit: .split(.characters { $0.properties.isWhitespace }, .removed, isInverted: false)
        }
    }
}

// MARK: - Sets of characters

extension TextCutter {
    private static let isNumber: @Sendable (Unicode.Scalar) -> Bool = { scalar in
        switch scalar.properties.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber: true
        default: false
        }
    }

    /// As the reference library knows it: ASCII's signs, and general category P of Unicode 8.
    private static let isPunctuation: @Sendable (Unicode.Scalar) -> Bool = { scalar in
        if scalar.value < 0x80 {
            return switch scalar.value {
            case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
            default: false
            }
        }
        // Two that changed since.
        if scalar.value == 0x166D || scalar.value == 0x111C9 { return true }
        switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return scalar.properties.age.map { $0.major <= 8 } ?? false
        default: return false
        }
    }
}
