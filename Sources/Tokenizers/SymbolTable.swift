import Checkpoints

/// The tokens of single characters, which byte-pair encoding starts from.
struct SymbolTable: Sendable {
    /// Where the character stands in its pre-token.
    private struct Place: Hashable {
        var isFirst: Bool
        var isLast: Bool
    }

    static let absent: Int32 = -1

    /// The one table of characters whose tokens are the same anywhere, or one for each place.
    private let tables: [ScalarTable<Int32>]
    /// The tokens of single bytes, `<0x00>` and so on; empty where they are not used.
    let byteIDs: [Int32]

    init(_ definition: BytePairDefinition, _ tokens: [TokenizerDefinition.Token], _ vocabulary: Vocabulary) {
        let (prefix, suffix) = (
            Array(definition.continuingPrefix.unicodeScalars), Array(definition.endSuffix.unicodeScalars)
        )
        let hasAffixes = !prefix.isEmpty || !suffix.isEmpty
        tables = (0..<(hasAffixes ? 4 : 1)).map { place in
            let (start, end) = (place & 1 == 0 ? [] : prefix, place & 2 == 0 ? [] : suffix)
            var table = ScalarTable<Int32>(absent: Self.absent)
            for token in tokens where token.isOfModel {
                let scalars = token.text.unicodeScalars
                // Most tokens are too long, which their bytes say.
                guard token.text.utf8.count <= 4 * (start.count + end.count + 1), scalars.starts(with: start) else {
                    continue
                }
                let rest = Array(scalars.dropFirst(start.count))
                if rest.count == end.count + 1, rest.dropFirst().elementsEqual(end) { table[rest[0]] = token.id }
            }
            return table
        }
        byteIDs =
            definition.fallsBackToBytes
            ? (UInt8.min...UInt8.max).map { vocabulary.id(of: Self.name(of: $0)) ?? Self.absent } : []
    }

    /// The token of a character, or `absent`.
    @inline(__always)
    func id(of scalar: Unicode.Scalar, isFirst: Bool, isLast: Bool) -> Int32 {
        if tables.count == 1 { return tables[0][scalar] }
        return tables[(isFirst ? 0 : 1) | (isLast ? 2 : 0)][scalar]
    }

    /// `<0x0A>`.
    static func name(of byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(digits.utf8.count == 1 ? "0" : "")\(digits)>"
    }
}
