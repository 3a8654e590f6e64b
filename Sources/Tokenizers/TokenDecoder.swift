/// A step from tokens to text, as the `tokenizers` library defines it: it changes a list of texts, which are joined after
/// the last step.
enum TokenDecoder: Equatable, Sendable {
    /// The characters of the byte-level alphabet become bytes.
    case byteLevel
    /// `<0x00>` to `<0xFF>` become bytes.
    case byteFallback
    /// `replacement` becomes a space; that at the start of the first text is taken off unless the scheme is `never`.
    case metaspace(replacement: Unicode.Scalar, PrependScheme)
    /// The texts become one.
    case fuse
    /// Takes up to so many of a character off the start and the end of each text.
    case strip(Unicode.Scalar, start: Int, end: Int)
    case replace(TextPattern, with: String)
    /// SentencePiece's pieces become one text.
    case sentencePiece(LeadingSpaces)
}
