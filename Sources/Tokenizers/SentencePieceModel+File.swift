import Checkpoints

extension SentencePieceModel {
    /// Reads a `tokenizer.model`: a `ModelProto` of SentencePiece in the wire format of Protocol Buffers.
    ///
    /// - Throws: `malformed` naming the byte or the piece, `unsupported` for models of words and of characters.
    init(path: String) throws(TokenizerError) {
        let bytes: [UInt8]
        do throws(CheckpointError) {
            bytes = SourceText.copy(of: try MappedFile(path))
        } catch {
            throw .checkpoint(error)
        }
        try self.init(bytes, path: path)
    }

    init(_ bytes: [UInt8], path: String) throws(TokenizerError) {
        var reader = SentencePieceReader(path: path)
        do throws(ProtocolBufferReader.Failure) {
            try reader.readModel(bytes.span)
        } catch {
            throw .malformed(path: path, place: "byte \(error.byteOffset)", problem: error.problem)
        }
        if let refusal = reader.refusal { throw refusal }
        self = reader.model
        let unknown = pieces.indices.filter { pieces[$0].kind == .unknown }
        guard unknown.count <= 1 else {
            throw .malformed(
                path: path, place: "pieces \(unknown[0]) and \(unknown[1])", problem: "both are for the unknown")
        }
        unknownID = unknown.first.map { Int32($0) }
        // Files made by other tools have this piece beside <0x00>.
        for index in pieces.indices where fallsBackToBytes && pieces[index].text == "\0" {
            pieces[index].kind = .unused
        }
    }
}

/// Reads `sentencepiece_model.proto`: fields by their numbers; those that say how a model was trained are passed over.
private struct SentencePieceReader {
    typealias Failure = ProtocolBufferReader.Failure
    typealias Field = ProtocolBufferReader.Field

    let path: String
    var model = SentencePieceModel()
    /// What is in the file and not done here.
    var refusal: TokenizerError?

    /// `ModelProto`.
    mutating func readModel(_ file: Span<UInt8>) throws(Failure) {
        var reader = ProtocolBufferReader(0..<file.count)
        while let field = try reader.next(in: file) {
            switch field.number {
            case 1: try readPiece(file, Self.bytes(field))
            case 2: try readTrainer(file, Self.bytes(field))
            case 3: try readNormalizer(file, Self.bytes(field))
            case 5: try readDenormalizer(file, Self.bytes(field))
            default: continue
            }
        }
    }

    /// `ModelProto.SentencePiece`.
    private mutating func readPiece(_ file: Span<UInt8>, _ range: Range<Int>) throws(Failure) {
        var piece = SentencePieceModel.Piece(text: "", score: 0, kind: .normal)
        var reader = ProtocolBufferReader(range)
        while let field = try reader.next(in: file) {
            switch field.number {
            case 1: piece.text = try Self.string(field, file)
            case 2: piece.score = try Self.float(field)
            case 3:
                let value = try Self.integer(field)
                guard let kind = SentencePieceModel.Piece.Kind(rawValue: value) else {
                    throw Failure(byteOffset: field.byteOffset, problem: "\(value) is no type of a piece")
                }
                piece.kind = kind
            default: continue
            }
        }
        model.pieces.append(piece)
    }

    /// `TrainerSpec`.
    private mutating func readTrainer(_ file: Span<UInt8>, _ range: Range<Int>) throws(Failure) {
        var reader = ProtocolBufferReader(range)
        while let field = try reader.next(in: file) {
            switch field.number {
            case 3: try readKind(field)
            case 24: model.normalization.treatsWhitespaceAsSuffix = try Self.bool(field)
            case 35: model.fallsBackToBytes = try Self.bool(field)
            case 44: model.unknownSurface = try Self.string(field, file)
            default: continue
            }
        }
    }

    private mutating func readKind(_ field: Field) throws(Failure) {
        switch try Self.integer(field) {
        case 1: model.kind = .unigram
        case 2: model.kind = .bytePair
        case let value:
            let name = value == 3 ? "WORD" : value == 4 ? "CHAR" : "\(value)"
            refusal = .unsupported(
                path: path, feature: "trainer_spec.model_type", found: name, known: ["UNIGRAM", "BPE"])
        }
    }

    /// `NormalizerSpec`.
    private mutating func readNormalizer(_ file: Span<UInt8>, _ range: Range<Int>) throws(Failure) {
        var reader = ProtocolBufferReader(range)
        while let field = try reader.next(in: file) {
            switch field.number {
            case 2: model.normalization.characterMap = try Self.bytes(field).map { file[$0] }
            case 3: model.normalization.addsDummyPrefix = try Self.bool(field)
            case 4: model.normalization.removesExtraWhitespace = try Self.bool(field)
            case 5: model.normalization.escapesWhitespace = try Self.bool(field)
            default: continue
            }
        }
    }

    /// A `NormalizerSpec` for texts that are put together again: known only where it changes nothing.
    private mutating func readDenormalizer(_ file: Span<UInt8>, _ range: Range<Int>) throws(Failure) {
        var reader = ProtocolBufferReader(range)
        while let field = try reader.next(in: file) {
            guard field.number == 2, try !Self.bytes(field).isEmpty else { continue }
            refusal = .unsupported(
                path: path, feature: "denormalizer_spec", found: "a map of characters", known: ["none"])
        }
    }
}

// MARK: - Values

extension SentencePieceReader {
    private static func bytes(_ field: Field) throws(Failure) -> Range<Int> {
        guard case .bytes(let range) = field.value else { throw wrong(field, "bytes") }
        return range
    }

    private static func string(_ field: Field, _ file: Span<UInt8>) throws(Failure) -> String {
        let range = try bytes(field)
        guard let string = String(validating: range.map { file[$0] }, as: UTF8.self) else {
            throw wrong(field, "valid UTF-8")
        }
        return string
    }

    private static func integer(_ field: Field) throws(Failure) -> Int {
        guard case .integer(let value) = field.value else { throw wrong(field, "an integer") }
        return Int(truncatingIfNeeded: value)
    }

    private static func bool(_ field: Field) throws(Failure) -> Bool { try integer(field) != 0 }

    private static func float(_ field: Field) throws(Failure) -> Float {
        guard case .fixed32(let bits) = field.value else { throw wrong(field, "a float") }
        return Float(bitPattern: bits)
    }

    private static func wrong(_ field: Field, _ expected: String) -> Failure {
        Failure(byteOffset: field.byteOffset, problem: "field \(field.number) is not \(expected)")
    }
}
