public import Checkpoints

extension Corpus {
    /// A whole text in windows, the last one short where the text ends, for scoring each of its tokens once: what a window
    /// shares with the one before is its context.
    ///
    /// Special tokens in the text become their ids, as in the reference libraries by default.
    ///
    /// - Parameters:
    ///   - length: tokens of a window, the beginning-of-sequence token included.
    ///   - stride: tokens of the text from the start of a window to that of the next; nil for windows that do not overlap.
    ///   - count: at most so many windows; the rest of the text is not encoded.
    ///   - bos: whether each window starts with the beginning-of-sequence token.
    /// - Throws: `emptyText`, `notUTF8`, `argument`, and `unsupported` for a tokenizer without that token.
    public static func slidingWindows(
        of text: MappedFile, tokenizer: Tokenizer, length: Int = 512, stride: Int? = nil, count: Int? = nil, bos: Bool
    ) throws(TokenizerError) -> Corpus {
        let text = try SourceText(text)
        let beginning = try beginning(bos, tokenizer)
        try require(length, "the length of a window", atLeast: beginning.count + 1)
        let width = length - beginning.count
        let step = stride ?? width
        guard (1...width).contains(step) else {
            throw .argument(name: "the stride", value: step, expected: "1 to \(width), what a window holds of the text")
        }
        if let count { try require(count, "the number of windows", atLeast: 1) }
        let (starts, overflows) = step.multipliedReportingOverflow(by: (count ?? .max) - 1)
        let (wanted, exceeds) = starts.addingReportingOverflow(width)
        let limit = overflows || exceeds ? Int.max : wanted
        let encoding = try tokenizer.encoding(of: text.bytes.span, atLeast: limit)
        let ids = encoding.ids.prefix(limit)
        guard !ids.isEmpty else { throw .emptyText(source: text.name) }
        var (sequences, contexts, begin, end) = ([[Int32]](), [Int](), 0, 0)
        while end < ids.count {
            contexts.append(beginning.count + end - begin)
            end = min(begin + width, ids.count)
            sequences.append(beginning + ids[begin..<end])
            begin += step
        }
        let kind =
            step == width ? "consecutive windows of \(length) tokens" : "windows of \(length) tokens, \(step) apart"
        return Corpus(
            sequences: sequences, source: text.name, protocolDescription: kind, hasBeginningOfSequence: bos,
            lostByteCount: encoding.lostByteCount, contextTokenCounts: contexts)
    }
}
