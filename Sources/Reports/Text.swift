import Linearity

/// Numbers and words as a terminal shows them.
public enum Text {
    /// Padded with spaces to at least `width` characters.
    public static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// Padded with spaces in front to at least `width` characters.
    public static func aligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// Cut in the middle to at most `width` characters: names often differ at their ends.
    static func cut(_ text: String, to width: Int) -> String {
        text.count > width ? text.prefix(width / 2) + "…" + text.suffix(width - width / 2 - 1) : text
    }

    /// A score in six columns; digits beyond the fourth say little.
    static func score(_ figure: Figure) -> String {
        guard let value = figure.value else { return "     –" }
        return aligned(fixed(value, 4), 6)
    }

    public static func plain(_ value: Double?) -> String { value.map { fixed($0, 4) } ?? "–" }

    /// A number with this many decimals.
    public static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let rounded = (abs(value) * scale).rounded()
        guard rounded < 9e18 else { return "\(value)" }
        let digits = String(Int(rounded))
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let sign = value < 0 && rounded > 0 ? "-" : ""
        return decimals == 0 ? sign + padded : sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// A number in two or three digits and a power of ten, for instance 1.2e-07; small powers are spelled out.
    public static func scientific(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return "\(value)" }
        var (digits, exponent) = (abs(value), 0)
        while digits >= 9.95 { (digits, exponent) = (digits / 10, exponent + 1) }
        while digits < 0.995 { (digits, exponent) = (digits * 10, exponent - 1) }
        if (-2...4).contains(exponent) { return fixed(value, max(0, 2 - exponent)) }
        let power = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
        return (value < 0 ? "-" : "") + fixed(digits, 1) + (exponent < 0 ? "e-" : "e+") + power
    }

    /// A bar for a share from 0 to 1, in eighths of a character.
    static func bar(_ share: Double, width: Int) -> String {
        let eighths = Int((min(1, max(0, share)) * Double(width * 8)).rounded())
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        return String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
    }

    /// Bytes in binary units.
    public static func bytes(_ count: Int) -> String {
        var (value, unit) = (Double(count), "B")
        for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 { (value, unit) = (value / 1024, next) }
        return unit == "B" ? "\(count) B" : "\(fixed(value, value < 10 ? 2 : 1)) \(unit)"
    }

    /// A duration as a person says it.
    public static func duration(_ seconds: Double) -> String {
        if seconds < 60 { return "\(fixed(seconds, 1)) s" }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    /// A count with thin groups of thousands.
    public static func count(_ value: Int) -> String {
        var digits = String(abs(value))
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits = String(digits.dropLast(3))
        }
        return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// The last component of a path.
    public static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The last component of a path, of a GGUF file without its ending.
    static func modelName(_ path: String) -> String {
        let name = name(path)
        return name.hasSuffix(".gguf") && name.count > 5 ? String(name.dropLast(5)) : name
    }
}
