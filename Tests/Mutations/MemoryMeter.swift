import Glibc

/// What one case takes, and what it may take.
///
/// The bound is `constant + factor · bytes of the files`, and it is the kernel that holds a case to it: the limit of a
/// process's data (`RLIMIT_DATA`) is set that much above what the process has, so that memory counts when it is asked
/// for, whether or not it is touched. What goes beyond is not had, which ends the process.
///
/// The constant is what the product takes whatever the file: the tokenizer's cache of words (32,768 slots of 24 bytes
/// and its tokens) and classes of characters, 2 MiB in all; the slab of a forward pass over four tokens, some KiB;
/// the C library's steps of 128 KiB. Twice that is granted.
///
/// The factor is that of the worst honest reading. The densest JSON is arrays inside each other, two bytes for one that
/// takes 80 with its header; an array of digits, two bytes an element of 24 bytes, takes 72 while it doubles its
/// capacity. The densest metadata is pairs of 16 bytes, for which keys (16), a table at most half full of keys and
/// values (2 · 80) and half of it again while it grows are 256. With what is made of them (a tokenizer keeps its JSON
/// while it is built), 64 bytes a byte.
struct MemoryMeter {
    static let constant = 4 << 20
    static let factor = 64

    /// Bytes of data that the whole process may have.
    let cap: Int
    private let before: Int
    private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    static func allowance(fileByteCount: Int) -> Int { constant + factor * fileByteCount }

    /// Starts to measure a case with files of so many bytes.
    init(cap: Int, fileByteCount: Int) {
        self.cap = cap
        try? Disk.write([UInt8(ascii: "5")], to: "/proc/self/clear_refs")
        let (resident, data) = Self.pages()
        before = resident
        Self.limit(min(cap, data + Self.allowance(fileByteCount: fileByteCount)))
    }

    /// Ends the case: the most bytes that it had in memory at once, pages of its files included.
    func finish() -> Int {
        Self.limit(cap)
        return max(0, Self.peak() - before)
    }

    private static func limit(_ byteCount: Int) {
        var limits = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limits)
        limits.rlim_cur = min(rlim_t(byteCount), limits.rlim_max)
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limits)
    }

    /// Bytes that are in memory, and bytes of private writable memory.
    private static func pages() -> (resident: Int, data: Int) {
        let words = String(decoding: Disk.read("/proc/self/statm", limit: 256), as: UTF8.self).split(separator: " ")
        guard words.count >= 6, let resident = Int(words[1]), let data = Int(words[5]) else { return (0, 0) }
        return (resident * pageSize, data * pageSize)
    }

    private static func peak() -> Int {
        let status = String(decoding: Disk.read("/proc/self/status", limit: 4096), as: UTF8.self)
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 } ?? 0
        }
        return 0
    }
}
