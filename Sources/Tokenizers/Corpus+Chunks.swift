public import Checkpoints

extension Corpus {
    /// Chunks of a text drawn at random, each encoded alone: those of Python's
    /// `random.seed(seed); random.sample(range(len(text) // characterCount), count)`, in that order.
    ///
    /// Special tokens in the text become their ids, as in the reference libraries by default.
    ///
    /// - Parameters:
    ///   - characterCount: Unicode scalars of a chunk.
    ///   - seed: not negative.
    ///   - bos: whether each chunk gets the beginning-of-sequence token in front.
    /// - Throws: `tooFewChunks`, `emptyText`, `notUTF8`, `argument`, and `unsupported` for a tokenizer without that token.
    public static func chunks(
        of text: MappedFile, tokenizer: Tokenizer, characterCount: Int, count: Int, seed: Int, bos: Bool
    ) throws(TokenizerError) -> Corpus {
        try chunks(
            of: SourceText(text), tokenizer: tokenizer, characterCount: characterCount, count: count, seed: seed,
            bos: bos)
    }

    static func chunks(
        of text: SourceText, tokenizer: Tokenizer, characterCount: Int, count: Int, seed: Int, bos: Bool
    ) throws(TokenizerError) -> Corpus {
        try require(characterCount, "the number of characters of a chunk", atLeast: 1)
        try require(count, "the number of chunks", atLeast: 1)
        try require(seed, "the seed", atLeast: 0)
        let beginning = try beginning(bos, tokenizer)
        let starts = text.chunkStarts(characterCount: characterCount)
        guard count < starts.count else {
            throw .tooFewChunks(
                source: text.name, asked: count, available: starts.count - 1, characterCount: characterCount)
        }
        var random = PythonRandom(seed: UInt(seed))
        var lostByteCount = 0
        var sequences: [[Int32]] = []
        for index in random.sample(count, outOf: starts.count - 1) {
            let chunk = Array(text.bytes[starts[index]..<starts[index + 1]])
            let encoding = try tokenizer.encoding(of: chunk.span)
            lostByteCount += encoding.lostByteCount
            // A chunk of characters that all lack tokens.
            if !(beginning + encoding.ids).isEmpty { sequences.append(beginning + encoding.ids) }
        }
        guard !sequences.isEmpty else { throw .emptyText(source: text.name) }
        return Corpus(
            sequences: sequences, source: text.name,
            protocolDescription: "\(count) random chunks of \(characterCount) characters", seed: seed,
            hasBeginningOfSequence: bos, lostByteCount: lostByteCount)
    }
}
