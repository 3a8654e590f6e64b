/// The numbers of one matrix before they are written: rows of vectors, and what can be wrong with them.
struct MatrixNumbers {
    var rowCount: Int
    var width: Int
    /// Row by row.
    var elements: [Double]

    /// Small numbers.
    init(rowCount: Int, width: Int, _ random: inout RandomSource) {
        (self.rowCount, self.width) = (rowCount, width)
        elements = (0..<rowCount * width).map { _ in Self.number(&random) }
    }

    /// These columns mixed, and a little of what has nothing to do with them.
    func image(width: Int, _ random: inout RandomSource) -> MatrixNumbers {
        let map = (0..<self.width * width).map { _ in Self.number(&random) }
        var result = MatrixNumbers(rowCount: rowCount, width: width, &random)
        for row in 0..<rowCount {
            for column in 0..<width {
                let sum = (0..<self.width).reduce(0) { $0 + elements[row * self.width + $1] * map[$1 * width + column] }
                result.elements[row * width + column] = sum + result.elements[row * width + column] / 8
            }
        }
        return result
    }

    /// Between -2 and 2.
    private static func number(_ random: inout RandomSource) -> Double {
        Double(Int64(bitPattern: random.next())) / 0x1p62
    }
}

// MARK: - Bytes

extension MatrixNumbers {
    enum ElementType: String, CaseIterable {
        case float16 = "f2"
        case float32 = "f4"
        case float64 = "f8"
        case bfloat16 = "V2"

        /// As a safetensors header has it.
        var safetensorsName: String {
            switch self {
            case .float16: "F16"
            case .float32: "F32"
            case .float64: "F64"
            case .bfloat16: "BF16"
            }
        }
    }

    func bytes(_ type: ElementType, isBigEndian: Bool = false, isColumnMajor: Bool = false) -> [UInt8] {
        let ordered =
            isColumnMajor
            ? (0..<width).flatMap { column in (0..<rowCount).map { elements[$0 * width + column] } } : elements
        return ordered.flatMap { element in
            let bytes = Self.bytes(element, type)
            return isBigEndian ? bytes.reversed() : bytes
        }
    }

    private static func bytes(_ element: Double, _ type: ElementType) -> [UInt8] {
        switch type {
        case .float16: ByteMutation.bytes(Float16(element).bitPattern)
        case .float32: ByteMutation.bytes(Float(element).bitPattern)
        case .float64: ByteMutation.bytes(element.bitPattern)
        case .bfloat16: ByteMutation.bytes(UInt16(truncatingIfNeeded: Float(element).bitPattern >> 16))
        }
    }
}

// MARK: - Mutation

extension MatrixNumbers {
    /// Numbers at the ends of the range of each type, and those that are none.
    private static let extremes: [Double] = [
        .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNormalMagnitude,
        .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 0, -0.0, 3.4028234663852886e38, -3.4028234663852886e38,
        1.1754943508222875e-38, 1e-45, 65504, -65504, 6e-8, 1e20, 1e-20, 1e70, 1e-70, 1e71, 1e-71, 1e154, 1e-162,
    ]

    /// One change of numbers, or of how many there are.
    mutating func mutate(_ random: inout RandomSource) {
        switch random.index(10) {
        case 0: for _ in 0...random.index(4) { setAny(random.pick(Self.extremes), &random) }
        // Without those that are refused at once.
        case 1: for _ in 0...random.index(4) { setAny(random.pick(Array(Self.extremes.dropFirst(3))), &random) }
        case 2: scale(0..<width, by: random.pick(Self.scales))
        case 3: scale(column(&random), by: random.pick(Self.scales))
        case 4: shift(0..<width, by: random.pick(Self.scales))
        case 5: repeatRows(&random)
        case 6:
            let value = random.pick([0, 1, 1e30])
            setColumn(random.index(width)) { _ in value }
        case 7:
            let (source, width, elements) = (random.index(width), width, elements)
            setColumn(random.index(width)) { elements[$0 * width + source] }
        case 8: elements = elements.map { $0.rounded() }
        default: reshape(&random)
        }
    }

    private static let scales = [
        0, 1e-300, 1e-160, 1e-100, 1e-75, 1e-65, 1e-40, 1e-20, 1e-11, 1e-6, 1e4, 1e9, 1e16, 1e30, 1e65, 1e75, 1e100,
        1e160, 1e300,
    ]

    private mutating func setAny(_ value: Double, _ random: inout RandomSource) {
        guard !elements.isEmpty else { return }
        elements[random.index(elements.count)] = value
    }

    private func column(_ random: inout RandomSource) -> Range<Int> {
        let column = random.index(width)
        return column..<min(column + 1, width)
    }

    private mutating func scale(_ columns: Range<Int>, by factor: Double) {
        for row in 0..<rowCount { for column in columns { elements[row * width + column] *= factor } }
    }

    private mutating func shift(_ columns: Range<Int>, by offset: Double) {
        for row in 0..<rowCount { for column in columns { elements[row * width + column] += offset } }
    }

    /// All rows, or all but a few, are the same.
    private mutating func repeatRows(_ random: inout RandomSource) {
        guard width > 0, rowCount > 0 else { return }
        let first = Array(elements.prefix(width))
        for row in 0..<rowCount - random.pick([0, 0, 1, 2, width]).clamped(to: 0...rowCount) {
            elements.replaceSubrange(row * width..<(row + 1) * width, with: first)
        }
    }

    private mutating func setColumn(_ column: Int, _ value: (_ row: Int) -> Double) {
        guard width > 0 else { return }
        for row in 0..<rowCount { elements[row * width + column] = value(row) }
    }

    /// Few rows, many columns, none of either.
    private mutating func reshape(_ random: inout RandomSource) {
        let (rows, columns) = random.pick([
            (0, 3), (3, 0), (1, 1), (1, 7), (2, 1), (7, 7), (8, 7), (10, 9), (rowCount, 40), (rowCount, 300),
            (2, 2_000),
            (300, 2), (1_100, 1), (2_100, 3), (rowCount, 1), (rowCount + 1, width), (max(0, rowCount - 1), width),
        ])
        self = MatrixNumbers(rowCount: rows, width: columns, &random)
    }
}

extension Comparable {
    fileprivate func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
