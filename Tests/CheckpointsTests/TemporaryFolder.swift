import Glibc

/// A folder of a test's own, removed with its files when the test is done with it.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/checkpoints-tests-XXXXXX".utf8CString)
        guard let path = unsafe mkdtemp(&template) else { throw Failure(call: "mkdtemp", code: errno) }
        self.path = unsafe String(cString: path)
    }

    deinit { removeTree(path) }

    /// Writes a file and returns its path; folders on the way are made.
    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
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
    func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    struct Failure: Error {
        let call: String
        let code: CInt
    }
}

/// Removes a folder and what it holds; what cannot be removed is left.
private func removeTree(_ path: String) {
    if let stream = unsafe opendir(path) {
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            if unsafe unlink("\(path)/\(name)") != 0 { removeTree("\(path)/\(name)") }
        }
        unsafe closedir(stream)
    }
    unsafe rmdir(path)
}
