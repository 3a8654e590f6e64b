/// Text for HTML and SVG: what comes from outside is escaped here, and nowhere else.
enum Markup {
    /// Text as content or as the value of a quoted attribute; control characters, which XML forbids, become visible.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\n": result += "↵"
            case "\t": result += "⇥"
            case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value): result += "\u{FFFD}"
            // Marks that turn the direction of what follows.
            case _ where (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value):
                result += "\u{FFFD}"
            case _ where scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A component of a path as one of a relative address: what is not a letter, a digit or one of a few marks is
    /// percent-encoded.
    static func escapedPath(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain = byte < 0x80 && (scalar.properties.isAlphabetic || scalar.properties.numericType == .decimal)
            if isPlain || "-._~".unicodeScalars.contains(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return result
    }

    /// A coordinate with two decimals, and no more digits than it needs.
    static func number(_ value: Double) -> String {
        var text = Text.fixed(value, 2)
        while text.contains(".") && (text.hasSuffix("0") || text.hasSuffix(".")) { text.removeLast() }
        return text
    }

    /// A value for people: four significant digits or so.
    static func value(_ value: Double) -> String {
        let size = abs(value)
        if size == 0 || !size.isFinite { return size == 0 ? "0" : "\(value)" }
        if size >= 1000 { return size < 1e7 ? Text.count(Int(value.rounded())) : scientific(value) }
        if size >= 10 { return Text.fixed(value, 1) }
        if size >= 0.001 { return Text.fixed(value, 4) }
        return scientific(value)
    }

    private static func scientific(_ value: Double) -> String {
        var (mantissa, exponent) = (abs(value), 0)
        while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        return (value < 0 ? "-" : "") + Text.fixed(mantissa, 2) + "e\(exponent)"
    }
}
