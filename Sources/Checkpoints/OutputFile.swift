import Glibc

/// Why a file could not be written.
public struct OutputError: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }

    /// What failed at `path`, with the reason that the system left behind.
    package static func failure(_ path: String, _ what: String) -> OutputError {
        let code = errno
        let remedy = [ENOSPC, EDQUOT, EFBIG].contains(code) ? "; free some space, or write elsewhere" : ""
        return OutputError(
            description: "\(path.legible) could not \(what): \(unsafe String(cString: strerror(code)))\(remedy)")
    }
}

/// A file that is written from front to back: every byte of it, or an error with its name.
public final class OutputFile {
    /// Of the file, for messages: where it will be found when all is done.
    public let path: String
    /// Bytes that were written.
    public private(set) var byteCount = 0
    private var descriptor: Int32

    /// Makes a file that is not there yet.
    ///
    /// - Parameters:
    ///   - path: Where it is written.
    ///   - finalPath: Where it will be in the end, for messages; nil: where it is written.
    /// - Throws: where something has this name already, or nothing can be written there.
    public init(making path: String, finalPath: String? = nil) throws(OutputError) {
        self.path = finalPath ?? path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .failure(self.path, "be made") }
    }

    private init(descriptor: Int32, path: String) {
        (self.descriptor, self.path) = (descriptor, path)
    }

    /// Makes a file in the folder of `path` under a name that nothing has.
    public static func makeTemporary(
        beside path: String
    ) throws(OutputError) -> (file: OutputFile, temporaryPath: String) {
        var template = Array("\(path).XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { throw .failure(path, "be made") }
        _ = fchmod(descriptor, 0o644)
        let temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (OutputFile(descriptor: descriptor, path: path), temporaryPath)
    }

    /// Puts a file or a folder in its place.
    public static func move(_ source: String, to destination: String) throws(OutputError) {
        guard unsafe rename(source, destination) == 0 else { throw .failure(destination, "be put in place") }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Appends bytes.
    public func write(_ bytes: RawSpan) throws(OutputError) {
        var done = 0
        while done < bytes.byteCount {
            let count = unsafe bytes.withUnsafeBytes {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: $0[done...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .failure(path, "be written") }
            done += count
        }
        byteCount += bytes.byteCount
    }

    /// Appends elements as they are in memory.
    public func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(OutputError) {
        // An optimizing compiler lets a small array go before its span is read.
        try unsafe elements.withUnsafeBufferPointer { buffer throws(OutputError) in
            try unsafe write(UnsafeRawBufferPointer(buffer).bytes)
        }
    }

    /// Goes on behind so many zeros, which take no room on the disk.
    func skip(_ count: Int) throws(OutputError) {
        let end = lseek(descriptor, off_t(count), SEEK_CUR)
        guard end >= 0, ftruncate(descriptor, end) == 0 else { throw .failure(path, "be written") }
        byteCount += count
    }

    /// Writes elements over those from byte `offset` on; what is appended later stands behind the end as before.
    func overwrite<Element: BitwiseCopyable>(_ elements: [Element], at offset: Int) throws(OutputError) {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        var done = 0
        while done < byteCount {
            let count = unsafe elements.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                return unsafe pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .failure(path, "be written") }
            done += count
        }
    }

    /// Appends a text in UTF-8.
    public func write(_ text: String) throws(OutputError) { try write(Array(text.utf8)) }

    /// Has everything on the disk; nothing can be written afterwards.
    public func finish() throws(OutputError) {
        let isSynchronized = fsync(descriptor) == 0
        let code = errno
        let isClosed = close(descriptor) == 0
        descriptor = -1
        if !isSynchronized { errno = code }
        guard isSynchronized, isClosed else { throw .failure(path, "be written") }
    }
}
