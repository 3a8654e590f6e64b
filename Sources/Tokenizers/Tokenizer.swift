public import Checkpoints

/// A tokenizer: text to token ids and back.
///
/// It can be used from any number of threads at once, and gives the same ids for the same text always.
public final class Tokenizer: Sendable {
    /// The file that it was read from.
    public let path: String
    /// The beginning-of-sequence token, where the model has one. `encode` never adds it.
    public let beginningOfSequence: Int32?
    /// What the model's own tokenizer puts in front of a sequence by default, such as the beginning of the sequence.
    public let sequencePrefix: [Int32]
    /// What it puts after a sequence by default, such as the end of the sequence.
    public let sequenceSuffix: [Int32]
    /// Bytes that can be part of a text and have no token: models are made without some control characters. They are
    /// left out of the ids, or replaced by the model's token for the unknown, and are lost.
    public let missingBytes: [UInt8]

    let vocabulary: Vocabulary
    let encoder: WordEncoder
    let addedTokens: [AddedToken]
    /// How texts are cut before they are encoded: a name such as `gpt-2`, or a description.
    public let preTokenizationName: String
    private let normalizer: TextNormalizer
    private let cutter: TextCutter
    /// nil where the bytes of the vocabulary are the text.
    private let decoder: TokenTextDecoder?
    /// The ids of tokens that stand for their own text, whatever the decoders make of others.
    private let literalIDs: Set<Int32>
    private let allAdded: AddedTokenMatcher
    private let plainAdded: AddedTokenMatcher
    private let workspaces: WorkspacePool

    /// Reads the tokenizer of a model: a GGUF file's metadata, or a folder's tokenizer.json, tokenizer.model,
    /// or vocab.json with merges.txt.
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

    /// Reads a SentencePiece `tokenizer.model` by itself: with no token around a sequence.
    public convenience init(sentencePieceModel path: String) throws(TokenizerError) {
        try self.init(TokenizerDefinition(sentencePieceModel: path))
    }

    init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        path = definition.path
        normalizer = try Self.checked(path, "the normalizer") { () throws(RegularExpression.Refusal) in
            try TextNormalizer(definition.normalizers)
        }
        let findable = try Self.findable(definition.addedTokens, normalizer, path)
        let isByteLevel = definition.decoders == [.byteLevel]
        let tokens = Self.spelled(definition, findable)
        vocabulary = try Vocabulary(tokens, isByteLevel ? .byteLevel : .text, path: path)
        cutter = try Self.checked(path, "the pre-tokenizer") { () throws(RegularExpression.Refusal) in
            try TextCutter(definition.preTokenizers)
        }
        decoder = try Self.checked(path, "the decoder") { () throws(RegularExpression.Refusal) in
            isByteLevel ? nil : try TokenTextDecoder(definition.decoders)
        }
        encoder = try WordEncoder(definition, vocabulary, usesBytes: cutter.givesBytes)
        addedTokens = definition.addedTokens
        literalIDs = Set(tokens.lazy.filter(\.isLiteral).map(\.id))
        beginningOfSequence = definition.beginningOfSequence
        sequencePrefix = definition.sequencePrefix
        sequenceSuffix = definition.sequenceSuffix
        preTokenizationName = definition.preTokenizationName ?? PreTokenizer.name(definition.preTokenizers)
        missingBytes = encoder.missingBytes
        let contents = findable.filter { !$0.content.isEmpty }
        allAdded = AddedTokenMatcher(contents)
        plainAdded = AddedTokenMatcher(contents.filter { !$0.isSpecial })
        workspaces = WorkspacePool(knowsLaterNumbers: cutter.cutsNumbers)
    }

    /// The tokens with contents as they stand in normalized text.
    private static func findable(
        _ tokens: [AddedToken], _ normalizer: TextNormalizer, _ path: String
    ) throws(TokenizerError) -> [AddedToken] {
        guard !normalizer.isEmpty else { return tokens }
        let room = RegularExpressionMatch()
        var result: [AddedToken] = []
        for var token in tokens {
            if token.isNormalized {
                var content = Array(token.content.utf8)
                room.start(byteCount: content.count)
                do throws(RegularExpressionMatch.Failure) {
                    _ = try normalizer.normalize(&content, room)
                } catch {
                    throw .tooMuchWork(path: path, place: "token \(token.content.quoted)", problem: error.problem)
                }
                token.content = String(decoding: content, as: UTF8.self)
            }
            result.append(token)
        }
        return result
    }

    /// An added token that the model cannot make stands for its content in normalized text.
    private static func spelled(
        _ definition: TokenizerDefinition, _ findable: [AddedToken]
    ) -> [TokenizerDefinition.Token] {
        var contents: [Int32: String] = [:]
        for token in findable where token.isNormalized { contents[token.id] = token.content }
        guard !contents.isEmpty else { return definition.tokens }
        return definition.tokens.map { token in
            guard !token.isOfModel, let content = contents[token.id] else { return token }
            var token = token
            token.text = content
            if definition.normalizers.contains(.byteLevel) { token.isLiteral = false }
            return token
        }
    }

    private static func checked<T>(
        _ path: String, _ feature: String, _ body: () throws(RegularExpression.Refusal) -> T
    ) throws(TokenizerError) -> T {
        do throws(RegularExpression.Refusal) {
            return try body()
        } catch {
            throw .unsupported(
                path: path, feature: feature, found: "a pattern with \(error.problem)",
                known: ["regular expressions without it"])
        }
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
    ///
    /// - Throws: `tooMuchWork`, where a pattern of the tokenizer's file does not come to an end.
    public func encode(
        _ text: String, specialTokens: SpecialTokens = .parse
    ) throws(TokenizerError) -> [Int32] {
        try encoding(of: text.utf8.span, specialTokens: specialTokens).ids
    }

    /// The ids of the start of `text`, up to the end of the first pre-token by which there are `tokenCount`: the same
    /// as the first ids of the whole text.
    ///
    /// - Throws: `tooMuchWork`.
    public func encode(
        _ text: String, atLeast tokenCount: Int, specialTokens: SpecialTokens = .parse
    ) throws(TokenizerError) -> Encoding {
        try encoding(of: text.utf8.span, atLeast: tokenCount, specialTokens: specialTokens)
    }

    /// - Parameter text: valid UTF-8.
    func encoding(
        of text: Span<UInt8>, atLeast tokenCount: Int = .max, specialTokens: SpecialTokens = .parse
    ) throws(TokenizerError) -> Encoding {
        var work = EncodingWork(tokenCount: tokenCount, workspace: workspaces.take())
        work.workspace.match.start(byteCount: text.count)
        do throws(RegularExpressionMatch.Failure) {
            try append(text, specialTokens == .parse ? allAdded : plainAdded, &work)
        } catch {
            throw .tooMuchWork(path: path, place: "encoding, at byte \(error.byteOffset)", problem: error.problem)
        }
        workspaces.giveBack(work.workspace)
        return work.encoding
    }

    private typealias Failure = RegularExpressionMatch.Failure

    private func append(
        _ text: Span<UInt8>, _ matcher: AddedTokenMatcher, _ work: inout EncodingWork
    ) throws(RegularExpressionMatch.Failure) {
        for piece in matcher.pieces(of: text) {
            guard !work.isDone else { return }
            if let id = piece.id {
                work.append(id, end: piece.range.upperBound)
            } else if normalizer.isEmpty {
                let source = EncodingSource(isOriginal: true, startsText: piece.range.lowerBound == 0)
                try appendPieces(text, piece.range, matcher, source, &work)
            } else {
                try appendNormalized(text, piece.range, matcher, &work)
            }
        }
    }

    private func appendNormalized(
        _ text: Span<UInt8>, _ range: Range<Int>, _ matcher: AddedTokenMatcher, _ work: inout EncodingWork
    ) throws(RegularExpressionMatch.Failure) {
        var normalized = text.bytes(range)
        let lostStart = try normalizer.normalize(&normalized, work.workspace.match)
        let source = EncodingSource(isOriginal: false, startsText: range.lowerBound == 0 && !lostStart)
        try appendPieces(normalized.span, 0..<normalized.count, matcher, source, &work)
        if !work.isDone { work.encoding.encodedByteCount = range.upperBound }
    }

    private func appendPieces(
        _ text: Span<UInt8>, _ range: Range<Int>, _ matcher: AddedTokenMatcher, _ source: EncodingSource,
        _ work: inout EncodingWork
    ) throws(RegularExpressionMatch.Failure) {
        for piece in matcher.normalizedPieces(of: text, in: range) {
            guard !work.isDone else { return }
            if let id = piece.id {
                work.append(id, end: source.isOriginal ? piece.range.upperBound : nil)
            } else {
                try append(
                    text, piece.range, step: 0, source.part(startsText: piece.range.lowerBound == range.lowerBound),
                    &work)
            }
        }
    }
}

/// Where a piece comes from.
private struct EncodingSource {
    /// Whether its bytes are those of the text, so that places in it are places in the text.
    var isOriginal: Bool
    /// Whether its first character is that of the text.
    var startsText: Bool

    @inline(__always)
    func part(startsText: Bool) -> EncodingSource {
        EncodingSource(isOriginal: isOriginal, startsText: self.startsText && startsText)
    }
}

/// What encoding has made so far, and what it works with.
private struct EncodingWork {
    let tokenCount: Int
    var encoding = Tokenizer.Encoding()
    var workspace: Workspace

    init(tokenCount: Int, workspace: Workspace) {
        self.tokenCount = tokenCount
        self.workspace = workspace
    }

    @inline(__always)
    var isDone: Bool { encoding.ids.count >= tokenCount }

    mutating func append(_ id: Int32, end: Int?) {
        encoding.ids.append(id)
        if let end { encoding.encodedByteCount = end }
    }
}

extension Span<UInt8> {
    fileprivate func bytes(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for index in range { bytes.append(self[index]) }
        return bytes
    }
}

// MARK: - Cutting

extension Tokenizer {
    /// Cuts a piece by the pre-tokenizers from `step` on.
    private func append(
        _ text: Span<UInt8>, _ range: Range<Int>, step: Int, _ source: EncodingSource, _ work: inout EncodingWork
    ) throws(RegularExpressionMatch.Failure) {
        if case .sentencePiece(let encoder) = encoder {
            encoder.append(
                text, range, startsText: source.startsText, to: &work.encoding, atLeast: work.tokenCount,
                &work.workspace.scratch.sentencePiece, &work.workspace.cache)
            return
        }
        guard step < cutter.steps.count else {
            appendWord(text, range, &work)
            if source.isOriginal { work.encoding.encodedByteCount = range.upperBound }
            return
        }
        switch cutter.steps[step] {
        case .scan(let scan): scanPieces(text, range, scan, source, &work)
        case .split(let matcher, let behavior, let isInverted):
            var pieces = PieceCutter(PieceEvents(matcher, isInverted: isInverted, range), behavior)
            while !work.isDone, let piece = try pieces.next(text, work.workspace.match) {
                let source = source.part(startsText: piece.lowerBound == range.lowerBound)
                try append(text, piece, step: step + 1, source, &work)
            }
            if !work.isDone, source.isOriginal { work.encoding.encodedByteCount = range.upperBound }
        case .metaspace(let replacement, let scheme, let splits):
            try appendRespaced(text, range, replacement, scheme, splits: splits, step: step, source, &work)
        case .spell(let scan): try appendSpelled(text, range, scan, step: step, source, &work)
        }
    }

    private func appendRespaced(
        _ text: Span<UInt8>, _ range: Range<Int>, _ replacement: [UInt8], _ scheme: PrependScheme, splits: Bool,
        step: Int,
        _ source: EncodingSource, _ work: inout EncodingWork
    ) throws(RegularExpressionMatch.Failure) {
        var respaced: [UInt8] = []
        respaced.reserveCapacity(range.count + 16)
        for index in range {
            if text[index] == UInt8(ascii: " ") {
                respaced.append(contentsOf: replacement)
            } else {
                respaced.append(text[index])
            }
        }
        let isPrefixed = scheme == .always || (scheme == .first && source.startsText)
        if isPrefixed, !respaced.starts(with: replacement) { respaced.insert(contentsOf: replacement, at: 0) }
        try Growth.limit(range.count).check(respaced.count)
        let inner = EncodingSource(isOriginal: false, startsText: source.startsText)
        guard splits else {
            try append(respaced.span, 0..<respaced.count, step: step + 1, inner, &work)
            if source.isOriginal, !work.isDone { work.encoding.encodedByteCount = range.upperBound }
            return
        }
        var pieces = PieceCutter(PieceEvents(.literal(replacement), 0..<respaced.count), .mergedWithNext)
        while !work.isDone, let piece = try pieces.next(respaced.span, work.workspace.match) {
            try append(respaced.span, piece, step: step + 1, inner.part(startsText: piece.lowerBound == 0), &work)
        }
        if source.isOriginal, !work.isDone { work.encoding.encodedByteCount = range.upperBound }
    }

    /// Byte-level pre-tokens whose characters are looked at again.
    private func appendSpelled(
        _ text: Span<UInt8>, _ range: Range<Int>, _ scan: PreTokenization, step: Int, _ source: EncodingSource,
        _ work: inout EncodingWork
    ) throws(RegularExpressionMatch.Failure) {
        var piece = text.bytes(range)
        if scan.addsPrefixSpace, piece.first != UInt8(ascii: " ") { piece.insert(UInt8(ascii: " "), at: 0) }
        var (start, cutting) = (0, scan)
        cutting.addsPrefixSpace = false
        while start < piece.count, !work.isDone {
            let end = cutting.endOfPreToken(
                in: piece.span, from: start, to: piece.count, classes: &work.workspace.classes)
            var word = Array(piece[start..<end])
            ByteLevelAlphabet.spell(&word)
            let inner = EncodingSource(isOriginal: false, startsText: source.startsText && start == 0)
            try append(word.span, 0..<word.count, step: step + 1, inner, &work)
            start = end
        }
        if source.isOriginal, !work.isDone { work.encoding.encodedByteCount = range.upperBound }
    }
}

// MARK: - Byte-level pre-tokens

extension Tokenizer {
    private func scanPieces(
        _ text: Span<UInt8>, _ range: Range<Int>, _ scan: PreTokenization, _ source: EncodingSource,
        _ work: inout EncodingWork
    ) {
        guard scan.addsPrefixSpace else {
            let end = scanPiece(text, range, scan, atLeast: work.tokenCount, &work)
            if source.isOriginal { work.encoding.encodedByteCount = end }
            return
        }
        var start = range.lowerBound
        while start < range.upperBound, !work.isDone {
            let end = scan.endOfPiece(in: text, from: start, to: range.upperBound, classes: &work.workspace.classes)
            scanPrefixed(text, start..<end, scan, &work)
            if source.isOriginal { work.encoding.encodedByteCount = end }
            start = end
        }
    }

    /// A piece between digits with a space in front, whole, because positions in it are not those of the text.
    private func scanPrefixed(
        _ text: Span<UInt8>, _ range: Range<Int>, _ scan: PreTokenization, _ work: inout EncodingWork
    ) {
        var scan = scan
        scan.digits = .together
        guard text[range.lowerBound] != UInt8(ascii: " ") else {
            _ = scanPiece(text, range, scan, atLeast: .max, &work)
            return
        }
        var prefixed: [UInt8] = []
        swap(&prefixed, &work.workspace.prefixed)
        prefixed.removeAll(keepingCapacity: true)
        prefixed.append(UInt8(ascii: " "))
        for index in range { prefixed.append(text[index]) }
        _ = scanPiece(prefixed.span, 0..<prefixed.count, scan, atLeast: .max, &work)
        swap(&prefixed, &work.workspace.prefixed)
    }

    /// Gives the end of what was encoded.
    private func scanPiece(
        _ text: Span<UInt8>, _ range: Range<Int>, _ scan: PreTokenization, atLeast tokenCount: Int,
        _ work: inout EncodingWork
    ) -> Int {
        // Without a pattern, and nothing cut off before, it is one pre-token.
        if !scan.usesPattern, scan.digits == .together {
            appendWord(text, range, &work)
            return range.upperBound
        }
        var start = range.lowerBound
        while start < range.upperBound, work.encoding.ids.count < tokenCount {
            let end = scan.endOfPreToken(
                in: text, from: start, to: range.upperBound, classes: &work.workspace.classes)
            appendWord(text, start..<end, &work)
            start = end
        }
        return start
    }

    @inline(__always)
    private func appendWord(_ text: Span<UInt8>, _ word: Range<Int>, _ work: inout EncodingWork) {
        let key = WordCache.Key(text, word)
        if let key, work.workspace.cache.append(key, to: &work.encoding.ids) { return }
        appendNewWord(text, word, key, &work)
    }

    @inline(never)
    private func appendNewWord(
        _ text: Span<UInt8>, _ word: Range<Int>, _ key: WordCache.Key?, _ work: inout EncodingWork
    ) {
        let lostByteCount = encoder.encode(text, word, &work.workspace.scratch)
        work.encoding.ids.append(contentsOf: work.workspace.scratch.ids)
        work.encoding.lostByteCount += lostByteCount
        // A word that is kept says nothing of lost bytes.
        if let key, lostByteCount == 0 { work.workspace.cache.insert(key, work.workspace.scratch.ids) }
    }
}

// MARK: - Ids to text

extension Tokenizer {
    /// The text of `ids`. Where their bytes are not valid UTF-8, because characters are cut, U+FFFD stands for them;
    /// `decodeBytes` gives the bytes as they are.
    ///
    /// - Throws: `unknownID`, `tooMuchWork`.
    public func decode(_ ids: [Int32]) throws(TokenizerError) -> String {
        String(decoding: try bytes(of: ids, repairs: true), as: UTF8.self)
    }

    /// The bytes of `ids`.
    ///
    /// - Throws: `unknownID`, `tooMuchWork`.
    public func decodeBytes(_ ids: [Int32]) throws(TokenizerError) -> [UInt8] { try bytes(of: ids, repairs: false) }

    private func bytes(of ids: [Int32], repairs: Bool) throws(TokenizerError) -> [UInt8] {
        var texts = PackedTexts(count: ids.count)
        for (index, id) in ids.enumerated() {
            guard let token = vocabulary.bytes(of: id) else {
                throw .unknownID(id: id, index: index, vocabularySize: vocabularySize)
            }
            texts.append(token, isLiteral: literalIDs.contains(id))
        }
        guard let decoder else { return texts.bytes }
        let workspace = workspaces.take()
        workspace.match.start(byteCount: texts.bytes.count)
        do throws(RegularExpressionMatch.Failure) {
            let bytes = try decoder.decode(consume texts, repairs: repairs, workspace.match)
            workspaces.giveBack(workspace)
            return bytes
        } catch {
            throw .tooMuchWork(path: path, place: "decoding", problem: error.problem)
        }
    }

    /// The bytes that one id stands for by itself, or nil where there is no such id.
    ///
    /// - Throws: `tooMuchWork`.
    public func token(_ id: Int32) throws(TokenizerError) -> [UInt8]? {
        vocabulary.bytes(of: id) == nil ? nil : try decodeBytes([id])
    }
}

// MARK: - What it is

extension Tokenizer {
    /// One more than the largest id.
    public var vocabularySize: Int { vocabulary.count }

    /// Whether the model was made for texts with something in front, such as the beginning of the sequence.
    public var addsBeginningOfSequence: Bool { !sequencePrefix.isEmpty }

    /// A line for people.
    public var summary: String {
        var parts = [encoder.name, "\(vocabularySize) ids", "pre-tokenization \(preTokenizationName)"]
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
