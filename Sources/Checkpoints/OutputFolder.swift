import Glibc

/// A new folder, written beside its place under another name and renamed when it is whole: it is there with all its
/// files or not at all.
public final class OutputFolder {
    /// Where the folder will be.
    public let path: String
    /// Where it is until then.
    private let stagingPath: String
    private var names: [String] = []
    private var isFinished = false

    /// Looks whether a folder can be made at `path`, and makes it under another name.
    ///
    /// - Throws: where something has this name already, or nothing can be written beside it.
    public init(_ path: String) throws(OutputError) {
        guard !path.isEmpty else { throw OutputError(description: "the name of the folder to write is empty") }
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        let parent = Folder.parent(of: path)
        guard !Folder.hasEntry(path) else {
            throw OutputError(description: "\(path.legible) exists already; give another place")
        }
        guard Folder.exists(parent) else {
            throw OutputError(
                description: "the folder \(parent.legible) does not exist; make it, or give another place")
        }
        var template = Array("\(parent)/.straightedge-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw .failure("a folder in \(parent)", "be made") }
        unsafe chmod(template, 0o755)
        stagingPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.path = path
        UnfinishedOutput.add(stagingPath)
    }

    deinit {
        if !isFinished {
            for name in names.reversed() where unsafe unlink("\(stagingPath)/\(name)") != 0 {
                unsafe rmdir("\(stagingPath)/\(name)")
            }
            unsafe rmdir(stagingPath)
        }
        forget()
    }

    private func forget() {
        for name in names { UnfinishedOutput.remove("\(stagingPath)/\(name)") }
        UnfinishedOutput.remove(stagingPath)
    }

    private func add(_ name: String) {
        names.append(name)
        UnfinishedOutput.add("\(stagingPath)/\(name)")
    }

    /// Makes a folder in the folder.
    ///
    /// - Parameter name: A plain name.
    public func makeFolder(_ name: String) throws(OutputError) {
        guard unsafe mkdir("\(stagingPath)/\(name)", 0o755) == 0 else {
            throw .failure("\(path)/\(name)", "be made")
        }
        add(name)
    }

    /// Makes a file of the folder.
    ///
    /// - Parameter name: A plain name, or one behind that of a folder that was made in it.
    public func makeFile(_ name: String) throws(OutputError) -> OutputFile {
        let file = try OutputFile(making: "\(stagingPath)/\(name)", finalPath: "\(path)/\(name)")
        add(name)
        return file
    }

    /// Where somebody else makes a file of the folder.
    ///
    /// - Parameter name: A plain name.
    public func place(_ name: String) -> String {
        add(name)
        return "\(stagingPath)/\(name)"
    }

    /// Makes a file of a text.
    public func write(_ text: String, to name: String) throws(OutputError) {
        let file = try makeFile(name)
        try file.write(text)
        try file.finish()
    }

    /// Whether a file of this name was made.
    public func contains(_ name: String) -> Bool { names.contains(name) }

    /// Gives the folder as it is so far to `body`, at the place where it is until it is finished.
    public func check<Result, Failure: Error>(
        _ body: (_ path: String) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(stagingPath)
    }

    /// Puts the folder in its place.
    public func finish() throws(OutputError) {
        guard !Folder.hasEntry(path) else {
            throw OutputError(description: "\(path.legible) was made by another program meanwhile; give another place")
        }
        try OutputFile.move(stagingPath, to: path)
        isFinished = true
    }
}
