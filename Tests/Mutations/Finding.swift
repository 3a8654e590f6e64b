/// A case that ended otherwise than by being read or refused.
struct Finding {
    let format: String
    let seed: UInt64
    /// What happened, and what the worker wrote on its standard error.
    let what: String
    /// Where the files of the case are kept.
    let path: String

    var description: String { "\(format) seed \(seed): \(what)\n    files: \(path)" }
}
