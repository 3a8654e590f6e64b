/// What the GPT-2 pattern asks of a character.
enum CharacterClass: UInt8 {
    /// Neither of the others.
    case other
    /// General category L.
    case letter
    /// General category N.
    case number
    /// White_Space.
    case space
}

/// The class of every character: pages of 256 characters, each filled when a character of it is first met.
///
/// They are those of Unicode 16, the version of the reference library's pattern engine, also where the Swift runtime
/// knows later characters: the ids of a text must not change with the toolchain.
struct CharacterClasses {
    /// Page 0 first, so that the class of an ASCII byte stands at its own index.
    private var classes: [CharacterClass] = []
    /// Where each page starts in `classes`; -1 for one that was not met yet.
    private var starts = [Int32](repeating: -1, count: pageCount)

    private static let pageCount = 0x11_0000 >> 8

    /// Whether numbers of any version of Unicode are numbers: digits are cut off by another part of the reference library
    /// than that which has the pattern.
    private let knowsLaterNumbers: Bool

    init(knowsLaterNumbers: Bool = false) {
        self.knowsLaterNumbers = knowsLaterNumbers
        fill(page: 0)
    }

    /// The class and the length in bytes of the character at `index` of `text`, which is valid UTF-8.
    @inline(__always)
    mutating func character(at index: Int, of text: Span<UInt8>) -> (class: CharacterClass, byteCount: Int) {
        let first = text[index]
        if first < 0x80 { return (classes[Int(first)], 1) }
        let (value, byteCount) = Self.decode(first, at: index, of: text)
        let page = value >> 8
        if starts[page] < 0 { fill(page: page) }
        return (classes[Int(starts[page]) + value & 0xFF], byteCount)
    }

    @inline(__always)
    static func decode(_ first: UInt8, at index: Int, of text: Span<UInt8>) -> (value: Int, byteCount: Int) {
        let second = Int(text[index + 1] & 0x3F)
        if first < 0xE0 { return (Int(first & 0x1F) << 6 | second, 2) }
        let third = Int(text[index + 2] & 0x3F)
        if first < 0xF0 { return (Int(first & 0x0F) << 12 | second << 6 | third, 3) }
        return (Int(first & 0x07) << 18 | second << 12 | third << 6 | Int(text[index + 3] & 0x3F), 4)
    }

    private mutating func fill(page: Int) {
        starts[page] = Int32(classes.count)
        for value in page << 8..<(page + 1) << 8 {
            classes.append(Unicode.Scalar(UInt32(value)).map(classify) ?? .other)
        }
    }

    static let unicodeVersion = 16

    private func classify(_ scalar: Unicode.Scalar) -> CharacterClass {
        if scalar.properties.isWhitespace { return .space }
        let isKnown = scalar.properties.age.map { $0.major <= Self.unicodeVersion } ?? false
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            isKnown ? .letter : .other
        case .decimalNumber, .letterNumber, .otherNumber: isKnown || knowsLaterNumbers ? .number : .other
        default: .other
        }
    }
}
