extension CharacterMap {
    /// Changes a text as the `tokenizers` library does by its `Precompiled` normalizer: of each grapheme of up to five
    /// bytes, else of each of its characters, the shortest start that the map has stands for all of it.
    func normalizeGraphemes(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var start = 0
        while start < text.count {
            let end = Self.endOfPart(text, from: start)
            if text[start] < 0x80, end == start + 1 {
                append(text.span, start..<end, to: &result)
            } else {
                appendGraphemes(text, start..<end, to: &result)
            }
            start = end
        }
        return result
    }

    /// One ASCII character, or what lies between two ASCII characters with them: graphemes do not reach across. Carriage
    /// return and line feed are one.
    private static func endOfPart(_ text: [UInt8], from start: Int) -> Int {
        var end = start + 1
        if text[start] == UInt8(ascii: "\r"), end < text.count, text[end] == UInt8(ascii: "\n") { return end + 1 }
        guard text[start] >= 0x80 || (end < text.count && text[end] >= 0x80) else { return end }
        while end < text.count {
            end += 1
            // An ASCII character that is followed by another one ends it.
            if text[end - 1] < 0x80, end == text.count || text[end] < 0x80 { break }
        }
        // Its line feed is part of the last character.
        if text[end - 1] == UInt8(ascii: "\r"), end < text.count, text[end] == UInt8(ascii: "\n") { end += 1 }
        return end
    }

    private func appendGraphemes(_ text: [UInt8], _ range: Range<Int>, to result: inout [UInt8]) {
        for grapheme in String(decoding: text[range], as: UTF8.self) {
            let bytes = Array(grapheme.utf8)
            if bytes.count < 6, let match = match(in: bytes.span, 0..<bytes.count, shortest: true) {
                result.append(contentsOf: replacements[replacement(match.value)])
                continue
            }
            var start = 0
            while start < bytes.count {
                let byteCount = UnigramEncoder.characterByteCount(bytes[start])
                append(bytes.span, start..<start + byteCount, to: &result)
                start += byteCount
            }
        }
    }

    private func append(_ text: Span<UInt8>, _ range: Range<Int>, to result: inout [UInt8]) {
        if let match = match(in: text, range, shortest: true) {
            result.append(contentsOf: replacements[replacement(match.value)])
        } else {
            for index in range { result.append(text[index]) }
        }
    }
}
