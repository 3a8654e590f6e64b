import Checkpoints
import Tokenizers

/// A SentencePiece model: a tokenizer.model by itself, the metadata of a GGUF file, or a unigram tokenizer.json.
struct SentencePieceFormat: InputFormat {
    let name = "sentencepiece"

    private static let modelName = "tokenizer.model"
    private static let ggufName = "tokenizer.gguf"
    private static let jsonName = "tokenizer.json"

    func base(_ random: inout RandomSource) -> CaseFiles { files(changes: 0, &random) }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 3)
        var files = files(changes: isBlind ? 0 : 1 + random.index(3), &random)
        if isBlind || random.once(in: 4) { files.mutateBytes(&random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        let tokenizer = exercise.attempt {
            if path.hasSuffix(".json") { return try Tokenizer(tokenizerJSON: path) }
            return try path.hasSuffix(".gguf") ? Tokenizer(Checkpoint.open(path)) : Tokenizer(sentencePieceModel: path)
        }
        if let tokenizer { TokenizerExercise.run(tokenizer, &exercise) }
    }

    private func files(changes: Int, _ random: inout RandomSource) -> CaseFiles {
        if random.once(in: 4) {
            var tree = UnigramDocument.base(&random)
            for _ in 0..<changes { UnigramDocument.mutate(&tree, &random) }
            return CaseFiles(Self.jsonName, tree.bytes)
        }
        var document = SentencePieceDocument.base(&random)
        let isGGUF = random.once(in: 3)
        for _ in 0..<changes { document.mutate(&random) }
        return isGGUF ? CaseFiles(Self.ggufName, document.gguf.bytes) : CaseFiles(Self.modelName, document.bytes)
    }
}

/// A unigram tokenizer.json before it is written.
private enum UnigramDocument {
    static func base(_ random: inout RandomSource) -> JSONTree {
        var tree = JSONTree([
            "version": "1.0", "normalizer": nil, "decoder": ["type": "Metaspace", "replacement": "\u{2581}"],
        ])
        if random.once(in: 2) {
            tree["normalizer"] = JSONTree([
                "type": "Precompiled", "precompiled_charsmap": .string(base64(SentencePieceDocument.characterMap)),
            ])
        }
        tree["pre_tokenizer"] = JSONTree([
            "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always",
            "split": .bool(random.once(in: 2)),
        ])
        let texts = ["<unk>", "\u{2581}", "a", "b", "ab", "\u{2581}a", "aa", "é", "<0x41>"]
        let vocabulary = texts.enumerated().map { JSON.array([.string($1), .number(-Double($0))]) }
        tree["model"] = JSONTree([
            "type": "Unigram", "unk_id": 0, "byte_fallback": .bool(random.once(in: 2)), "vocab": .array(vocabulary),
        ])
        return tree
    }

    static func mutate(_ tree: inout JSONTree, _ random: inout RandomSource) {
        guard var model = tree["model"], case .array(var vocabulary)? = model["vocab"], !random.once(in: 2) else {
            if random.once(in: 4) {
                var map = SentencePieceDocument.characterMap
                ByteMutation.mutate(&map, &random)
                let normalizer: JSON = ["type": "Precompiled", "precompiled_charsmap": .string(base64(map))]
                tree["normalizer"] = JSONTree(normalizer)
            } else {
                tree.mutate(&random)
            }
            return
        }
        switch random.index(4) {
        case 0: model["unk_id"] = .leaf(JSONTree.hostileNumber(&random))
        case 1:
            let count = 1 << (4 + random.index(11))
            vocabulary += (0..<count).map { JSONTree("[\"t\($0)\",-1]") }
        case 2:
            let pair = JSONTree.array([.leaf(JSONTree.hostileString(&random)), .leaf(JSONTree.hostileNumber(&random))])
            vocabulary.insert(pair, at: random.index(vocabulary.count + 1))
        default:
            let text = String(repeating: random.pick(["a", "\u{2581}"]), count: 1 << random.index(14))
            vocabulary.append(JSONTree("[\"\(text)\",-2]"))
        }
        model["vocab"] = .array(vocabulary)
        tree["model"] = model
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
            for place in 0..<4 {
                text.append(place <= group.count ? digits[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
