public import Tensors

extension ElementType {
    /// The types that numbers can be rounded to.
    public static let writable: Set<ElementType> = [.float32, .float16, .bfloat16, .q8_0]

    /// Numbers in this type, little-endian: rounded to nearest, ties to even, beyond the largest to infinity.
    ///
    /// Q8_0 is that of ggml's `quantize_row_q8_0_ref`: each 32 numbers are divided by 1/127 of their largest magnitude,
    /// rounded to nearest, ties away from zero.
    ///
    /// - Parameter values: whole blocks of finite numbers.
    public func encoded(_ values: Span<Float>) -> [UInt8] {
        precondition(values.count.isMultiple(of: blockElementCount), "\(values.count) numbers are no whole blocks")
        return switch self {
        case .float32: Self.words(values) { $0.bitPattern }
        case .float16: Self.words(values, Self.float16)
        case .bfloat16: Self.words(values, Self.bfloat16)
        case .q8_0: Self.eightBitBlocks(values)
        default: preconditionFailure("numbers are not rounded to \(rawValue)")
        }
    }

    /// The largest number that stays finite in this type.
    public var largestFinite: Float {
        switch self {
        case .float16: 65504
        // Of the scale, which is rounded to float16.
        case .q8_0: 127 * 65504
        case .bfloat16: Float(bitPattern: 0x7F7F_0000)
        default: .greatestFiniteMagnitude
        }
    }

    private static func words<Word: FixedWidthInteger>(_ values: Span<Float>, _ convert: (Float) -> Word) -> [UInt8] {
        let size = MemoryLayout<Word>.size
        return unsafe [UInt8](unsafeUninitializedCapacity: values.count * size) { buffer, count in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            for index in values.indices {
                unsafe bytes.storeBytes(
                    of: convert(values[index]).littleEndian, toByteOffset: index * size, as: Word.self)
            }
            count = values.count * size
        }
    }

    private static func eightBitBlocks(_ values: Span<Float>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.count / 32 * 34)
        for begin in stride(from: 0, to: values.count, by: 32) {
            let largest = (begin..<begin + 32).reduce(Float(0)) { max($0, values[$1].magnitude) }
            let scale = largest / 127
            // A scale whose inverse is infinite is zero in float16.
            let inverse = scale == 0 || !(1 / scale).isFinite ? 0 : 1 / scale
            let bits = float16(scale)
            bytes.append(UInt8(truncatingIfNeeded: bits))
            bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
            for index in begin..<begin + 32 {
                let rounded = (values[index] * inverse).rounded(.toNearestOrAwayFromZero)
                bytes.append(UInt8(bitPattern: Int8(max(-127, min(127, rounded)))))
            }
        }
        return bytes
    }

    private static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return value.isNaN ? 0x7FFF : UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    private static func float16(_ value: Float) -> UInt16 { Float16(value).bitPattern }
}
