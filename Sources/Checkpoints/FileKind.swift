/// What a file that is no checkpoint looks like from its first bytes, and what to do about it.
enum FileKind {
    static func wrongFormat(_ file: MappedFile) -> CheckpointError {
        if let pointer = pointer(file) { return pointer }
        let head = unsafe Array(file.bytes.prefix(512))
        let (looksLike, remedy) = describe(head, byteCount: file.byteCount)
        return .wrongFormat(path: file.path, looksLike: looksLike, remedy: remedy)
    }

    /// The error of a file in the place of a matrix.
    static func noMatrix(_ file: MappedFile) -> CheckpointError {
        let head = unsafe Array(file.bytes.prefix(512))
        return .noMatrix(path: file.path, looksLike: describe(head, byteCount: file.byteCount).looksLike)
    }

    /// What stands in a repository in the place of a large file, until Git LFS fetches it.
    private static let pointerStart = Array("version https://git-lfs".utf8)

    /// Throws where the file is a pointer of Git LFS.
    static func refusePointer(_ file: MappedFile) throws(CheckpointError) {
        if let pointer = pointer(file) { throw pointer }
    }

    static func pointer(_ file: MappedFile) -> CheckpointError? {
        unsafe file.bytes.starts(with: pointerStart) ? .gitLFSPointer(path: file.path) : nil
    }

    /// Whether the file begins as a safetensors file does.
    static func isSafetensors(_ file: MappedFile) -> Bool {
        isSafetensors(unsafe Array(file.bytes.prefix(9)), byteCount: file.byteCount)
    }

    private static func describe(_ head: [UInt8], byteCount: Int) -> (looksLike: String, remedy: String) {
        if let known = signatures.first(where: { head.starts(with: $0.bytes) }) {
            return (known.looksLike, known.remedy)
        }
        if isSafetensors(head, byteCount: byteCount) {
            return ("a safetensors file", "Name the folder it stands in, with its config.json.")
        }
        if head.starts(with: [UInt8(ascii: "{")]) || head.starts(with: [UInt8(ascii: "[")]) {
            return ("a JSON file", "Name the model's folder instead.")
        }
        if isText(head) { return ("a text file", "Name the model; a text to measure it on is another argument.") }
        let start = head.prefix(8).map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
        return ("binary data that begins with \(start)", "Check the path, and that the download is complete.")
    }

    private static let convert = "Convert it to safetensors, or fetch the model's safetensors or GGUF files."

    private static let signatures: [(bytes: [UInt8], looksLike: String, remedy: String)] = [
        (pointerStart, "a Git LFS pointer, not the file itself", "Fetch the content with `git lfs pull`."),
        (Array("PK\u{3}\u{4}".utf8), "a ZIP archive, perhaps a PyTorch checkpoint", convert),
        ([0x80, 0x02], "a Python pickle, perhaps a PyTorch checkpoint", convert),
        ([0x80, 0x04], "a Python pickle, perhaps a PyTorch checkpoint", convert),
        ([0x89, 0x48, 0x44, 0x46], "an HDF5 file", convert),
        (Array("FUGG".utf8), "a GGUF file with its bytes swapped", "Convert the model on a little-endian machine."),
        (Array("lmgg".utf8), "a GGML file from before GGUF", "Convert the model again with a current converter."),
        (Array("tjgg".utf8), "a GGML file from before GGUF", "Convert the model again with a current converter."),
        (NumPyArrayFile.magic, "a NumPy array", "Name the model instead."),
        ([0x89, 0x50, 0x4E, 0x47], "a PNG image", "Check the path."),
        ([0xFF, 0xD8, 0xFF], "a JPEG image", "Check the path."),
        (Array("%PDF".utf8), "a PDF document", "Check the path."),
        ([0x7F, 0x45, 0x4C, 0x46], "an executable or a library", "Check the path."),
        ([0x1F, 0x8B], "a gzip archive", "Unpack it first."),
        ([0x28, 0xB5, 0x2F, 0xFD], "a zstd archive", "Unpack it first."),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz archive", "Unpack it first."),
        (Array("<!DOCTYPE".utf8), "a web page", "The download failed: fetch the file itself."),
        (Array("<html".utf8), "a web page", "The download failed: fetch the file itself."),
    ]

    private static func isSafetensors(_ head: [UInt8], byteCount: Int) -> Bool {
        guard head.count > 8, head[8] == UInt8(ascii: "{") else { return false }
        return head[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } <= UInt64(byteCount - 8)
    }

    private static func isText(_ head: [UInt8]) -> Bool {
        // The head may end within a character, so only control characters count against a text.
        head.allSatisfy { $0 >= 0x20 && $0 != 0x7F || (0x09...0x0D).contains($0) }
            && String(decoding: head, as: UTF8.self).unicodeScalars.filter { $0 == "\u{FFFD}" }.count <= 1
    }
}
