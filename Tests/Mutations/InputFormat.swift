/// A kind of input that is mutated. Another one is a file in `Formats` and a line in `InputFormats.all`.
protocol InputFormat: Sendable {
    /// As `--format` has it.
    var name: String { get }

    /// Small files that the product reads whole, without a refusal. Everything random is taken from `random`.
    func base(_ random: inout RandomSource) -> CaseFiles

    /// Such files changed, by what is known of the format and by blind changes of bytes (`ByteMutation`).
    func mutated(_ random: inout RandomSource) -> CaseFiles

    /// Gives the product the path, and uses all that it makes of it.
    func exercise(_ path: String, _ exercise: inout Exercise)
}

enum InputFormats {
    static let all: [any InputFormat] = [
        GGUFFormat(), SafetensorsFormat(), JSONFormat(), FolderFormat(), TokenizerFormat(), ProfileFormat(),
        NumPyFormat(), ArchiveFormat(), SentencePieceFormat(),
    ]

    static var names: [String] { all.map(\.name) }

    static func named(_ name: String) -> (any InputFormat)? {
        (all + [SelfTestFormat()]).first { $0.name == name }
    }
}
