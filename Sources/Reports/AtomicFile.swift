import Checkpoints
import Glibc

/// A small file that is replaced whole, or not at all.
enum AtomicFile {
    /// The ending of a file that is being written.
    static let temporaryEnding = ".partial"

    /// Writes what `body` passes on, piece by piece, and puts it in place once it is on the disk.
    static func write(
        _ path: String, _ body: ((RawSpan) throws(ResultFolderError) -> Void) throws -> Void
    ) throws(ResultFolderError) {
        let temporaryPath = path + temporaryEnding
        // What an interruption left is written anew.
        unsafe unlink(temporaryPath)
        do {
            let file = try OutputFile(making: temporaryPath, finalPath: path)
            try body { bytes throws(ResultFolderError) in
                try wrappingOutput { () throws(OutputError) in try file.write(bytes) }
            }
            try file.finish()
            try OutputFile.move(temporaryPath, to: path)
        } catch {
            unsafe unlink(temporaryPath)
            throw error as? ResultFolderError ?? ResultFolderError(description: "\(error)")
        }
    }
}

/// Runs `body`, and rethrows its error as this room's.
func wrappingOutput<Result>(_ body: () throws(OutputError) -> Result) throws(ResultFolderError) -> Result {
    do { return try body() } catch { throw ResultFolderError(description: error.description) }
}
