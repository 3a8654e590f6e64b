import Checkpoints

/// Text to ids as a SentencePiece model has it, from the text as it is: normalized, and cut where no piece reaches across,
/// so that words met before need not be encoded again.
struct SentencePieceEncoder: Sendable {
    private enum Method: Sendable {
        case bytePair(ScoredPairEncoder)
        case unigram(UnigramEncoder)
    }

    private let normalizer: SentencePieceNormalizer
    private let method: Method

    /// For people.
    var name: String {
        switch method {
        case .bytePair: "SentencePiece BPE"
        case .unigram: "SentencePiece unigram"
        }
    }

    /// Room for the work, to be used again.
    struct Scratch {
        fileprivate var word: [UInt8] = []
        fileprivate var pairs = ScoredPairEncoder.Scratch()
        fileprivate var unigram = UnigramEncoder.Scratch()
    }

    /// - Throws: `malformed` naming the piece.
    init(_ model: SentencePieceModel, path: String) throws(TokenizerError) {
        let byteIDs = try model.checkedByteIDs(path)
        var needsWholeText = false
        switch model.kind {
        case .bytePair:
            let encoder = ScoredPairEncoder(
                model.pieces, unknown: ScoredPairEncoder.Unknown(id: model.unknownID, byteIDs: byteIDs),
                findsUserDefined: model.findsUserDefined)
            needsWholeText = encoder.needsWholeText
            method = .bytePair(encoder)
        case .unigram:
            method = .unigram(UnigramEncoder(model, byteIDs))
        }
        do throws(CharacterMap.Failure) {
            normalizer = try SentencePieceNormalizer(
                model.normalization, model.pieces, findsUserDefined: model.findsUserDefined, cuts: !needsWholeText)
        } catch {
            throw .malformed(path: path, place: "precompiled_charsmap", problem: error.problem)
        }
    }

    /// Appends the ids of `range` of `text`, valid UTF-8, up to the end of the first word by which there are `tokenCount`.
    ///
    /// - Parameter startsText: whether nothing stands in front of the range, not even an added token.
    func append(
        _ text: Span<UInt8>, _ range: Range<Int>, startsText: Bool, to encoding: inout Tokenizer.Encoding,
        atLeast tokenCount: Int, _ scratch: inout Scratch, _ cache: inout WordCache
    ) {
        var progress = SentencePieceNormalizer.Progress(range, startsText: startsText)
        var context = UnigramEncoder.Context()
        scratch.pairs.followsUnknown = false
        var word: [UInt8] = []
        swap(&word, &scratch.word)
        while encoding.ids.count < tokenCount {
            word.removeAll(keepingCapacity: true)
            guard normalizer.appendWord(text, &progress, to: &word) else { break }
            switch method {
            case .bytePair(let encoder):
                encoding.lostByteCount += Self.append(word.span, to: &encoding.ids, encoder, &scratch, &cache)
            case .unigram(let encoder):
                encoding.lostByteCount += encoder.append(
                    word.span, 0..<word.count, &context, to: &encoding.ids, &scratch.unigram)
            }
        }
        swap(&word, &scratch.word)
        encoding.encodedByteCount = progress.position
    }

    @inline(__always)
    private static func append(
        _ word: Span<UInt8>, to ids: inout [Int32], _ encoder: ScoredPairEncoder, _ scratch: inout Scratch,
        _ cache: inout WordCache
    ) -> Int {
        // Of the three bytes of a space in front, the last one says it all: no text starts with such a byte.
        let start = word.count > 3 && word[0] == 0xE2 && word[1] == 0x96 && word[2] == 0x81 ? 2 : 0
        let key = encoder.needsWholeText ? nil : WordCache.Key(word, start..<word.count)
        if let key, cache.append(key, to: &ids) {
            scratch.pairs.followsUnknown = false
            return 0
        }
        let firstID = ids.count
        let lostCount = encoder.append(word, 0..<word.count, to: &ids, &scratch.pairs)
        // A word that is kept says nothing of lost bytes.
        if let key, lostCount == 0 { cache.insert(key, ids[firstID...]) }
        return lostCount
    }
}

extension UnigramEncoder {
    fileprivate init(_ model: SentencePieceModel, _ byteIDs: [Int32]?) {
        let isExact = model.arithmetic == .sentencePiece
        let pieces = model.pieces.indices.filter { model.pieces[$0].isOfText && model.pieces[$0].kind != .unused }
        let lowest = model.pieces.filter { $0.kind == .normal }.map(\.score).min() ?? .greatestFiniteMagnitude
        self.init(
            pieces.map { index in
                let piece = model.pieces[index]
                let bonus = isExact ? Double(Float(0.1 * Double(piece.text.utf8.count - 1))) : 0
                return (piece.text, Int32(index), piece.kind == .userDefined ? bonus : Double(piece.score))
            },
            unknown: Unknown(id: model.unknownID, score: Double(lowest - 10), byteIDs: byteIDs), roundsSums: isExact)
    }
}

extension SentencePieceModel {
    /// The longest piece that the SentencePiece library takes.
    private static let pieceByteCountLimit = 8000

    /// The pieces of the bytes, where the model falls back to them.
    ///
    /// - Throws: `malformed` for what the SentencePiece library refuses.
    fileprivate func checkedByteIDs(_ path: String) throws(TokenizerError) -> [Int32]? {
        var byteIDs = [Int32](repeating: PieceTrie.absent, count: 256)
        for (index, piece) in pieces.enumerated() {
            func malformed(_ problem: String) -> TokenizerError {
                .malformed(path: path, place: "piece \(index), \(piece.text.quoted)", problem: problem)
            }
            guard !piece.text.isEmpty else { throw malformed("it is empty") }
            guard piece.text.utf8.count < Self.pieceByteCountLimit else {
                throw malformed(
                    "it has \(piece.text.utf8.count) bytes; expected fewer than \(Self.pieceByteCountLimit)")
            }
            guard piece.score.isFinite else { throw malformed("its score is \(piece.score)") }
            guard piece.kind == .byte else { continue }
            guard let byte = piece.byte else { throw malformed("it is no byte; expected <0x00> to <0xFF>") }
            guard fallsBackToBytes else { throw malformed("a byte, where byte_fallback is false") }
            byteIDs[Int(byte)] = Int32(index)
        }
        guard fallsBackToBytes else {
            guard unknownID != nil else {
                throw .malformed(path: path, place: "the pieces", problem: "none is for the unknown, nor for bytes")
            }
            return nil
        }
        if let missing = byteIDs.firstIndex(of: PieceTrie.absent) {
            throw .malformed(
                path: path, place: "the pieces",
                problem: "byte_fallback is true, but there is no \(SymbolTable.name(of: UInt8(missing)))")
        }
        return byteIDs
    }
}
