import Checkpoints

extension TokenizerDefinition {
    /// The definition with a SentencePiece model of merges as byte-pair encoding whose merges are listed, which is how the
    /// `tokenizers` library has such models; any other definition as it is.
    ///
    /// - Throws: `unsupported` where ids would differ: unigram models, rules of white space that the library lacks, and
    ///   pieces that the library could not merge.
    func listingMerges() throws(TokenizerError) -> TokenizerDefinition {
        guard case .sentencePiece(let model) = model else { return self }
        let rules = model.normalization
        guard model.kind == .bytePair, rules.characterMap.isEmpty, rules.escapesWhitespace,
            !rules.removesExtraWhitespace, !rules.treatsWhitespaceAsSuffix, !rules.prefixesFirstOnly
        else {
            throw .unsupported(
                path: path, feature: "a tokenizer.json", found: "a SentencePiece model with rules of its own",
                known: ["SentencePiece BPE of LLaMA's kind"])
        }
        var definition = self
        var pairs = BytePairDefinition(merges: try model.merges(path))
        pairs.unknownToken = model.unknownID.map { model.pieces[Int($0)].text }
        pairs.fusesUnknown = true
        pairs.fallsBackToBytes = model.fallsBackToBytes
        definition.model = .bytePair(pairs)
        let space = TextPattern.literal("\u{2581}")
        definition.normalizers =
            (rules.addsDummyPrefix ? [.prepend("\u{2581}")] : []) + [.replace(.literal(" "), with: "\u{2581}")]
        definition.decoders =
            [.replace(space, with: " "), .byteFallback, .fuse]
            + (rules.addsDummyPrefix ? [.strip(" ", start: 1, end: 0)] : [])
        return definition
    }
}

extension SentencePieceModel {
    /// The merges of pieces: each way in which two of them are a third, those of better scores first.
    ///
    /// Of pieces of one score SentencePiece merges the leftmost in the text first; listed merges have one order for all
    /// texts. The one with the longest left part first does the same for runs of one character, such as spaces, in which
    /// the symbol on the left grows.
    fileprivate func merges(_ path: String) throws(TokenizerError) -> [(left: String, right: String)] {
        // A user-defined piece is found before there are symbols, unless it has a space, which the text has not yet.
        let ids = pieces.indices.filter { index in
            let piece = pieces[index]
            return piece.isOfText && (piece.kind != .userDefined || piece.text.contains("\u{2581}"))
        }
        let texts = Set(ids.lazy.map { ExactString(pieces[$0].text) })
        var merges: [Merge] = []
        for id in ids {
            let ways = try pieces[id].ways(of: texts, path)
            guard ways.isEmpty || pieces[id].kind != .unused else {
                throw Self.refusal(path, "the unused piece \(pieces[id].text.quoted), which is taken apart again")
            }
            merges += ways.map { Merge(left: $0, right: $1, score: pieces[id].score, id: id) }
        }
        return merges.sorted { $0.precedes($1) }.map { ($0.left, $0.right) }
    }

    private struct Merge {
        let left: String
        let right: String
        let score: Float
        let id: Int

        func precedes(_ other: Merge) -> Bool {
            if score != other.score { return score > other.score }
            let (length, otherLength) = (left.unicodeScalars.count, other.left.unicodeScalars.count)
            if length != otherLength { return length > otherLength }
            return (other.right.unicodeScalars.count, id) < (right.unicodeScalars.count, other.id)
        }
    }

    fileprivate static func refusal(_ path: String, _ found: String) -> TokenizerError {
        .unsupported(
            path: path, feature: "a tokenizer.json", found: found,
            known: ["pieces that are merged of others, and whose characters are pieces"])
    }
}

extension SentencePieceModel.Piece {
    /// The ways in which the piece is two others, the shortest left part first.
    fileprivate func ways(
        of texts: Set<ExactString>, _ path: String
    ) throws(TokenizerError) -> [(left: String, right: String)] {
        var ways: [(left: String, right: String)] = []
        let scalars = text.unicodeScalars
        guard scalars.count > 1 else { return [] }
        for scalar in scalars where !texts.contains(ExactString(String(scalar))) {
            // The library makes bytes of such a character before it merges anything.
            throw SentencePieceModel.refusal(path, "the piece \(text.quoted) with a character that is none")
        }
        for middle in scalars.indices.dropFirst() {
            let (left, right) = (String(scalars[..<middle]), String(scalars[middle...]))
            if texts.contains(ExactString(left)), texts.contains(ExactString(right)) { ways.append((left, right)) }
        }
        return ways
    }
}
