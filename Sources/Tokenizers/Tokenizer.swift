public import Checkpoints

/// A byte-level BPE tokenizer: text to token ids and back.
///
/// It can be used from any number of threads at once, and gives the same ids for the same text always.
public final class Tokenizer: Sendable {
    /// The file that it was read from.
    public let path: String
    /// The beginning-of-sequence token, where the model has one. `encode` never adds it.
    public let beginningOfSequence: Int32?
    /// Whether the model was made for texts with that token in front.
    public let addsBeginningOfSequence: Bool
    /// Bytes that can be part of a text and have no token: models are made without some control characters. They are
    /// left out of the ids, or replaced by the model's token for the unknown, and are lost.
    public let missingBytes: [UInt8]

    let vocabulary: Vocabulary
    let preTokenization: PreTokenization
    let encoder: BytePairEncoder
    let addedTokens: [AddedToken]
    /// Whether a pre-token that is a token is taken whole.
    let ignoresMerges: Bool
    private let allAdded: AddedTokenMatcher
    private let plainAdded: AddedTokenMatcher
    private let workspaces = WorkspacePool()

    /// Reads the tokenizer of a model: a GGUF file's metadata, or a folder's tokenizer.json.
    public convenience init(_ checkpoint: Checkpoint) throws(TokenizerError) {
        switch checkpoint.format {
        case .gguf(let file): try self.init(TokenizerDefinition(file))
        case .huggingFace(let folder): try self.init(TokenizerDefinition(folder))
        }
    }

    /// Reads a tokenizer.json by itself.
    public convenience init(tokenizerJSON path: String) throws(TokenizerError) {
        try self.init(TokenizerDefinition(tokenizerJSON: path))
    }

    init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        path = definition.path
        vocabulary = try Vocabulary(definition.tokens, path: path)
        switch definition.model {
        case .bytePair(let model):
            encoder = try BytePairEncoder(model, vocabulary, path: path)
            ignoresMerges = model.ignoresMerges
        }
        preTokenization = try Self.preTokenization(definition)
        addedTokens = definition.addedTokens
        beginningOfSequence = definition.beginningOfSequence
        addsBeginningOfSequence = !definition.sequencePrefix.isEmpty
        missingBytes = encoder.missingBytes
        allAdded = AddedTokenMatcher(addedTokens)
        plainAdded = AddedTokenMatcher(addedTokens.filter { !$0.isSpecial })
    }

    private static func preTokenization(_ definition: TokenizerDefinition) throws(TokenizerError) -> PreTokenization {
        guard definition.normalizers.isEmpty, let preTokenization = PreTokenization(definition.preTokenizers) else {
            throw .unsupported(
                path: definition.path, feature: "pre_tokenizer", found: "another sequence of steps",
                known: ["ByteLevel", "Digits before ByteLevel"])
        }
        return preTokenization
    }
}

/// What special (control) tokens are that stand in a text by name, such as `<|endoftext|>`.
public enum SpecialTokens: Sendable {
    /// They become their ids.
    case parse
    /// They are text as any other. Added tokens that are not special are found all the same.
    case asText
}

// MARK: - Text to ids

extension Tokenizer {
    /// The ids of a text or of its start.
    public struct Encoding: Equatable, Sendable {
        public var ids: [Int32] = []
        /// How much of the text the ids stand for.
        public var encodedByteCount = 0
        /// How many bytes of that have no token; see `missingBytes`.
        public var lostByteCount = 0
    }

    /// The ids of `text`, without a beginning-of-sequence token.
    public func encode(_ text: String, specialTokens: SpecialTokens = .parse) -> [Int32] {
        encoding(of: text.utf8.span, specialTokens: specialTokens).ids
    }

    /// The ids of the start of `text`, up to the end of the first pre-token by which there are `tokenCount`: the same
    /// as the first ids of the whole text.
    public func encode(
        _ text: String, atLeast tokenCount: Int, specialTokens: SpecialTokens = .parse
    ) -> Encoding {
        encoding(of: text.utf8.span, atLeast: tokenCount, specialTokens: specialTokens)
    }

    /// - Parameter text: valid UTF-8.
    func encoding(
        of text: Span<UInt8>, atLeast tokenCount: Int = .max, specialTokens: SpecialTokens = .parse
    ) -> Encoding {
        var workspace = workspaces.take()
        var encoding = Encoding()
        let matcher = specialTokens == .parse ? allAdded : plainAdded
        for piece in matcher.pieces(of: text) {
            guard encoding.ids.count < tokenCount else { break }
            if let id = piece.id {
                encoding.ids.append(id)
                encoding.encodedByteCount = piece.range.upperBound
            } else {
                append(text, piece.range, to: &encoding, atLeast: tokenCount, &workspace)
            }
        }
        workspaces.giveBack(workspace)
        return encoding
    }

    private func append(
        _ text: Span<UInt8>, _ range: Range<Int>, to encoding: inout Encoding, atLeast tokenCount: Int,
        _ workspace: inout Workspace
    ) {
        guard preTokenization.addsPrefixSpace else {
            appendPiece(text, range, to: &encoding, atLeast: tokenCount, &workspace)
            return
        }
        var start = range.lowerBound
        while start < range.upperBound, encoding.ids.count < tokenCount {
            let end = preTokenization.endOfPiece(
                in: text, from: start, to: range.upperBound, classes: &workspace.classes)
            appendPrefixed(text, start..<end, to: &encoding, &workspace)
            encoding.encodedByteCount = end
            start = end
        }
    }

    /// A piece between digits with a space in front, whole, because positions in it are not those of the text.
    private func appendPrefixed(
        _ text: Span<UInt8>, _ range: Range<Int>, to encoding: inout Encoding, _ workspace: inout Workspace
    ) {
        guard text[range.lowerBound] != UInt8(ascii: " ") else {
            appendPiece(text, range, digits: .together, to: &encoding, atLeast: .max, &workspace)
            return
        }
        var prefixed: [UInt8] = []
        swap(&prefixed, &workspace.prefixed)
        prefixed.removeAll(keepingCapacity: true)
        prefixed.append(UInt8(ascii: " "))
        for index in range { prefixed.append(text[index]) }
        appendPiece(prefixed.span, 0..<prefixed.count, digits: .together, to: &encoding, atLeast: .max, &workspace)
        swap(&prefixed, &workspace.prefixed)
    }

    private func appendPiece(
        _ text: Span<UInt8>, _ range: Range<Int>, digits: PreTokenization.Digits? = nil, to encoding: inout Encoding,
        atLeast tokenCount: Int, _ workspace: inout Workspace
    ) {
        var cutting = preTokenization
        if let digits { cutting.digits = digits }
        var start = range.lowerBound
        while start < range.upperBound, encoding.ids.count < tokenCount {
            let end = cutting.endOfPreToken(
                in: text, from: start, to: range.upperBound, classes: &workspace.classes)
            appendWord(text, start..<end, to: &encoding, &workspace)
            start = end
        }
        encoding.encodedByteCount = start
    }

    @inline(__always)
    private func appendWord(
        _ text: Span<UInt8>, _ word: Range<Int>, to encoding: inout Encoding, _ workspace: inout Workspace
    ) {
        let key = WordCache.Key(text, word)
        if let key, workspace.cache.append(key, to: &encoding.ids) { return }
        appendNewWord(text, word, key, to: &encoding, &workspace)
    }

    @inline(never)
    private func appendNewWord(
        _ text: Span<UInt8>, _ word: Range<Int>, _ key: WordCache.Key?, to encoding: inout Encoding,
        _ workspace: inout Workspace
    ) {
        if ignoresMerges, let id = vocabulary.id(of: ByteLevelAlphabet.encode(word.map { text[$0] })) {
            encoding.ids.append(id)
            return
        }
        let lostByteCount = encoder.encode(text, word, &workspace.scratch)
        encoding.ids.append(contentsOf: workspace.scratch.ids)
        encoding.lostByteCount += lostByteCount
        // A word that is kept says nothing of lost bytes.
        if let key, lostByteCount == 0 { workspace.cache.insert(key, workspace.scratch.ids) }
    }
}

// MARK: - Ids to text

extension Tokenizer {
    /// The text of `ids`. Where their bytes are not valid UTF-8, because characters are cut, U+FFFD stands for them;
    /// `decodeBytes` gives the bytes as they are.
    ///
    /// - Throws: `unknownID`.
    public func decode(_ ids: [Int32]) throws(TokenizerError) -> String {
        String(decoding: try decodeBytes(ids), as: UTF8.self)
    }

    /// The bytes of `ids`.
    ///
    /// - Throws: `unknownID`.
    public func decodeBytes(_ ids: [Int32]) throws(TokenizerError) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, id) in ids.enumerated() {
            guard let token = vocabulary.bytes(of: id) else {
                throw .unknownID(id: id, index: index, vocabularySize: vocabularySize)
            }
            bytes.append(contentsOf: token)
        }
        return bytes
    }

    /// The bytes that one id stands for, or nil where there is no such id.
    public func token(_ id: Int32) -> [UInt8]? { vocabulary.bytes(of: id).map { Array($0) } }
}

// MARK: - What it is

extension Tokenizer {
    /// One more than the largest id.
    public var vocabularySize: Int { vocabulary.count }

    /// How texts are cut before they are encoded: `gpt-2`, `smollm`, or a description.
    public var preTokenizationName: String { preTokenization.name }

    /// A line for people.
    public var summary: String {
        var parts = ["byte-level BPE", "\(vocabularySize) ids", "pre-tokenization \(preTokenizationName)"]
        if !addedTokens.isEmpty {
            parts.append("\(addedTokens.count) added tokens, \(addedTokens.count { $0.isSpecial }) of them special")
        }
        if let beginningOfSequence {
            parts.append("BOS \(beginningOfSequence) \(addsBeginningOfSequence ? "added" : "not added") by default")
        }
        if !missingBytes.isEmpty { parts.append("no token for \(missingBytes.count) bytes") }
        return parts.joined(separator: "; ")
    }
}
