/// Unicode's normalization forms (Unicode Standard Annex 15) of scalars.
struct UnicodeNormalizer {
    private let tables = NormalizationTables.shared
    private let form: NormalizationForm

    init(_ form: NormalizationForm) { self.form = form }

    private var isCompatible: Bool { form == .nfkc || form == .nfkd }
    private var composes: Bool { form == .nfc || form == .nfkc }

    /// Below it no character changes, alone or beside others like it.
    private var firstChangeable: UInt32 {
        switch form {
        case .nfc: 0x300
        case .nfd: 0xC0
        case .nfkc, .nfkd: 0xA0
        }
    }

    /// Changes `text`, valid UTF-8, to its form.
    func normalize(_ text: inout [UInt8]) {
        // The first byte of a character is not less than that of a lesser character.
        let first = UTF8.encode(Unicode.Scalar(firstChangeable) ?? "\0").flatMap(\.first) ?? 0
        guard text.contains(where: { $0 >= first }) else { return }
        var scalars: [Unicode.Scalar] = []
        scalars.reserveCapacity(text.count)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars { decompose(scalar, into: &scalars) }
        reorder(&scalars)
        if composes { compose(&scalars) }
        text.removeAll(keepingCapacity: true)
        for scalar in scalars { text.append(scalar) }
    }
}

// MARK: - Decomposition

extension UnicodeNormalizer {
    private func decompose(_ scalar: Unicode.Scalar, into scalars: inout [Unicode.Scalar]) {
        if scalar.value < 0xA0 {
            scalars.append(scalar)
        } else if Hangul.syllables.contains(scalar.value) {
            Hangul.decompose(scalar.value, into: &scalars)
        } else if let mapping = tables.decomposition(of: scalar, isCompatible: isCompatible) {
            scalars.append(contentsOf: mapping)
        } else {
            scalars.append(scalar)
        }
    }

    /// Puts each run of marks in the order of their classes; those of a class keep theirs.
    private func reorder(_ scalars: inout [Unicode.Scalar]) {
        var index = 0
        while index < scalars.count {
            guard tables.combiningClass(of: scalars[index]) != 0 else {
                index += 1
                continue
            }
            let start = index
            while index < scalars.count, tables.combiningClass(of: scalars[index]) != 0 { index += 1 }
            if index - start > 1 { sort(&scalars, start..<index) }
        }
    }

    private func sort(_ scalars: inout [Unicode.Scalar], _ range: Range<Int>) {
        let sorted = range.map { (tables.combiningClass(of: scalars[$0]), $0, scalars[$0]) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
        for (place, element) in zip(range, sorted) { scalars[place] = element.2 }
    }
}

// MARK: - Composition

extension UnicodeNormalizer {
    private func compose(_ scalars: inout [Unicode.Scalar]) {
        var (count, starter): (Int, Int?) = (0, nil)
        var lastClass: UInt8 = 0
        for scalar in scalars {
            let order = tables.combiningClass(of: scalar)
            if let place = starter, count == place + 1 || (lastClass != 0 && lastClass < order),
                let composite = composite(scalars[place], scalar)
            {
                scalars[place] = composite
                continue
            }
            if order == 0 { starter = count }
            lastClass = order
            scalars[count] = scalar
            count += 1
        }
        scalars.removeLast(scalars.count - count)
    }

    private func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        if second.value < 0x300 { return nil }
        return Hangul.composite(first.value, second.value) ?? tables.composite(first, second)
    }
}

/// The syllables whose decompositions are arithmetic (The Unicode Standard, section 3.12).
private enum Hangul {
    static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3
    private static let (leading, vowel, trailing): (UInt32, UInt32, UInt32) = (0x1100, 0x1161, 0x11A7)
    private static let (leadingCount, vowelCount, trailingCount): (UInt32, UInt32, UInt32) = (19, 21, 28)

    static func decompose(_ value: UInt32, into scalars: inout [Unicode.Scalar]) {
        let index = value - syllables.lowerBound
        let parts = [
            leading + index / (vowelCount * trailingCount), vowel + index / trailingCount % vowelCount,
            trailing + index % trailingCount,
        ]
        for part in parts where part != trailing {
            if let scalar = Unicode.Scalar(part) { scalars.append(scalar) }
        }
    }

    static func composite(_ first: UInt32, _ second: UInt32) -> Unicode.Scalar? {
        if (leading..<leading + leadingCount).contains(first), (vowel..<vowel + vowelCount).contains(second) {
            return Unicode.Scalar(
                syllables.lowerBound + ((first - leading) * vowelCount + second - vowel) * trailingCount)
        }
        guard syllables.contains(first), (first - syllables.lowerBound) % trailingCount == 0,
            (trailing + 1..<trailing + trailingCount).contains(second)
        else { return nil }
        return Unicode.Scalar(first + second - trailing)
    }
}
