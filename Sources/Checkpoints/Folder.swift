import Glibc

/// Folders and paths, as far as opening a checkpoint needs them.
package enum Folder {
    /// Whether `path` is a folder; links are followed.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether anything is at `path`, and be it a link to nothing.
    static func hasEntry(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// Whether `path` is a file, not a folder, a device or a pipe; links are followed, and one to nothing is as good.
    static func isReplaceable(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG
    }

    /// What the link at `path` points to; nil where there is no link.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The names in the folder.
    package static func names(in path: String) throws(CheckpointError) -> Set<String> {
        guard let stream = unsafe opendir(path) else {
            throw .unreadable(path: path, reason: unsafe String(cString: strerror(errno)))
        }
        defer { unsafe closedir(stream) }
        var names: Set<String> = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.insert(name)
        }
        return names
    }

    /// The path's last component; of "." and "..", that of the folder they stand for.
    static func lastComponent(_ path: String) -> String {
        let last = components(path).last ?? "."
        guard last == "." || last == ".." else { return last }
        guard let resolved = unsafe realpath(path, nil) else { return last }
        defer { unsafe free(resolved) }
        return unsafe components(String(cString: resolved)).last ?? "root"
    }

    /// The folder that the file at `path` stands in.
    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func components(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init)
    }
}
