import ArgumentParser

/// A number of bytes as people type it: 2000000, 500M, 8GiB.
struct ByteCount: ExpressibleByArgument {
    let value: Int

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number > 0 else { return nil }
        var unit = argument.dropFirst(digits.count).uppercased()
        for suffix in ["IB", "B"] where unit.hasSuffix(suffix) && unit != suffix {
            unit.removeLast(suffix.count)
            break
        }
        let powers = ["": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4]
        guard let power = powers[unit] else { return nil }
        let bytes = (0..<power).reduce(number) { value, _ in value * 1024 }
        guard bytes >= 1, bytes < 0x1p62 else { return nil }
        value = Int(bytes)
    }
}
