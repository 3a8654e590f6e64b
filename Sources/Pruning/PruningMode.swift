/// What is done with layers that are cut.
public enum PruningMode: String, Sendable, Hashable, CaseIterable {
    /// They are left out.
    case remove
    /// A linear map of the stream stands in the place of each run of layers.
    case replace
    /// They are left out, and the last projection before them makes up for it.
    case merge
}
