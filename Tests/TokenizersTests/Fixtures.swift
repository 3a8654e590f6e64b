import Checkpoints

@testable import Tokenizers

/// The files that `Fixtures/make_fixtures.py` wrote with the reference implementations.
enum Fixtures {
    /// The tokenizers among them.
    static let names = ["pattern", "digits", "holes", "prefix", "whole"]

    static func path(_ name: String, from source: StaticString = #filePath) -> String {
        let folder = "\(source)".split(separator: "/").dropLast().joined(separator: "/")
        return "/\(folder)/Fixtures/\(name)"
    }

    static func json(_ name: String) throws -> JSON { try JSON.read(path(name)) }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        try Tokenizer(tokenizerJSON: path("\(name).json"))
    }

    /// A tokenizer of a file changed for a test; it is not written.
    static func tokenizer(_ json: JSON) throws -> Tokenizer {
        try Tokenizer(TokenizerDefinition(JSONPlace(path: "test.json", place: "", value: json)))
    }

    struct Case {
        let text: String
        let ids: [Int32]
        /// Where special tokens are text.
        let plainIDs: [Int32]
    }

    /// What the reference library makes of each text.
    static func cases(_ name: String) throws -> [Case] {
        let file = try json("cases.json")
        let texts = try texts()
        let ids = (file[name]?.array ?? []).map(ids)
        return zip(texts.indices, zip(texts, ids)).map { index, pair in
            Case(text: pair.0, ids: pair.1, plainIDs: file["\(name).plain"]?["\(index)"].map(Self.ids) ?? pair.1)
        }
    }

    static func texts() throws -> [String] { try json("cases.json")["texts"]?.array?.compactMap(\.string) ?? [] }

    static func ids(_ json: JSON) -> [Int32] { json.array?.compactMap { $0.integer.map(Int32.init) } ?? [] }
}
