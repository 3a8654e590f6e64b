import Checkpoints
import Glibc
import Reports

/// A file that is written from front to back, and appears under its name only when it is whole.
final class WholeFile {
    private let path: String
    private let temporaryPath: String
    private let file: OutputFile
    private var isFinished = false

    /// - Throws: where the path is taken and may not be replaced, or nothing can be written beside it.
    init(path: String, replaces: Bool, option: String = "--out") throws(ResultFolderError) {
        self.path = path
        if !replaces, unsafe access(path, F_OK) == 0 {
            throw ResultFolderError(
                description: "\(path) exists already; give another \(option), or --force to replace it")
        }
        (file, temporaryPath) = try WholeFile.wrapping { () throws(OutputError) in
            try OutputFile.makeTemporary(beside: path)
        }
    }

    deinit {
        if !isFinished { unsafe unlink(temporaryPath) }
    }

    /// Appends elements.
    func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(ResultFolderError) {
        try WholeFile.wrapping { () throws(OutputError) in try file.write(elements) }
    }

    /// Puts the file in its place.
    func finish() throws(ResultFolderError) {
        try WholeFile.wrapping { () throws(OutputError) in
            try file.finish()
            try OutputFile.move(temporaryPath, to: path)
        }
        isFinished = true
    }

    private static func wrapping<Result>(
        _ body: () throws(OutputError) -> Result
    ) throws(ResultFolderError) -> Result {
        do { return try body() } catch { throw ResultFolderError(description: error.description) }
    }
}
