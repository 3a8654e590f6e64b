import Checkpoints
import Glibc

/// The files of a model's folder that go with its weights wherever they go: the tokenizer's, those of generation, chat
/// templates and the licence.
///
/// Weights, their index, config.json, settings of other software (`params.json`), states of training and what was said of
/// the model when it was cut stay behind, and so does code: what is written needs none of it. The model's card describes
/// another model, and is kept under the name `SOURCE_README.md` for what it says of licence and origin.
enum AccompanyingFiles {
    private static let suffixes = [".json", ".model", ".txt", ".jinja", ".tiktoken", ".spm", ".vocab"]
    private static let licences = ["license", "licence", "notice", "copying", "use_policy"]
    private static let excluded: Set<String> = [
        "README.txt", "config.json", "manifest.json", "params.json", "plan.json", "trainer_state.json",
    ]
    private static let card = "README.md"
    private static let sourceCard = "SOURCE_README.md"
    /// Templates by name, as `transformers` saves them beside the usual one.
    private static let templates = "additional_chat_templates"

    /// Copies them; links are followed to files, never to folders.
    static func copy(from source: HuggingFaceFolder, to folder: OutputFolder) throws(OutputError) {
        for name in source.fileNames.sorted() {
            guard let newName = newName(name), !folder.contains(newName) else { continue }
            try copy("\(source.path)/\(name)", to: folder, newName)
        }
        let path = "\(source.path)/\(templates)"
        guard Folder.exists(path) else { return }
        let names: Set<String>
        do { names = try Folder.names(in: path) } catch { throw OutputError(description: "\(error)") }
        try folder.makeFolder(templates)
        for name in names.sorted() where !name.hasPrefix(".") && name.hasSuffix(".jinja") {
            try copy("\(path)/\(name)", to: folder, "\(templates)/\(name)")
        }
    }

    /// The name that a file has beside the edited model; nil for one that stays behind.
    static func newName(_ name: String) -> String? {
        if name == card || name == sourceCard { return sourceCard }
        let lowercase = name.lowercased()
        guard !name.hasPrefix("."), !excluded.contains(name), !name.hasSuffix(".index.json") else { return nil }
        let isLicence = licences.contains { lowercase.hasPrefix($0) } && !lowercase.hasSuffix(".py")
        let isTokenizer = name.hasPrefix("tokenizer.model")
        return isLicence || isTokenizer || suffixes.contains { name.hasSuffix($0) } ? name : nil
    }

    private static func copy(_ path: String, to folder: OutputFolder, _ name: String) throws(OutputError) {
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .failure(path, "be read") }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .failure(path, "be read") }
        guard status.st_mode & S_IFMT == S_IFREG else { return }
        let file = try folder.makeFile(name)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .failure(path, "be read") }
            if count == 0 { break }
            try file.write(Array(buffer[..<count]))
        }
        try file.finish()
    }
}
