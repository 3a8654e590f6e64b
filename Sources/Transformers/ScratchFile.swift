import Glibc

/// A temporary file without a name: it vanishes with the process, however that ends.
struct ScratchFile: ~Copyable, Sendable {
    private let descriptor: Int32
    private let folder: String

    /// A file of `byteCount` bytes in `TMPDIR`, or in /var/tmp, which is on a disk where /tmp may be memory.
    init(byteCount: Int) throws(TransformerError) {
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
        var template = Array("\(folder)/straightedge-stream-XXXXXX".utf8CString)
        descriptor = unsafe mkstemp(&template)
        self.folder = folder
        guard descriptor >= 0 else { throw ScratchFile.failure(folder, "creating") }
        unsafe unlink(template)
        let status = posix_fallocate(descriptor, 0, byteCount)
        guard status == 0 else { throw ScratchFile.failure(folder, "reserving \(byteCount) bytes", status) }
    }

    deinit {
        close(descriptor)
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(TransformerError) {
        try transfer(bytes.byteCount, "writing") { done in
            unsafe bytes.withUnsafeBytes {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: $0[done...])
                return unsafe pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            }
        }
    }

    func read(into bytes: inout MutableRawSpan, at offset: Int) throws(TransformerError) {
        try transfer(bytes.byteCount, "reading") { done in
            unsafe bytes.withUnsafeMutableBytes {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: $0[done...])
                return unsafe pread(descriptor, rest.baseAddress, rest.count, offset + done)
            }
        }
    }

    /// Calls `step` with the bytes done so far until all are; it returns how many more it moved.
    private func transfer(
        _ byteCount: Int, _ operation: String, _ step: (Int) -> Int
    ) throws(TransformerError) {
        var done = 0
        while done < byteCount {
            let count = step(done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw ScratchFile.failure(folder, operation) }
            done += count
        }
    }

    private static func failure(_ folder: String, _ operation: String, _ code: Int32 = errno) -> TransformerError {
        .scratchFile(path: folder, operation: operation, reason: unsafe String(cString: strerror(code)))
    }
}
