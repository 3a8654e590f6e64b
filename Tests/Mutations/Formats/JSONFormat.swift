import Checkpoints
import Tokenizers

/// JSON by itself, and the lines of token ids that are JSON each.
struct JSONFormat: InputFormat {
    let name = "json"

    private static let fileName = "value.json"
    private static let linesName = "ids.jsonl"
    private static let vocabularySize = 64

    func base(_ random: inout RandomSource) -> CaseFiles {
        random.once(in: 4)
            ? CaseFiles(Self.linesName, Self.lines(&random)) : CaseFiles(Self.fileName, Self.tree(&random).bytes)
    }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 3)
        var files: CaseFiles
        if random.once(in: 4) {
            files = CaseFiles(Self.linesName, Self.lines(&random))
        } else {
            var tree = Self.tree(&random)
            if !isBlind { for _ in 0...random.index(3) { tree.mutate(&random) } }
            files = CaseFiles(Self.fileName, tree.bytes)
        }
        if isBlind || files.opened == Self.linesName || random.once(in: 4) { files.mutateBytes(&random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        if path.hasSuffix(Self.linesName) {
            _ = exercise.attempt {
                let corpus = try Corpus.tokens(MappedFile(path), vocabularySize: Self.vocabularySize)
                return (corpus.tokenCount, corpus.fingerprint)
            }
            return
        }
        guard let text = exercise.attempt({ try JSON.read(path).serialized(indented: false) }) else { return }
        // Texts are compared, so that there is never more than one value in memory, as in the product.
        let again = try? JSON.parse(text, source: "what was written").serialized(indented: false)
        guard again?.utf8.elementsEqual(text.utf8) == true else {
            exercise.complain("what was written reads back as something else")
            return
        }
        // Indentation grows with the depth of each line, and the product indents only what it made itself.
        guard text.utf8.count <= 4_096 else { return }
        let value = exercise.attempt { try JSON.read(path) }
        _ = (value?.kind, value?["a"], value?.object?.keys.count)
        if let indented = value?.serialized(indented: true), (try? JSON.parse(indented, source: "indented")) != value {
            exercise.complain("what was written with indentation reads back as something else")
        }
    }

    private static func tree(_ random: inout RandomSource) -> JSONTree {
        let value: JSON = [
            "integers": [0, -1, .integer(.max), .integer(.min)], "numbers": [0.5, 1e-7, 1e300, .number(1)],
            "text": "\"\\\n\u{1}é𝄞", "none": nil, "flags": [true, false], "empty": [[], [:], ""],
            "rows": [["a": [], "b": [:]], [1, 2]], .init("k\(random.index(10))"): ["a": ["b": ["c": nil]]],
        ]
        return JSONTree(value)
    }

    private static func lines(_ random: inout RandomSource) -> [UInt8] {
        let lines = (0...random.index(4)).map { _ in
            "[" + (0...random.index(6)).map { _ in "\(random.index(vocabularySize))" }.joined(separator: ", ") + "]\n"
        }
        return Array(lines.joined().utf8)
    }
}
