/// The decoders of a tokenizer, ready for use.
struct TokenTextDecoder: Sendable {
    /// A text on the way: a token's, or that of several.
    struct Part {
        var bytes: [UInt8]
        /// Whether the text is what it stands for, whatever the byte-level alphabet makes of it.
        var isLiteral = false
    }

    private enum Step: Sendable {
        case byteLevel
        case byteFallback
        case metaspace(replacement: Unicode.Scalar, PrependScheme)
        case fuse
        case strip(Unicode.Scalar, start: Int, end: Int)
        case replace(TextMatcher, with: [UInt8])
        case sentencePiece(LeadingSpaces)
    }

    private var steps: [Step] = []

    /// - Throws: what is wrong with a pattern.
    init(_ decoders: [TokenDecoder]) throws(RegularExpression.Refusal) {
        for decoder in decoders {
            let step: Step =
                switch decoder {
                case .byteLevel: .byteLevel
                case .byteFallback: .byteFallback
                case .metaspace(let replacement, let scheme): .metaspace(replacement: replacement, scheme)
                case .fuse: .fuse
                case .strip(let scalar, let start, let end): .strip(scalar, start: start, end: end)
                case .replace(let pattern, let content): .replace(try TextMatcher(pattern), with: Array(content.utf8))
                case .sentencePiece(let spaces): .sentencePiece(spaces)
                }
            steps.append(step)
        }
    }

    /// The bytes of tokens.
    ///
    /// - Parameter repairs: whether U+FFFD stands for each byte of a run of single bytes that is not valid UTF-8, as the
    ///   `tokenizers` library has it.
    func decode(
        _ tokens: [Part], repairs: Bool, _ room: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> [UInt8] {
        var parts = tokens
        let limit = Growth.limit(parts.reduce(0) { $0 + $1.bytes.count })
        for step in steps {
            switch step {
            case .byteLevel: parts = [Part(bytes: parts.flatMap(Self.unspelled))]
            case .byteFallback: parts = Self.unitingBytes(parts, repairs: repairs)
            case .metaspace(let replacement, let scheme): Self.respace(&parts, replacement, scheme)
            case .fuse: parts = [Part(bytes: parts.flatMap(\.bytes))]
            case .sentencePiece(let spaces):
                var decoder = SentencePieceDecoder(spaces, repairs: repairs)
                for part in parts { decoder.append(part.bytes, isLiteral: part.isLiteral) }
                parts = [Part(bytes: decoder.finish())]
            case .strip(let scalar, let start, let end):
                let content = Array(String(scalar).utf8)
                for index in parts.indices { Self.strip(&parts[index].bytes, content, start, end) }
            case .replace(let matcher, let content):
                var byteCount = 0
                for index in parts.indices {
                    parts[index].bytes = try Self.replace(parts[index].bytes, matcher, content, room, limit)
                    byteCount += parts[index].bytes.count
                    try limit.check(byteCount)
                }
            }
        }
        return parts.flatMap(\.bytes)
    }
}

// MARK: - Steps

extension TokenTextDecoder {
    private static func unspelled(_ part: Part) -> [UInt8] {
        let decoded = part.isLiteral ? nil : ByteLevelAlphabet.decode(String(decoding: part.bytes, as: UTF8.self))
        return decoded ?? part.bytes
    }

    private static func unitingBytes(_ parts: [Part], repairs: Bool) -> [Part] {
        var (result, run): ([Part], [UInt8]) = ([], [])
        func endRun() {
            guard !run.isEmpty else { return }
            if repairs, (try? UTF8Span(validating: run.span)) == nil {
                run = Array(repeatElement(Array("\u{FFFD}".utf8), count: run.count).joined())
            }
            result.append(Part(bytes: run))
            run = []
        }
        for part in parts {
            if let byte = byte(part.bytes) {
                run.append(byte)
            } else {
                endRun()
                result.append(part)
            }
        }
        endRun()
        return result
    }

    /// The byte that `<0x0A>` stands for.
    static func byte(_ text: [UInt8]) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    private static func respace(_ parts: inout [Part], _ replacement: Unicode.Scalar, _ scheme: PrependScheme) {
        let replacement = Array(String(replacement).utf8)
        for index in parts.indices {
            var (text, place): ([UInt8], Int) = ([], 0)
            let bytes = parts[index].bytes
            while place < bytes.count {
                if bytes[place...].starts(with: replacement) {
                    if index > 0 || scheme == .never { text.append(UInt8(ascii: " ")) }
                    place += replacement.count
                } else {
                    text.append(bytes[place])
                    place += 1
                }
            }
            parts[index].bytes = text
        }
    }

    private static func strip(_ text: inout [UInt8], _ content: [UInt8], _ start: Int, _ end: Int) {
        var rest = text[...]
        var count = 0
        while count < start, rest.starts(with: content) {
            rest = rest.dropFirst(content.count)
            count += 1
        }
        count = 0
        while count < end, rest.count >= content.count, rest.suffix(content.count).elementsEqual(content) {
            rest = rest.dropLast(content.count)
            count += 1
        }
        if rest.count < text.count { text = Array(rest) }
    }

    private static func replace(
        _ text: [UInt8], _ matcher: TextMatcher, _ content: [UInt8], _ room: RegularExpressionMatch, _ limit: Growth
    ) throws(RegularExpressionMatch.Failure) -> [UInt8] {
        guard !text.isEmpty else { return text }
        var result: [UInt8] = []
        var events = PieceEvents(matcher, 0..<text.count)
        while let event = try events.next(text.span, room) {
            result.append(contentsOf: event.isMatch ? content[...] : text[event.range])
            try limit.check(result.count)
        }
        return result
    }
}
