/// The name of a model of the Hugging Face Hub: ORGANIZATION/NAME, and @REVISION for another revision than the main
/// one. Models of the Hub's first days have no organization.
///
/// Names become parts of paths, so what is not a plain name is none.
public struct ModelName: Sendable, Equatable {
    /// "ORGANIZATION/NAME".
    public let repository: String
    /// A branch, a tag, or a commit or its beginning; nil where none is named.
    public let revision: String?

    static let mainRevision = "main"
    private static let partByteCountLimit = 96
    private static let revisionByteCountLimit = 255

    /// Reads a name; nil for what is a path instead.
    ///
    /// - Throws: `modelName` for the name of a model with a revision that can be none.
    init?(_ text: String) throws(CheckpointError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let components = parts[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(components.count), components.allSatisfy(Self.isPlain),
            !Self.fileSuffixes.contains(where: { parts[0].hasSuffix($0) })
        else { return nil }
        repository = parts[0]
        revision = parts.count > 1 ? parts[1] : nil
        if let revision, !Self.isRevision(revision) {
            throw .modelName(name: text, problem: "\(revision.quoted) cannot be the name of a revision")
        }
    }

    /// What files are called; no model is.
    private static let fileSuffixes = [".gguf", ".safetensors", ".bin", ".pt", ".pth", ".json"]

    /// As the Hub has it: letters, digits, "-", "_" and ".", no two of the first and last of these together, and none of
    /// them first or last.
    private static func isPlain(_ part: String) -> Bool {
        let bytes = Array(part.utf8)
        let isEdge = { (byte: UInt8?) in byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") }
        return (1...partByteCountLimit).contains(bytes.count) && bytes.allSatisfy(isLetter) && !isEdge(bytes.first)
            && !isEdge(bytes.last)
            && !zip(bytes, bytes.dropFirst()).contains { $0 == $1 && isEdge($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// As git has it, as far as it keeps a path inside its folder.
    private static func isRevision(_ text: String) -> Bool {
        (1...revisionByteCountLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"~^:?*[\\".utf8.contains($0) }
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".")
            }
            && !text.hasPrefix("-")
    }

    /// The command that puts the model into the cache.
    var fetchCommand: String { "hf download \(repository)" + (revision.map { " --revision \($0)" } ?? "") }
}
