import Compute
import Tensors

/// Stored elements to float32, in one piece and row by row. Every decoded number is exact, or rounded once.
enum DecodeCases {
    static let all: [ConformanceCase] =
        ElementType.allCases.flatMap { type in
            [1, 31, 1000, 70_001].map { decode(type, count: $0 * type.blockElementCount) }
        } + [ElementType.float16, .bfloat16].map(decodeEveryWord)
        + ElementType.allCases.flatMap { type in [false, true].map { gatherRows(type, isStrided: $0) } }

    private static func decode(_ type: ElementType, count: Int) -> ConformanceCase {
        // Some lengths are no multiple of what one task or one thread block takes.
        let count = min(count, 70_016)
        return ConformanceCase("decode", "\(type.rawValue) count=\(count)") { trial throws(ComputeError) in
            let stored = StoredElements(type, count: count, using: &trial.random)
            try judge(stored, count, &trial)
        }
    }

    /// All 65,536 of them: zeros of both signs, subnormal numbers, infinities, NaN.
    private static func decodeEveryWord(_ type: ElementType) -> ConformanceCase {
        ConformanceCase("decode", "\(type.rawValue) every bit pattern") { trial throws(ComputeError) in
            try judge(StoredElements(type, words: Array(0...UInt16.max)), 65_536, &trial)
        }
    }

    private static func judge(_ stored: StoredElements, _ count: Int, _ trial: inout Trial) throws(ComputeError) {
        let result = try trial.output(1, count, .float32, isStrided: false)
        try trial.device.decode(unsafe stored.bytes.span.bytes, elementType: stored.type, into: result)
        let (got, want) = (try trial.values(of: result).values, stored.values)
        trial.judgement.compareExactly("result", got, want)
        if stored.type.blockElementCount == 1 {
            let wrongSign = got.indices.first { want[$0] == 0 && got[$0].sign != want[$0].sign }
            trial.judgement.expect(wrongSign == nil, "the zero at \(wrongSign ?? 0) has the other sign")
        }
    }

    private static func gatherRows(_ type: ElementType, isStrided: Bool) -> ConformanceCase {
        let (rowCount, width) = (37, type.blockElementCount == 1 ? 31 : 96)
        let sizes = "\(type.rawValue) rows=\(rowCount) width=\(width) strided=\(isStrided)"
        return ConformanceCase("gather_rows", sizes) { trial throws(ComputeError) in
            let stored = StoredElements(type, count: rowCount * width, using: &trial.random)
            let table = Matrix(rowCount, width, stored.values)
            let rows: [Int32] = [36, 0, 17, 17, 5, 36, 1]
            let result = try trial.output(rows.count, width, .float32, isStrided: isStrided)
            try trial.device.gatherRows(unsafe stored.bytes.span.bytes, elementType: type, rows: rows, into: result)
            let want = Matrix(rows.count, width) { table[Int(rows[$0]), $1] }
            trial.judgement.compareExactly("result", try trial.values(of: result).values, want.values)
        }
    }
}
