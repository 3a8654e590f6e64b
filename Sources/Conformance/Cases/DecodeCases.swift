import Compute
import Tensors

/// Stored elements to float32 and float64, in one piece and row by row. Every decoded number is exact, or rounded once.
enum DecodeCases {
    static let all: [ConformanceCase] =
        ElementType.allCases.flatMap { type in counts(type).map { decode(type, count: $0) } }
        + ElementType.allCases.map(decodeFromALaterBlock) + [ElementType.float16, .bfloat16].map(decodeEveryWord)
        + [ElementType.float64, .float32, .float16, .bfloat16, .q8_0].flatMap { type in
            [1, 70_001].map { decodeToFloat64(type, blockCount: $0) }
        }
        + [ElementType.float32, .float16, .bfloat16, .q4_1, .q6_k].flatMap { type in
            [ElementType.float16, .bfloat16].map { decodeToSixteenBits(type, $0) }
        }
        + ElementType.allCases.flatMap { type in [false, true].map { gatherRows(type, isStrided: $0) } }

    /// Whole blocks. Some counts are no multiple of what one task or one thread block takes.
    private static func counts(_ type: ElementType) -> [Int] {
        let block = type.blockElementCount
        let most = (70_001 + block - 1) / block * block
        return Set([1, 31, 1000, 70_001].map { min($0 * block, most) }).sorted()
    }

    private static func decode(_ type: ElementType, count: Int) -> ConformanceCase {
        ConformanceCase("decode", "\(type.rawValue) count=\(count)") { trial throws(ComputeError) in
            let stored = StoredElements(type, count: count, using: &trial.random)
            try judge(stored, 0..<count, &trial)
        }
    }

    /// A slice of what is stored, which begins wherever the blocks before it end.
    private static func decodeFromALaterBlock(_ type: ElementType) -> ConformanceCase {
        ConformanceCase("decode", "\(type.rawValue) from block 3") { trial throws(ComputeError) in
            let block = type.blockElementCount
            let stored = StoredElements(type, count: 9 * block, using: &trial.random)
            try judge(stored, 3 * block..<8 * block, &trial)
        }
    }

    /// All 65,536 of them: zeros of both signs, subnormal numbers, infinities, NaN.
    private static func decodeEveryWord(_ type: ElementType) -> ConformanceCase {
        ConformanceCase("decode", "\(type.rawValue) every bit pattern") { trial throws(ComputeError) in
            try judge(StoredElements(type, words: Array(0...UInt16.max)), 0..<65_536, &trial)
        }
    }

    /// Float32 holds what is stored exactly, and float64 what float32 holds; float64 is taken as it is.
    private static func decodeToFloat64(_ type: ElementType, blockCount: Int) -> ConformanceCase {
        ConformanceCase("decode", "\(type.rawValue) to float64, blocks=\(blockCount)") { trial throws(ComputeError) in
            let count = blockCount * type.blockElementCount
            let stored = StoredElements(type, count: count, using: &trial.random)
            let result = try trial.output(1, count, .float64, isStrided: false)
            try stored.bytes.withRawSpan { bytes throws(ComputeError) in
                try trial.device.decode(bytes, elementType: type, into: result)
            }
            let words = unsafe stored.bytes.withUnsafeBytes { bytes in
                (0..<stored.bytes.count / 8).map {
                    unsafe Double(bitPattern: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self))
                }
            }
            let want = type == .float64 ? words : stored.values
            trial.judgement.compareExactly("result", try trial.values(of: result).values, want)
        }
    }

    /// What float32 holds is rounded once.
    private static func decodeToSixteenBits(_ type: ElementType, _ resultType: ElementType) -> ConformanceCase {
        ConformanceCase("decode", "\(type.rawValue) to \(resultType.rawValue)") { trial throws(ComputeError) in
            let count = 301 * type.blockElementCount
            let stored = StoredElements(type, count: count, using: &trial.random)
            let result = try trial.output(1, count, resultType, isStrided: false)
            try stored.bytes.withRawSpan { bytes throws(ComputeError) in
                try trial.device.decode(bytes, elementType: type, into: result)
            }
            let want = stored.values.map { SixteenBitFloat(resultType)?.rounded($0) ?? $0 }
            trial.judgement.compareExactly("result", try trial.values(of: result).values, want)
        }
    }

    private static func judge(
        _ stored: StoredElements, _ range: Range<Int>, _ trial: inout Trial
    ) throws(ComputeError) {
        let result = try trial.output(1, range.count, .float32, isStrided: false)
        let block = (elementCount: stored.type.blockElementCount, byteCount: stored.type.blockByteCount)
        let begin = range.lowerBound / block.elementCount * block.byteCount
        let slice = Array(stored.bytes[begin..<begin + range.count / block.elementCount * block.byteCount])
        try slice.withRawSpan { bytes throws(ComputeError) in
            try trial.device.decode(bytes, elementType: stored.type, into: result)
        }
        let (got, want) = (try trial.values(of: result).values, Array(stored.values[range]))
        trial.judgement.compareExactly("result", got, want)
        let wrongSign = got.indices.first { want[$0] == 0 && got[$0].sign != want[$0].sign }
        trial.judgement.expect(wrongSign == nil, "the zero at \(wrongSign ?? 0) has the other sign")
    }

    private static func gatherRows(_ type: ElementType, isStrided: Bool) -> ConformanceCase {
        let (rowCount, width) = (37, type.blockElementCount == 1 ? 31 : 3 * type.blockElementCount)
        let sizes = "\(type.rawValue) rows=\(rowCount) width=\(width) strided=\(isStrided)"
        return ConformanceCase("gather_rows", sizes) { trial throws(ComputeError) in
            let stored = StoredElements(type, count: rowCount * width, using: &trial.random)
            let table = Matrix(rowCount, width, stored.values)
            let rows: [Int32] = [36, 0, 17, 17, 5, 36, 1]
            let result = try trial.output(rows.count, width, .float32, isStrided: isStrided)
            try stored.bytes.withRawSpan { bytes throws(ComputeError) in
                try trial.device.gatherRows(bytes, elementType: type, rows: rows, into: result)
            }
            let want = Matrix(rows.count, width) { table[Int(rows[$0]), $1] }
            trial.judgement.compareExactly("result", try trial.values(of: result).values, want.values)
        }
    }
}
