import Glibc
import Synchronization

/// The paths of files and folders that are being written, kept so that a handler of signals can remove them.
public enum UnfinishedOutput {
    /// Paths of one process at a time; a model has fewer files.
    private static let capacity = 1024
    /// nil until there is a path, so that a handler has nothing to make.
    private nonisolated(unsafe) static var paths: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    private static let lock = Mutex(())

    /// Keeps the path of a file or a folder; where there are too many, it is left to its owner.
    static func add(_ path: String) {
        lock.withLock { _ in
            let paths = unsafe paths ?? makePaths()
            for index in 0..<capacity where unsafe paths[index] == nil {
                unsafe paths[index] = strdup(path)
                return
            }
        }
    }

    private static func makePaths() -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let made = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: capacity)
        unsafe made.initialize(repeating: nil, count: capacity)
        unsafe paths = made
        return unsafe made
    }

    /// Forgets a path.
    static func remove(_ path: String) {
        lock.withLock { _ in
            guard let paths = unsafe paths else { return }
            for index in 0..<capacity {
                guard let kept = unsafe paths[index], unsafe strcmp(kept, path) == 0 else { continue }
                unsafe paths[index] = nil
                unsafe free(kept)
            }
        }
    }

    /// Removes files and then folders from the disk, the last made first: for a handler of signals, before the program
    /// ends. Neither allocates nor locks.
    public static func removeAll() {
        guard let paths = unsafe paths else { return }
        for index in 0..<capacity { if let path = unsafe paths[index] { unsafe unlink(path) } }
        for index in (0..<capacity).reversed() { if let path = unsafe paths[index] { unsafe rmdir(path) } }
    }
}
