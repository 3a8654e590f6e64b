import Glibc
import Synchronization

/// A file mapped read-only into memory: its pages are read when they are touched and can be dropped by the system.
///
/// The mapping lasts as long as this object. A file that another process truncates meanwhile stops the process when
/// the lost pages are touched, as with every use of mmap: weights are to be replaced by renaming, not in place.
@safe
public final class MappedFile: Sendable {
    public let path: String

    /// The whole file. The buffer is valid while this object lives: keep the object as long as the buffer.
    public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    public var byteCount: Int { unsafe bytes.count }

    /// Maps the file.
    ///
    /// - Throws: `missing`, `brokenLink`, `isFolder`, `notRegularFile`, `unreadable` or `empty`.
    public init(_ path: String) throws(CheckpointError) {
        self.path = path
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure(errno, path) }
        defer { close(descriptor) }

        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Self.failure(errno, path) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw .isFolder(path: path)
        default: throw .notRegularFile(path: path)
        }
        guard status.st_size > 0 else { throw .empty(path: path) }

        Self.remember(FileIdentity(status))
        let byteCount = Int(status.st_size)
        let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else { throw Self.failure(errno, path) }
        unsafe bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
    }

    /// Files that this process has read, the first of them: a command has fewer.
    private static let read = Mutex<Set<FileIdentity>>([])
    private static let readLimit = 4096

    private static func remember(_ identity: FileIdentity) {
        read.withLock { if $0.count < readLimit { $0.insert(identity) } }
    }

    /// Whether what is at `path` now was mapped before, under whatever name.
    static func wasRead(_ path: String) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return false }
        let identity = FileIdentity(status)
        return read.withLock { $0.contains(identity) }
    }

    deinit {
        // Cannot fail for a range that mmap returned, and a destructor has nobody to tell.
        unsafe munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Pages that one access may map around the byte it is after; the kernel's `fault_around_bytes`.
    private static let surroundingByteCount = 1 << 16

    /// Gives the pages of these bytes, and what was mapped around them, back to the system; where they are touched again,
    /// they are read again.
    public func release(_ range: Range<Int>) {
        advise(
            max(
                0, range.lowerBound - Self.surroundingByteCount)..<min(
                    byteCount, range.upperBound + Self.surroundingByteCount), MADV_DONTNEED)
    }

    /// Has the system read the pages of these bytes in the background.
    public func prefetch(_ range: Range<Int>) {
        advise(range.clamped(to: 0..<byteCount), MADV_WILLNEED)
    }

    /// Advice that is not taken changes nothing but speed and memory.
    private func advise(_ range: Range<Int>, _ advice: CInt) {
        guard !range.isEmpty, let start = unsafe bytes.baseAddress else { return }
        let begin = range.lowerBound & ~(Self.pageByteCount - 1)
        unsafe _ = madvise(UnsafeMutableRawPointer(mutating: start + begin), range.upperBound - begin, advice)
    }

    private static let pageByteCount = Int(sysconf(Int32(_SC_PAGESIZE)))

    private static func failure(_ code: CInt, _ path: String) -> CheckpointError {
        switch code {
        case ENOENT: Folder.linkTarget(path).map { .brokenLink(path: path, target: $0) } ?? .missing(path: path)
        case ENOTDIR: .missing(path: path)
        default: .unreadable(path: path, reason: unsafe String(cString: strerror(code)))
        }
    }
}

/// A file as it is at one time, whatever its names.
private struct FileIdentity: Hashable {
    private let device: UInt
    private let number: UInt
    private let byteCount: Int
    private let seconds: Int
    private let nanoseconds: Int

    init(_ status: stat) {
        (device, number, byteCount) = (status.st_dev, status.st_ino, status.st_size)
        (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
}
