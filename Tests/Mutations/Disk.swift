import Glibc

/// Files and folders, as far as cases need them.
enum Disk {
    struct Failure: Error, CustomStringConvertible {
        let call: String
        let code: Int32

        var description: String { "\(call): \(unsafe String(cString: strerror(code)))" }
    }

    static func check(_ status: some SignedInteger, _ call: @autoclosure () -> String) throws {
        if status < 0 { throw Failure(call: call(), code: errno) }
    }

    /// A new folder in `TMPDIR`, or in /tmp.
    static func makeTemporaryFolder() throws -> String {
        let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/straightedge-mutations-XXXXXX".utf8CString)
        guard let path = unsafe mkdtemp(&template) else { throw Failure(call: "mkdtemp in \(parent)", code: errno) }
        return unsafe String(cString: path)
    }

    /// Makes a folder and those on the way.
    static func makeFolder(_ path: String) {
        var partial = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            partial += "/\(component)"
            unsafe mkdir(partial, 0o755)
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        try check(descriptor, "open \(path)")
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress.map { unsafe $0 + done }, $0.count - done)
            }
            try check(count, "write \(path)")
            done += count
        }
    }

    /// The bytes of a file, at most `limit`; empty where it cannot be read.
    static func read(_ path: String, limit: Int = 1 << 16) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe Glibc.read(descriptor, &bytes, limit)
        return Array(bytes.prefix(max(0, count)))
    }

    static func names(in folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes what a folder holds; the folder is made where it is missing.
    static func empty(_ folder: String) {
        unsafe mkdir(folder, 0o755)
        for name in names(in: folder) { remove("\(folder)/\(name)") }
    }

    static func remove(_ path: String) {
        if unsafe unlink(path) == 0 { return }
        for name in names(in: path) { remove("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
