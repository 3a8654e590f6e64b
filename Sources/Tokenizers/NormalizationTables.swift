/// The data of the normalization forms, ready to be looked up.
struct NormalizationTables: Sendable {
    static let shared = NormalizationTables(NormalizationData.decompositions, NormalizationData.combiningClasses)

    /// Whole decompositions, one after the other.
    private var mappings: [Unicode.Scalar] = []
    private var canonical = ScalarTable<Int32>(absent: 0)
    private var compatible = ScalarTable<Int32>(absent: 0)
    private var classes = ScalarTable<UInt8>(absent: 0)
    private var composites: [UInt64: Unicode.Scalar] = [:]

    /// The whole decomposition, or nil where there is none.
    func decomposition(of scalar: Unicode.Scalar, isCompatible: Bool) -> ArraySlice<Unicode.Scalar>? {
        let place = isCompatible ? compatible[scalar] : canonical[scalar]
        guard place != 0 else { return nil }
        let (start, count) = (Int(place >> 5), Int(place & 31))
        return mappings[start..<start + count]
    }

    func combiningClass(of scalar: Unicode.Scalar) -> UInt8 {
        scalar.value < 0x300 ? 0 : classes[scalar]
    }

    /// The character that the two make, or nil.
    func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        composites[Self.key(first, second)]
    }

    private static func key(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt64 {
        UInt64(first.value) << 32 | UInt64(second.value)
    }
}

// MARK: - Reading the data

extension NormalizationTables {
    private struct Entry {
        var kind: UInt8
        var mapping: [Unicode.Scalar]
    }

    private init(_ decompositions: StaticString, _ combiningClasses: StaticString) {
        var entries: [Unicode.Scalar: Entry] = [:]
        Self.forEachEntry(decompositions) { first, count, kind, numbers in
            for step in 0...count {
                var mapping = numbers.compactMap(Unicode.Scalar.init)
                if step > 0 { mapping = mapping.compactMap { Unicode.Scalar($0.value + step) } }
                if let scalar = Unicode.Scalar(first + step) { entries[scalar] = Entry(kind: kind, mapping: mapping) }
            }
        }
        for (scalar, entry) in entries {
            let whole = Self.decompose(scalar, entries, isCompatible: true)
            compatible[scalar] = append(whole)
            guard entry.kind != UInt8(ascii: "~") else { continue }
            canonical[scalar] = append(Self.decompose(scalar, entries, isCompatible: false))
            if entry.kind == UInt8(ascii: "="), entry.mapping.count == 2 {
                composites[Self.key(entry.mapping[0], entry.mapping[1])] = scalar
            }
        }
        Self.forEachEntry(combiningClasses) { first, count, _, numbers in
            for value in first...first + count {
                if let scalar = Unicode.Scalar(value) {
                    classes[scalar] = UInt8(truncatingIfNeeded: numbers.first ?? 0)
                }
            }
        }
    }

    /// The place of a mapping and its length, which is at most 18, in one number that is not 0.
    private mutating func append(_ mapping: [Unicode.Scalar]) -> Int32 {
        defer { mappings.append(contentsOf: mapping) }
        return Int32(truncatingIfNeeded: mappings.count << 5 | mapping.count)
    }

    /// The mapping of a character, each of whose characters is mapped again.
    private static func decompose(
        _ scalar: Unicode.Scalar, _ entries: [Unicode.Scalar: Entry], isCompatible: Bool
    ) -> [Unicode.Scalar] {
        guard let entry = entries[scalar], isCompatible || entry.kind != UInt8(ascii: "~") else { return [scalar] }
        return entry.mapping.flatMap { decompose($0, entries, isCompatible: isCompatible) }
    }

    /// Calls `body` with each entry's first character, the count of further ones, its kind and its numbers.
    private static func forEachEntry(
        _ text: StaticString, _ body: (UInt32, UInt32, UInt8, [UInt32]) -> Void
    ) {
        for word in text.description.utf8.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") })
        {
            var (numbers, kind, count): ([UInt32], UInt8, UInt32) = ([0], 0, 0)
            var hasCount = false
            for byte in word {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    numbers[numbers.count - 1] = numbers[numbers.count - 1] << 4 | UInt32(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "A")...UInt8(ascii: "F"):
                    numbers[numbers.count - 1] = numbers[numbers.count - 1] << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
                default:
                    if byte == UInt8(ascii: "+") { hasCount = true }
                    if byte != UInt8(ascii: "+"), byte != UInt8(ascii: ",") { kind = byte }
                    numbers.append(0)
                }
            }
            if hasCount { count = numbers.remove(at: 1) }
            body(numbers[0], count, kind, Array(numbers.dropFirst()))
        }
    }
}
