import Tensors

/// The 256 elements of a super-block, each found by its number: no two are read together.
extension StoredElements {
    /// x = d·s·q - e·m and so on; exact in Double, then rounded to float32.
    func superBlockValues(_ offset: Int) -> [Double] {
        (0..<256).map { i in
            switch type {
            case .q2_k: twoBitValue(offset, i)
            case .q3_k: threeBitValue(offset, i)
            case .q4_k: fourOrFiveBitValue(offset, i, bitsAt: nil, nibblesAt: 16)
            case .q5_k: fourOrFiveBitValue(offset, i, bitsAt: 16, nibblesAt: 48)
            case .q6_k: sixBitValue(offset, i)
            default: eightBitValue(offset, i)
            }
        }
    }

    /// `width` bits of a byte, from bit `start` on.
    private func field(_ place: Int, _ start: Int, _ width: Int) -> Double {
        Double(Int(bytes[place]) / (1 << start) % (1 << width))
    }

    /// Of a group of 128 elements, 32 bytes hold elements l, l + 32, l + 64 and l + 96 in two bits each.
    private func pair(_ offset: Int, _ i: Int) -> Double { field(offset + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 2) }

    private func twoBitValue(_ offset: Int, _ i: Int) -> Double {
        let (scale, minimum) = (field(offset + i / 16, 0, 4), field(offset + i / 16, 4, 4))
        return Double(Float(half(offset + 80) * scale * pair(offset + 16, i) - half(offset + 82) * minimum))
    }

    private func threeBitValue(_ offset: Int, _ i: Int) -> Double {
        let (group, scales) = (i / 16, offset + 96)
        let scale = field(scales + group % 8, group / 8 * 4, 4) + 16 * field(scales + 8 + group % 4, group / 4 * 2, 2)
        let quantum = pair(offset + 32, i) + 4 * field(offset + i % 32, i / 32, 1)
        return half(offset + 108) * (scale - 32) * (quantum - 4)
    }

    private func fourOrFiveBitValue(_ offset: Int, _ i: Int, bitsAt: Int?, nibblesAt: Int) -> Double {
        let nibble = field(offset + nibblesAt + i / 64 * 32 + i % 32, i / 32 % 2 * 4, 4)
        let bit = bitsAt.map { field(offset + $0 + i % 32, i / 32, 1) } ?? 0
        let scale = half(offset) * sixBits(offset, i / 32, first: 4, nibble: 0)
        let minimum = half(offset + 2) * sixBits(offset, i / 32, first: 8, nibble: 4)
        return Double(Float(scale * (nibble + 16 * bit) - minimum))
    }

    /// The scale or minimum of a group: the first four have a byte from `first` on, whose upper two bits belong to the
    /// group four further on; its lower four are in bytes 12 to 15.
    private func sixBits(_ offset: Int, _ group: Int, first: Int, nibble: Int) -> Double {
        group < 4
            ? field(offset + first + group, 0, 6)
            : field(offset + 8 + group, nibble, 4) + 16 * field(offset + first + group - 4, 6, 2)
    }

    private func sixBitValue(_ offset: Int, _ i: Int) -> Double {
        let nibble = field(offset + i / 128 * 64 + i % 64, i % 128 / 64 * 4, 4)
        let scale = Double(Int8(truncatingIfNeeded: integer(offset + 192 + i / 16, 1)))
        return half(offset + 208) * scale * (nibble + 16 * pair(offset + 128, i) - 32)
    }

    private func eightBitValue(_ offset: Int, _ i: Int) -> Double {
        let scale = Double(Float(bitPattern: UInt32(integer(offset, 4))))
        return Double(Float(scale * Double(Int8(truncatingIfNeeded: integer(offset + 4 + i, 1)))))
    }
}
