/// The texts of tokens on their way to one text, one after another in one array: a list of millions of ids takes what
/// their bytes take and nine bytes each.
struct PackedTexts {
    private(set) var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var literals: [Bool] = []

    var count: Int { ends.count }

    init() {}

    /// With room for so many texts.
    init(count: Int) {
        ends.reserveCapacity(count)
        literals.reserveCapacity(count)
    }

    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

    subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    /// Whether a text is what it stands for, whatever the byte-level alphabet makes of it.
    func isLiteral(_ index: Int) -> Bool { literals[index] }

    /// One text of these bytes.
    static func fused(_ bytes: [UInt8]) -> PackedTexts {
        var texts = PackedTexts()
        texts.bytes = bytes
        texts.endText()
        return texts
    }

    mutating func append(_ text: some Sequence<UInt8>, isLiteral: Bool = false) {
        add(text)
        endText(isLiteral: isLiteral)
    }

    /// Adds to the text that is not ended yet.
    mutating func add(_ text: some Sequence<UInt8>) { bytes.append(contentsOf: text) }

    mutating func endText(isLiteral: Bool = false) {
        ends.append(bytes.count)
        literals.append(isLiteral)
    }
}
