/// What is looked for in a text.
enum TextPattern: Equatable, Sendable {
    /// The text as it is; not empty.
    case literal(String)
    /// In the syntax of Oniguruma, as the `tokenizers` library has it.
    case regularExpression(String)
}
