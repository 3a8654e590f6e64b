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
        let descriptor = unsafe open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw failure(path, "be made") }
        do {
            try body { bytes throws(ResultFolderError) in try append(bytes, descriptor, path) }
            guard fsync(descriptor) == 0, unsafe rename(temporaryPath, path) == 0 else {
                throw failure(path, "be put in place")
            }
            close(descriptor)
        } catch {
            close(descriptor)
            unsafe unlink(temporaryPath)
            throw error as? ResultFolderError ?? ResultFolderError(description: "\(error)")
        }
    }

    private static func append(_ bytes: RawSpan, _ descriptor: Int32, _ path: String) throws(ResultFolderError) {
        var done = 0
        while done < bytes.byteCount {
            let count = unsafe bytes.withUnsafeBytes {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: $0[done...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure(path, "be written") }
            done += count
        }
    }

    private static func failure(_ path: String, _ what: String) -> ResultFolderError {
        ResultFolderError(
            description: "\(path) could not \(what): \(unsafe String(cString: strerror(errno))); free some space")
    }
}
