import Synchronization

/// What encoding needs room for, and what it remembers from one text to the next.
struct Workspace {
    var classes: CharacterClasses
    var cache = WordCache()
    var scratch = WordEncoder.Scratch()
    let match = RegularExpressionMatch()
    /// A piece with a space in front.
    var prefixed: [UInt8] = []

    init(knowsLaterNumbers: Bool) { classes = CharacterClasses(knowsLaterNumbers: knowsLaterNumbers) }
}

/// Workspaces that wait for the next text: as many as texts were encoded at the same time.
final class WorkspacePool: Sendable {
    private let waiting = Mutex<[Workspace]>([])
    private let knowsLaterNumbers: Bool

    init(knowsLaterNumbers: Bool) { self.knowsLaterNumbers = knowsLaterNumbers }

    func take() -> Workspace {
        waiting.withLock { $0.popLast() } ?? Workspace(knowsLaterNumbers: knowsLaterNumbers)
    }

    func giveBack(_ workspace: consuming sending Workspace) {
        let workspace = workspace
        waiting.withLock { $0.append(workspace) }
    }
}
