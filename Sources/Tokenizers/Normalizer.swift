/// A step that changes a text before it is cut, as the `tokenizers` library defines it.
enum Normalizer: Equatable, Sendable {
    /// Unicode's normalization form.
    case form(NormalizationForm)
    /// Each character becomes its lower case, whatever its neighbours are.
    case lowercase
    /// Nonspacing marks (general category Mn) are taken out.
    case stripAccents
    /// White space at the ends is taken off.
    case strip(left: Bool, right: Bool)
    case replace(TextPattern, with: String)
    /// Puts a text in front, unless there is no text.
    case prepend(String)
    /// Each byte becomes its character of the byte-level alphabet.
    case byteLevel
    /// What SentencePiece's map of characters makes of graphemes, or of their characters.
    case precompiled(CharacterMap)
}

/// Unicode's normalization forms (Unicode Standard Annex 15).
enum NormalizationForm: String, Equatable, Sendable, CaseIterable {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"
}
