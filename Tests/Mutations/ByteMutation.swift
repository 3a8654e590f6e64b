/// Changes of bytes that know nothing of a format.
enum ByteMutation {
    /// Files do not grow beyond this.
    static let byteCountLimit = 4 << 20

    /// One change.
    static func mutate(_ bytes: inout [UInt8], _ random: inout RandomSource) {
        guard !bytes.isEmpty else {
            bytes = (0..<random.index(64)).map { _ in random.byte() }
            return
        }
        switch random.index(10) {
        case 0, 1: bytes[random.index(bytes.count)] ^= 1 << UInt8(random.index(8))
        case 2: bytes[random.index(bytes.count)] = random.pick([0, 0xFF, 0x7F, 0x80, random.byte()])
        case 3: bytes.removeLast(random.size(below: bytes.count) + 1)
        case 4: extend(&bytes, &random)
        case 5: bytes.removeSubrange(range(bytes, &random))
        case 6: insert(bytes[range(bytes, &random)], into: &bytes, &random)
        case 7: overwrite(&bytes, with: Array(bytes[range(bytes, &random)]), &random)
        default: overwrite(&bytes, with: number(&random), &random)
        }
    }

    private static func range(_ bytes: [UInt8], _ random: inout RandomSource) -> Range<Int> {
        let start = random.index(bytes.count)
        return start..<start + 1 + random.size(below: bytes.count - start)
    }

    private static func extend(_ bytes: inout [UInt8], _ random: inout RandomSource) {
        let fill = random.byte()
        let isConstant = random.once(in: 2)
        for _ in 0..<random.size(below: 4096) { bytes.append(isConstant ? fill : random.byte()) }
    }

    private static func insert(_ block: ArraySlice<UInt8>, into bytes: inout [UInt8], _ random: inout RandomSource) {
        guard bytes.count + block.count <= byteCountLimit else { return }
        bytes.insert(contentsOf: Array(block), at: random.index(bytes.count + 1))
    }

    /// An interesting number of one to eight bytes.
    private static func number(_ random: inout RandomSource) -> [UInt8] {
        Array(bytes(random.interesting()).prefix(random.pick([1, 2, 4, 4, 8, 8, 8])))
    }

    /// At any place, aligned to the block's size half of the times.
    private static func overwrite(_ bytes: inout [UInt8], with block: [UInt8], _ random: inout RandomSource) {
        guard block.count <= bytes.count else { return }
        var start = random.index(bytes.count - block.count + 1)
        if random.once(in: 2) { start -= start % block.count }
        bytes.replaceSubrange(start..<start + block.count, with: block)
    }

    /// Little-endian.
    static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// Text that is not UTF-8: cut, overlong, surrogates, beyond Unicode, stray continuations.
    static let invalidUTF8: [[UInt8]] = [
        [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80], [0xE2, 0x82],
        [0x61, 0xF0, 0x9F, 0x98],
    ]
}
