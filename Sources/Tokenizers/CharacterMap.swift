/// A SentencePiece `precompiled_charsmap`: which sequences of characters become which others before a text is cut.
///
/// The file: the size of a trie in bytes (32 bits, little-endian), the trie, then the replacements, each ended by a zero
/// byte. The trie is a double array of Darts-clone: a unit has its label in bits 0 to 7, whether it ends a key in bit 8,
/// and the offset of its children in bits 10 to 30, shifted by 8 where bit 9 is set; a unit with bit 31 holds a value,
/// here the place of a replacement.
struct CharacterMap: Equatable, Sendable {
    private let units: [UInt32]
    /// The replacements, valid UTF-8.
    let replacements: [UInt8]

    /// - Throws: what is wrong with it, in words.
    init(_ bytes: [UInt8]) throws(Failure) {
        guard bytes.count > 4 else { throw Failure(problem: "it has \(bytes.count) bytes; expected more than 4") }
        let byteCount = (0..<4).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        guard byteCount >= 1024, byteCount % 1024 == 0, byteCount < bytes.count - 4 else {
            throw Failure(problem: "its trie has \(byteCount) bytes of \(bytes.count); expected a multiple of 1024")
        }
        units = stride(from: 4, to: 4 + byteCount, by: 4).map { start in
            (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
        }
        replacements = Array(bytes[(4 + byteCount)...])
        guard replacements.last == 0 else { throw Failure(problem: "its last replacement has no end") }
        guard String(validating: replacements, as: UTF8.self) != nil else {
            throw Failure(problem: "its replacements are not valid UTF-8")
        }
        if let longest = replacements.split(separator: 0).map(\.count).max(), longest > Self.replacementByteCountLimit {
            throw Failure(
                problem: "a replacement has \(longest) bytes; expected at most \(Self.replacementByteCountLimit)")
        }
        try check()
    }

    /// Far beyond those of Unicode's compatibility forms, of which the longest has 33 bytes: a file is not to decide how
    /// large a text becomes.
    private static let replacementByteCountLimit = 256

    struct Failure: Error, Equatable {
        var problem: String
    }

    /// Every unit's children lie in the array, and every value is the start of a character: nothing is checked later.
    private func check() throws(Failure) {
        guard units[0] >> 31 == 0 else { throw Failure(problem: "unit 0 of its trie is a value") }
        for (index, unit) in units.enumerated() where unit >> 31 == 0 {
            guard index ^ Self.offset(unit) | 0xFF < units.count else {
                throw Failure(problem: "unit \(index) of its trie points outside")
            }
        }
        for (index, unit) in units.enumerated() where unit >> 31 == 1 {
            let value = Int(unit & 0x7FFF_FFFF)
            guard value < replacements.count, !UTF8.isContinuation(replacements[value]) else {
                throw Failure(problem: "unit \(index) of its trie has no replacement")
            }
        }
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }

    /// The longest, or the shortest, sequence at `start` of `text` that becomes another: its length and the place of the
    /// other in `replacements`.
    @inline(__always)
    func match(in text: Span<UInt8>, _ range: Range<Int>, shortest: Bool = false) -> (byteCount: Int, value: Int)? {
        var (node, found): (Int, (Int, Int)?) = (0, nil)
        for index in range {
            let byte = text[index]
            node ^= Self.offset(units[node]) ^ Int(byte)
            let unit = units[node]
            guard byte != 0, unit & 0x8000_00FF == UInt32(byte) else { break }
            guard unit & 1 << 8 != 0 else { continue }
            let leaf = units[node ^ Self.offset(unit)]
            guard leaf >> 31 == 1 else { break }
            found = (index + 1 - range.lowerBound, Int(leaf & 0x7FFF_FFFF))
            if shortest { break }
        }
        return found
    }

    /// The bytes of the replacement at `value`.
    @inline(__always)
    func replacement(_ value: Int) -> Range<Int> {
        var end = value
        while replacements[end] != 0 { end += 1 }
        return value..<end
    }

    /// The ASCII characters that stay as they are where an ASCII character, or none, follows.
    var quietCharacters: [Bool] {
        (0..<0x80).map { first in
            guard first > 0 else { return false }
            let node = Self.offset(units[0]) ^ first
            guard units[node] & 0x8000_00FF == UInt32(first) else { return true }
            guard units[node] & 1 << 8 == 0 else { return false }
            return (1..<0x80).allSatisfy { second in
                units[node ^ Self.offset(units[node]) ^ second] & 0x8000_00FF != UInt32(second)
            }
        }
    }
}
