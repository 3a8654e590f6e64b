import Glibc

/// The files of one case: what the product is given.
struct CaseFiles {
    /// What stands at a name.
    enum Content {
        case bytes([UInt8])
        case folder
        case pipe
        /// A symbolic link to this path.
        case link(String)
    }

    /// By their names, in the order in which they are made.
    private(set) var files: [(name: String, content: Content)] = []
    /// The name that is opened; nil opens the folder itself.
    var opened: String?

    /// The one file that is opened.
    init(_ name: String, _ bytes: [UInt8]) {
        files = [(name, .bytes(bytes))]
        opened = name
    }

    /// A folder with files.
    init(folder files: [(name: String, bytes: [UInt8])]) {
        self.files = files.map { ($0.name, .bytes($0.bytes)) }
        opened = nil
    }

    var names: [String] { files.map(\.name) }

    /// Bytes of all files.
    var byteCount: Int { names.reduce(0) { $0 + (self[$1]?.count ?? 0) } }

    /// The bytes of a file, nil where there is none of this name; nil removes it.
    subscript(name: String) -> [UInt8]? {
        get {
            guard case .bytes(let bytes)? = files.first(where: { $0.name == name })?.content else { return nil }
            return bytes
        }
        set { set(name, newValue.map { .bytes($0) }) }
    }

    mutating func set(_ name: String, _ content: Content?) {
        let place = files.firstIndex { $0.name == name }
        switch (place, content) {
        case (let place?, let content?): files[place].content = content
        case (let place?, nil): files.remove(at: place)
        case (nil, let content?): files.append((name, content))
        case (nil, nil): break
        }
    }
}

// MARK: - On disk

extension CaseFiles {
    /// Makes the files in `folder`, which is emptied before, and gives the path that is to be opened.
    func write(to folder: String) throws -> String {
        Disk.empty(folder)
        for (name, content) in files {
            let path = "\(folder)/\(name)"
            switch content {
            case .bytes(let bytes): try Disk.write(bytes, to: path)
            case .folder: unsafe mkdir(path, 0o700)
            case .pipe: unsafe mkfifo(path, 0o600)
            case .link(let target): unsafe symlink(target, path)
            }
        }
        return opened.map { "\(folder)/\($0)" } ?? folder
    }
}

// MARK: - Blind changes

extension CaseFiles {
    /// A few blind changes of the bytes of a file that is drawn.
    mutating func mutateBytes(_ random: inout RandomSource) {
        for _ in 0...random.index(3) {
            let name = random.pick(names)
            guard var bytes = self[name] else { continue }
            ByteMutation.mutate(&bytes, &random)
            self[name] = bytes
        }
    }
}
