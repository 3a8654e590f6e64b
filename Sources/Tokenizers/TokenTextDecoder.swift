/// The decoders of a tokenizer, ready for use.
struct TokenTextDecoder: Sendable {
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
        _ tokens: consuming PackedTexts, repairs: Bool, _ room: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> [UInt8] {
        var texts = consume tokens
        let limit = Growth.limit(texts.bytes.count)
        for step in steps {
            switch step {
            case .byteLevel: texts = Self.unspelled(texts)
            case .byteFallback: texts = Self.unitingBytes(texts, repairs: repairs)
            case .metaspace(let replacement, let scheme): texts = Self.respaced(texts, replacement, scheme)
            case .fuse: texts = .fused(texts.bytes)
            case .sentencePiece(let spaces):
                var decoder = SentencePieceDecoder(spaces, repairs: repairs)
                for index in 0..<texts.count { decoder.append(texts[index], isLiteral: texts.isLiteral(index)) }
                texts = .fused(decoder.finish())
            case .strip(let scalar, let start, let end):
                texts = Self.stripped(texts, Array(String(scalar).utf8), start, end)
            case .replace(let matcher, let content):
                texts = try Self.replaced(texts, matcher, content, room, limit)
            }
        }
        return texts.bytes
    }
}

// MARK: - Steps

extension TokenTextDecoder {
    private static func unspelled(_ texts: PackedTexts) -> PackedTexts {
        var result: [UInt8] = []
        result.reserveCapacity(texts.bytes.count)
        for index in 0..<texts.count {
            let text = texts[index]
            let decoded =
                texts.isLiteral(index) ? nil : ByteLevelAlphabet.decode(String(decoding: text, as: UTF8.self))
            result.append(contentsOf: decoded?[...] ?? text)
        }
        return .fused(result)
    }

    private static func unitingBytes(_ texts: PackedTexts, repairs: Bool) -> PackedTexts {
        var (result, run): (PackedTexts, [UInt8]) = (PackedTexts(count: texts.count), [])
        func endRun() {
            guard !run.isEmpty else { return }
            if repairs, (try? UTF8Span(validating: run.span)) == nil {
                result.append(repeatElement("\u{FFFD}".utf8, count: run.count).joined())
            } else {
                result.append(run)
            }
            run = []
        }
        for index in 0..<texts.count {
            if let byte = byte(texts[index]) {
                run.append(byte)
            } else {
                endRun()
                result.append(texts[index], isLiteral: texts.isLiteral(index))
            }
        }
        endRun()
        return result
    }

    /// The byte that `<0x0A>` stands for.
    static func byte(_ text: ArraySlice<UInt8>) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text.last == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
    }

    private static func respaced(
        _ texts: PackedTexts, _ replacement: Unicode.Scalar, _ scheme: PrependScheme
    ) -> PackedTexts {
        let replacement = Array(String(replacement).utf8)
        var result = PackedTexts(count: texts.count)
        for index in 0..<texts.count {
            var rest = texts[index]
            while let first = rest.first {
                if first == replacement[0], rest.starts(with: replacement) {
                    if index > 0 || scheme == .never { result.add(CollectionOfOne(UInt8(ascii: " "))) }
                    rest = rest.dropFirst(replacement.count)
                } else {
                    result.add(CollectionOfOne(first))
                    rest = rest.dropFirst()
                }
            }
            result.endText(isLiteral: texts.isLiteral(index))
        }
        return result
    }

    private static func stripped(_ texts: PackedTexts, _ content: [UInt8], _ start: Int, _ end: Int) -> PackedTexts {
        var result = PackedTexts(count: texts.count)
        for index in 0..<texts.count {
            var (rest, count) = (texts[index], 0)
            while count < start, rest.starts(with: content) {
                rest = rest.dropFirst(content.count)
                count += 1
            }
            count = 0
            while count < end, rest.count >= content.count, rest.suffix(content.count).elementsEqual(content) {
                rest = rest.dropLast(content.count)
                count += 1
            }
            result.append(rest, isLiteral: texts.isLiteral(index))
        }
        return result
    }

    private static func replaced(
        _ texts: PackedTexts, _ matcher: TextMatcher, _ content: [UInt8], _ room: RegularExpressionMatch,
        _ limit: Growth
    ) throws(RegularExpressionMatch.Failure) -> PackedTexts {
        var result = PackedTexts(count: texts.count)
        for index in 0..<texts.count {
            let text = texts.bytes.span.extracting(texts.range(index))
            var events = PieceEvents(matcher, 0..<text.count)
            while !text.isEmpty, let event = try events.next(text, room) {
                let between = texts[index].dropFirst(event.range.lowerBound).prefix(event.range.count)
                result.add(event.isMatch ? content[...] : between)
                try limit.check(result.bytes.count)
            }
            result.endText(isLiteral: texts.isLiteral(index))
        }
        return result
    }
}
