public import Checkpoints

extension Corpus {
    /// Consecutive windows of a text, the last one short where the text ends.
    ///
    /// No more of the text is encoded than is needed. Special tokens in it become their ids, as in
    /// the reference libraries by default.
    ///
    /// - Parameters:
    ///   - length: tokens of a window, the beginning-of-sequence token included.
    ///   - count: at most so many windows; without it as many as give `minimumTokenCount` tokens.
    ///   - bos: whether each window starts with the beginning-of-sequence token.
    /// - Throws: `emptyText`, `notUTF8`, `argument`, and `unsupported` for a tokenizer without that token.
    public static func windows(
        of text: MappedFile, tokenizer: Tokenizer, length: Int = 512, count: Int? = nil,
        enoughFor minimumTokenCount: Int, bos: Bool
    ) throws(TokenizerError) -> Corpus {
        try windows(
            of: SourceText(text), tokenizer: tokenizer, length: length, count: count, enoughFor: minimumTokenCount,
            bos: bos)
    }

    static func windows(
        of text: SourceText, tokenizer: Tokenizer, length: Int = 512, count: Int? = nil,
        enoughFor minimumTokenCount: Int, bos: Bool
    ) throws(TokenizerError) -> Corpus {
        let beginning = try beginning(bos, tokenizer)
        try require(length, "the length of a window", atLeast: beginning.count + 1)
        try require(minimumTokenCount, "the number of tokens", atLeast: 1)
        if let count { try require(count, "the number of windows", atLeast: 1) }
        let step = length - beginning.count
        let windowCount = count ?? (minimumTokenCount - 1) / length + 1
        let (wanted, overflows) = windowCount.multipliedReportingOverflow(by: step)
        let encoding = try tokenizer.encoding(
            of: text.bytes.span, atLeast: overflows ? .max : wanted)
        let ids = encoding.ids.prefix(overflows ? .max : wanted)
        guard !ids.isEmpty else { throw .emptyText(source: text.name) }
        let sequences = stride(from: 0, to: ids.count, by: step).map { start in
            beginning + ids[start..<min(start + step, ids.count)]
        }
        let (asked, isHuge) = windowCount.multipliedReportingOverflow(by: length)
        return Corpus(
            sequences: sequences, source: text.name, protocolDescription: "consecutive windows of \(length) tokens",
            askedTokenCount: count == nil ? minimumTokenCount : isHuge ? .max : asked, hasBeginningOfSequence: bos,
            lostByteCount: encoding.lostByteCount)
    }
}
