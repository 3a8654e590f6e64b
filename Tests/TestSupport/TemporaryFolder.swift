import Glibc

/// A folder of a test's own, removed with its files when the test is done with it.
public final class TemporaryFolder {
    public let path: String

    public init() throws {
        var template = Array("/tmp/straightedge-test-XXXXXX".utf8CString)
        guard let path = unsafe mkdtemp(&template) else { throw Failure(call: "mkdtemp", code: errno) }
        self.path = unsafe String(cString: path)
    }

    deinit { removeTree(path) }

    /// Writes a file and returns its path; folders on the way are made.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String) throws -> String {
        var folder = path
        for component in name.split(separator: "/").dropLast() {
            folder += "/\(component)"
            unsafe mkdir(folder, 0o755)
        }
        let file = "\(path)/\(name)"
        guard let stream = unsafe fopen(file, "w") else { throw Failure(call: "fopen \(file)", code: errno) }
        defer { unsafe fclose(stream) }
        guard unsafe fwrite(bytes, 1, bytes.count, stream) == bytes.count else {
            throw Failure(call: "fwrite \(file)", code: errno)
        }
        return file
    }

    @discardableResult
    public func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    /// The text of a file, at most 256 KiB.
    public func text(_ name: String) throws -> String {
        let file = "\(path)/\(name)"
        guard let stream = unsafe fopen(file, "r") else { throw Failure(call: "fopen \(file)", code: errno) }
        defer { unsafe fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// What the folder, or a folder in it, holds, in order.
    public func names(in folder: String = ".") -> [String] { entries("\(path)/\(folder)").sorted() }

    public struct Failure: Error {
        let call: String
        let code: CInt
    }
}

private func entries(_ folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// Removes a folder and what it holds; what cannot be removed is left.
private func removeTree(_ path: String) {
    for name in entries(path) where unsafe unlink("\(path)/\(name)") != 0 { removeTree("\(path)/\(name)") }
    unsafe rmdir(path)
}
