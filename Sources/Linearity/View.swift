/// Which tokens of each sequence are looked at.
public enum View: Sendable, Hashable {
    /// All of them, as the paper does.
    case allTokens
    /// Without the first `skipping` tokens of each sequence, where attention sinks stand.
    case withoutFirstTokens(skipping: Int)

    /// The name in profile.json.
    public var name: String {
        switch self {
        case .allTokens: "all_tokens"
        case .withoutFirstTokens: "without_first_token"
        }
    }

    public var skippedTokenCount: Int {
        switch self {
        case .allTokens: 0
        case .withoutFirstTokens(let count): count
        }
    }
}
