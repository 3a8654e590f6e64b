import Glibc
import Reports

/// A file that is written from front to back, and appears under its name only when it is whole.
final class WholeFile {
    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var isFinished = false

    /// - Throws: where the path is taken and may not be replaced, or nothing can be written beside it.
    init(path: String, replaces: Bool, option: String = "--out") throws(ResultFolderError) {
        self.path = path
        if !replaces, unsafe access(path, F_OK) == 0 {
            throw ResultFolderError(
                description: "\(path) exists already; give another \(option), or --force to replace it")
        }
        var template = Array("\(path).XXXXXX".utf8CString)
        descriptor = unsafe mkstemp(&template)
        temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else {
            throw ResultFolderError(description: "\(path) could not be made: \(WholeFile.reason())")
        }
        _ = fchmod(descriptor, 0o644)
    }

    deinit {
        close(descriptor)
        if !isFinished { unsafe unlink(temporaryPath) }
    }

    /// Appends elements.
    func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(ResultFolderError) {
        var done = 0
        let byteCount = elements.count * MemoryLayout<Element>.stride
        while done < byteCount {
            let count = unsafe elements.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw ResultFolderError(
                    description: "\(path) could not be written: \(WholeFile.reason()); free some space")
            }
            done += count
        }
    }

    /// Puts the file in its place.
    func finish() throws(ResultFolderError) {
        guard fsync(descriptor) == 0, unsafe rename(temporaryPath, path) == 0 else {
            throw ResultFolderError(description: "\(path) could not be put in place: \(WholeFile.reason())")
        }
        isFinished = true
    }

    private static func reason() -> String { unsafe String(cString: strerror(errno)) }
}
