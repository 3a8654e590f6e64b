import Synchronization

/// What encoding needs room for, and what it remembers from one text to the next.
struct Workspace {
    var classes = CharacterClasses()
    var cache = WordCache()
    var scratch = BytePairEncoder.Scratch()
    /// A piece with a space in front.
    var prefixed: [UInt8] = []
}

/// Workspaces that wait for the next text: as many as texts were encoded at the same time.
final class WorkspacePool: Sendable {
    private let waiting = Mutex<[Workspace]>([])

    func take() -> Workspace { waiting.withLock { $0.popLast() } ?? Workspace() }

    func giveBack(_ workspace: consuming sending Workspace) {
        let workspace = workspace
        waiting.withLock { $0.append(workspace) }
    }
}
