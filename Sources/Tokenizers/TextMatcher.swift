import Checkpoints

/// Finds what a pattern, or a set of characters, matches in a text.
enum TextMatcher: Sendable {
    case literal([UInt8])
    case expression(RegularExpression)
    /// Single characters.
    case characters(@Sendable (Unicode.Scalar) -> Bool)
    /// `\w+|[^\w\s]+`, with joiners among the word characters.
    case words

    /// Far beyond those of real tokenizers. Looking for a literal takes a text's length times its own at worst.
    static let literalByteCountLimit = 1024

    init(_ pattern: TextPattern) throws(RegularExpression.Refusal) {
        switch pattern {
        case .literal(let text):
            guard (1...Self.literalByteCountLimit).contains(text.utf8.count) else {
                throw RegularExpression.Refusal(
                    problem: "it has \(text.utf8.count) bytes; expected 1 to \(Self.literalByteCountLimit)")
            }
            self = .literal(Array(text.utf8))
        case .regularExpression(let text): self = .expression(try RegularExpression(text))
        }
    }

    /// The first match in `text[range]`, valid UTF-8, at or after `start`, or nil. It can be empty.
    @inline(__always)
    func firstMatch(
        in text: Span<UInt8>, _ range: Range<Int>, from start: Int, _ match: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> Range<Int>? {
        switch self {
        case .expression(let expression): try expression.firstMatch(in: text, range, from: start, match)
        case .literal(let literal): Self.firstMatch(of: literal, in: text, start..<range.upperBound)
        case .characters(let contains): Self.firstMatch(of: contains, in: text, start..<range.upperBound)
        case .words: Self.firstWord(in: text, start..<range.upperBound)
        }
    }

    private static func firstMatch(of literal: [UInt8], in text: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        guard literal.count <= range.count else { return nil }
        for start in range.lowerBound...range.upperBound - literal.count where text[start] == literal[0] {
            var count = 1
            while count < literal.count, text[start + count] == literal[count] { count += 1 }
            if count == literal.count { return start..<start + count }
        }
        return nil
    }

    private static func firstMatch(
        of contains: (Unicode.Scalar) -> Bool, in text: Span<UInt8>, _ range: Range<Int>
    ) -> Range<Int>? {
        var index = range.lowerBound
        while index < range.upperBound {
            let (scalar, byteCount) = text.scalar(at: index)
            if contains(scalar) { return index..<index + byteCount }
            index += byteCount
        }
        return nil
    }

    private static func firstWord(in text: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        guard
            let first = firstMatch(of: { !$0.properties.isWhitespace }, in: text, range),
            case let isWord = AddedTokenContext.isWord(text.scalar(at: first.lowerBound).0),
            case let rest = first.upperBound..<range.upperBound
        else { return nil }
        let next = firstMatch(
            of: { AddedTokenContext.isWord($0) != isWord || $0.properties.isWhitespace }, in: text, rest)
        return first.lowerBound..<(next?.lowerBound ?? range.upperBound)
    }
}

extension [UInt8] {
    /// Appends a character in UTF-8.
    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else if let bytes = UTF8.encode(scalar) {
            append(contentsOf: bytes)
        }
    }
}

extension Span<UInt8> {
    /// The character at `index` of valid UTF-8, and its length in bytes.
    @inline(__always)
    func scalar(at index: Int) -> (Unicode.Scalar, byteCount: Int) {
        let first = self[index]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let (value, byteCount) = CharacterClasses.decode(first, at: index, of: self)
        return (Unicode.Scalar(UInt32(truncatingIfNeeded: value)) ?? "\u{FFFD}", byteCount)
    }
}

/// The matches of a pattern in a text and what lies between them, in turn; all of the text is part of one.
struct PieceEvents {
    struct Event {
        var range: Range<Int>
        var isMatch: Bool
    }

    private let matcher: TextMatcher
    private let isInverted: Bool
    private let range: Range<Int>
    /// The end of the last event.
    private var end: Int
    /// Where the next match is looked for.
    private var searched: Int
    private var lastMatchEnd: Int?
    /// The match after the last event, where that is what lies before it.
    private var match: Range<Int>?
    private var isAtEnd = false

    /// - Parameter isInverted: whether what lies between the matches is taken for them.
    init(_ matcher: TextMatcher, isInverted: Bool = false, _ range: Range<Int>) {
        self.matcher = matcher
        self.isInverted = isInverted
        self.range = range
        (end, searched) = (range.lowerBound, range.lowerBound)
    }

    @inline(__always)
    mutating func next(
        _ text: Span<UInt8>, _ room: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> Event? {
        if let match {
            self.match = nil
            end = match.upperBound
            return Event(range: match, isMatch: !isInverted)
        }
        guard !isAtEnd else { return nil }
        guard let match = try nextMatch(text, room) else {
            isAtEnd = true
            return end < range.upperBound ? Event(range: end..<range.upperBound, isMatch: isInverted) : nil
        }
        guard end < match.lowerBound else {
            end = match.upperBound
            return Event(range: match, isMatch: !isInverted)
        }
        self.match = match
        return Event(range: end..<match.lowerBound, isMatch: isInverted)
    }

    /// No empty match stands at the end of the match before.
    @inline(__always)
    private mutating func nextMatch(
        _ text: Span<UInt8>, _ room: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> Range<Int>? {
        while searched <= range.upperBound {
            guard let match = try matcher.firstMatch(in: text, range, from: searched, room) else { return nil }
            if match.isEmpty, match.upperBound == lastMatchEnd {
                searched += searched < range.upperBound ? text.scalar(at: searched).byteCount : 1
                continue
            }
            (searched, lastMatchEnd) = (match.upperBound, match.upperBound)
            return match
        }
        return nil
    }
}

/// The pieces that a text is cut into at the matches of a pattern, one after the other.
struct PieceCutter {
    private var events: PieceEvents
    private let behavior: SplitBehavior
    /// What is not yet known to be a whole piece.
    private var pending: PieceEvents.Event?
    private var followsMatch = false

    init(_ events: PieceEvents, _ behavior: SplitBehavior) {
        self.events = events
        self.behavior = behavior
    }

    /// The next piece, which is not empty, or nil after the last one.
    @inline(__always)
    mutating func next(
        _ text: Span<UInt8>, _ room: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> Range<Int>? {
        while let event = try events.next(text, room) {
            if let piece = piece(event), !piece.isEmpty { return piece }
        }
        defer { pending = nil }
        return pending.flatMap { $0.range.isEmpty ? nil : $0.range }
    }

    /// The piece that `event` completes, if it does.
    @inline(__always)
    private mutating func piece(_ event: PieceEvents.Event) -> Range<Int>? {
        defer { followsMatch = event.isMatch }
        switch behavior {
        case .isolated: return event.range
        case .removed: return event.isMatch ? nil : event.range
        case .contiguous: return append(event, joins: event.isMatch == followsMatch)
        case .mergedWithPrevious: return append(event, joins: event.isMatch && !followsMatch)
        case .mergedWithNext: return append(event, joins: followsMatch && !event.isMatch)
        }
    }

    /// Joins the event to what is pending, or puts it in its place.
    private mutating func append(_ event: PieceEvents.Event, joins: Bool) -> Range<Int>? {
        guard joins, let last = pending else {
            defer { pending = event }
            return pending?.range
        }
        pending?.range = last.range.lowerBound..<event.range.upperBound
        return nil
    }
}
