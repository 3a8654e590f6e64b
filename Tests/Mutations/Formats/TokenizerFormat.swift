import Checkpoints
import Tokenizers

/// A tokenizer by itself: a tokenizer.json, or the metadata of a GGUF file.
struct TokenizerFormat: InputFormat {
    let name = "tokenizer"

    private static let jsonName = "tokenizer.json"
    private static let ggufName = "tokenizer.gguf"

    func base(_ random: inout RandomSource) -> CaseFiles {
        random.once(in: 3)
            ? CaseFiles(Self.ggufName, Self.document().bytes)
            : CaseFiles(Self.jsonName, TokenizerDocument.base(&random).bytes)
    }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 3)
        let changeCount = isBlind ? 0 : 1 + random.index(3)
        var files: CaseFiles
        if random.once(in: 3) {
            var document = Self.document()
            for _ in 0..<changeCount { document.mutateTokenizer(&random) }
            files = CaseFiles(Self.ggufName, document.bytes)
        } else {
            var tree = TokenizerDocument.base(&random)
            for _ in 0..<changeCount { TokenizerDocument.mutate(&tree, &random) }
            files = CaseFiles(Self.jsonName, tree.bytes)
        }
        if isBlind || random.once(in: 4) { files.mutateBytes(&random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        let tokenizer = exercise.attempt {
            path.hasSuffix(".json") ? try Tokenizer(tokenizerJSON: path) : try Tokenizer(Checkpoint.open(path))
        }
        if let tokenizer { TokenizerExercise.run(tokenizer, &exercise) }
    }

    private static func document() -> GGUFDocument {
        var document = GGUFDocument()
        document.addTokenizer()
        return document
    }
}
