public import Checkpoints

extension Corpus {
    /// The ids of a file, one JSON array a line, as they are.
    ///
    /// - Parameters:
    ///   - vocabularySize: of the model; ids have to be below it.
    ///   - count: at most so many sequences, the first ones; the rest of the file is not read.
    /// - Throws: `tokenLine`, `idOutsideVocabulary`, `noSequences`, `argument`.
    public static func tokens(
        _ file: MappedFile, vocabularySize: Int, count: Int? = nil
    ) throws(TokenizerError) -> Corpus {
        try tokens(SourceText.copy(of: file), source: file.path, vocabularySize: vocabularySize, count: count)
    }

    static func tokens(
        _ bytes: [UInt8], source: String, vocabularySize: Int, count: Int? = nil
    ) throws(TokenizerError) -> Corpus {
        if let count { try require(count, "the number of sequences", atLeast: 1) }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        while let last = lines.last, last.allSatisfy(isSpace) { lines.removeLast() }
        guard !lines.isEmpty else { throw .noSequences(source: source) }
        var sequences: [[Int32]] = []
        for (index, line) in lines.prefix(count ?? .max).enumerated() {
            let place = TokenLine(source: source, number: index + 1, vocabularySize: vocabularySize)
            sequences.append(try place.ids(Array(line)))
        }
        return Corpus(sequences: sequences, source: source, protocolDescription: "token ids as given")
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}

/// One line of a file of token ids.
private struct TokenLine {
    let source: String
    /// From 1.
    let number: Int
    let vocabularySize: Int

    func ids(_ bytes: [UInt8]) throws(TokenizerError) -> [Int32] {
        let value: JSON
        do throws(JSONError) {
            value = try JSON.parse(bytes, source: source)
        } catch {
            throw wrong("not valid JSON at byte \(error.byteOffset) of the line: \(error.problem)")
        }
        guard let elements = value.array else { throw wrong("found \(value.kind)") }
        guard !elements.isEmpty else { throw wrong("the array is empty") }
        var ids: [Int32] = []
        ids.reserveCapacity(elements.count)
        for (position, element) in elements.enumerated() {
            guard let integer = element.integer else {
                let found = element.number == nil ? "\(element.kind)" : element.serialized(indented: false)
                throw wrong("position \(position): \(found.legible) is no token id")
            }
            guard let id = Int32(exactly: integer), id >= 0, id < vocabularySize else {
                throw .idOutsideVocabulary(
                    source: source, line: number, position: position, id: integer, vocabularySize: vocabularySize)
            }
            ids.append(id)
        }
        return ids
    }

    private func wrong(_ problem: String) -> TokenizerError {
        .tokenLine(source: source, line: number, problem: problem)
    }
}
