import Checkpoints
import Glibc

/// Why results could not be written.
public struct ResultFolderError: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}

/// The folder that results go to: written beside its place first and renamed, so that it is there whole or not at all.
public struct ResultFolder: Sendable {
    public let path: String
    private let replaces: Bool

    /// Looks whether results can go to `path`, before hours are spent on them.
    ///
    /// - Parameter replaces: Whether files of a folder that exists may be replaced; others in it are never touched.
    /// - Throws: `ResultFolderError` where the path is taken, or its folder cannot be written to.
    public init(_ path: String, replaces: Bool) throws(ResultFolderError) {
        guard !path.isEmpty else {
            throw ResultFolderError(description: "--out: the name of the folder for the results is empty")
        }
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.path = trimmed
        self.replaces = replaces
        if ResultFolder.exists(trimmed) {
            guard replaces else {
                throw ResultFolderError(
                    description:
                        "\(trimmed) exists already; give another --out, or --force to replace the results in it")
            }
            guard Folder.exists(trimmed) else {
                throw ResultFolderError(description: "\(trimmed) is a file; --out needs a folder")
            }
        }
        let writable = ResultFolder.exists(trimmed) ? trimmed : ResultFolder.parent(of: trimmed)
        guard Folder.exists(writable) else {
            throw ResultFolderError(
                description: "the folder \(writable) does not exist; make it, or give another --out")
        }
        guard unsafe access(writable, W_OK | X_OK) == 0 else {
            throw ResultFolderError(
                description: "the folder \(writable) cannot be written to: \(ResultFolder.reason()); give another --out"
            )
        }
    }

    /// Writes all files, or none: a new folder appears whole; in a folder that exists each file is replaced whole.
    public func write(_ files: [(name: String, text: String)]) throws(ResultFolderError) {
        // An interruption in the middle of the renames waits until they are done.
        var blocked = sigset_t()
        var previous = sigset_t()
        unsafe sigemptyset(&blocked)
        for signal in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&blocked, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &blocked, &previous)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }

        let exists = ResultFolder.exists(path)
        let staging = try makeStagingFolder(in: exists ? path : ResultFolder.parent(of: path))
        do throws(ResultFolderError) {
            for file in files { try ResultFolder.write(file.text, to: "\(staging)/\(file.name)") }
            if exists {
                for file in files { try ResultFolder.move("\(staging)/\(file.name)", to: "\(path)/\(file.name)") }
                unsafe rmdir(staging)
            } else {
                try ResultFolder.move(staging, to: path)
            }
        } catch {
            for file in files { unsafe unlink("\(staging)/\(file.name)") }
            unsafe rmdir(staging)
            throw error
        }
    }

    private func makeStagingFolder(in folder: String) throws(ResultFolderError) -> String {
        var template = Array("\(folder)/.straightedge-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw ResultFolderError(description: "a folder in \(folder) could not be made: \(ResultFolder.reason())")
        }
        unsafe chmod(template, 0o755)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func write(_ text: String, to path: String) throws(ResultFolderError) {
        try wrappingOutput { () throws(OutputError) in
            let file = try OutputFile(making: path)
            try file.write(text)
            try file.finish()
        }
    }

    private static func move(_ source: String, to destination: String) throws(ResultFolderError) {
        try wrappingOutput { () throws(OutputError) in try OutputFile.move(source, to: destination) }
    }

    /// Whether there is anything of this name.
    public static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// The names of what is in a folder and no folder itself; none where there is no folder.
    static func fileNames(in path: String) throws(ResultFolderError) -> [String] {
        guard Folder.exists(path) else { return [] }
        do {
            return try Folder.names(in: path).filter { !Folder.exists("\(path)/\($0)") }.sorted()
        } catch {
            throw ResultFolderError(description: "\(error)")
        }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func reason() -> String { unsafe String(cString: strerror(errno)) }
}
