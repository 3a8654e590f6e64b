/// A token that is found in the text as it is, before anything else is done to the text.
struct AddedToken: Equatable, Sendable {
    var content: String
    var id: Int32
    /// A control token, such as the beginning of a sequence: part of the text only where the caller says so.
    var isSpecial: Bool
    /// Only where no word character stands beside it.
    var isSingleWord = false
    /// Takes the white space in front of it.
    var stripsLeft = false
    /// Takes the white space after it.
    var stripsRight = false
    /// Looked for after those that are not, in what these leave.
    var isNormalized = false

    /// Far beyond the longest of real tokenizers. Looking for tokens takes a text's length times theirs at worst.
    static let byteCountLimit = 1024
}
