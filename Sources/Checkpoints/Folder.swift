import Glibc

/// Folders and paths, as far as opening a checkpoint needs them.
enum Folder {
    /// Whether `path` is a folder; links are followed.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in the folder.
    static func names(in path: String) throws(CheckpointError) -> Set<String> {
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

    static func components(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init)
    }
}
