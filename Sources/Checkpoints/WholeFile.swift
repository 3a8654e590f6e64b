import Glibc

/// A file that is written from front to back, and appears under its name only when it is whole.
public final class WholeFile {
    private let path: String
    /// Where the file is until it is finished: beside its place.
    public let temporaryPath: String
    private let file: OutputFile
    private let replaces: Bool
    private var isFinished = false

    /// - Parameter option: The option that named the path, for the message.
    /// - Throws: where the path is taken and may not be replaced, is that of a folder, a device or a pipe or of a file that
    ///   this process has read, or nothing can be written beside it.
    public init(path: String, replaces: Bool, option: String = "--out") throws(OutputError) {
        guard !path.isEmpty else { throw OutputError(description: "\(option): the name of the file to write is empty") }
        if Folder.hasEntry(path) {
            guard replaces else {
                throw OutputError(
                    description: "\(path.legible) exists already; give another \(option), or --force to replace it")
            }
            guard Folder.isReplaceable(path) else {
                throw OutputError(
                    description: "\(path.legible) is no file that could be replaced, but a folder, a device or a pipe; "
                        + "give another \(option)")
            }
            guard !MappedFile.wasRead(path) else {
                throw OutputError(
                    description: "\(path.legible) is read by this command, and would be lost; give another \(option)")
            }
        }
        let parent = Folder.parent(of: path)
        guard Folder.exists(parent) else {
            throw OutputError(
                description: "the folder \(parent.legible) does not exist; make it, or give another \(option)")
        }
        (self.path, self.replaces) = (path, replaces)
        (file, temporaryPath) = try OutputFile.makeTemporary(beside: path)
        UnfinishedOutput.add(temporaryPath)
    }

    deinit {
        if !isFinished { unsafe unlink(temporaryPath) }
        UnfinishedOutput.remove(temporaryPath)
    }

    /// Appends elements as they are in memory.
    public func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(OutputError) { try file.write(elements) }

    /// Appends bytes.
    public func write(_ bytes: RawSpan) throws(OutputError) { try file.write(bytes) }

    /// Writes elements over those from byte `offset` on; what is appended later stands behind the end as before.
    func overwrite<Element: BitwiseCopyable>(_ elements: [Element], at offset: Int) throws(OutputError) {
        try file.overwrite(elements, at: offset)
    }

    /// Goes on behind so many zeros, which take no room on the disk.
    func skip(_ byteCount: Int) throws(OutputError) { try file.skip(byteCount) }

    /// Puts the file in its place.
    public func finish() throws(OutputError) {
        try file.finish()
        if !replaces, Folder.hasEntry(path) {
            throw OutputError(description: "\(path.legible) was made by another program meanwhile; give another place")
        }
        try OutputFile.move(temporaryPath, to: path)
        isFinished = true
    }
}
