import Compute
import Conformance
import Tensors

/// A matrix of random elements, in the device's memory and in the check's.
struct Operand: Sendable {
    let tensor: Tensor
    let rows: Int
    let columns: Int
    /// The elements where they are not float64.
    let floats: [Float]
    private let doubles: [Double]

    /// Elements uniform in -1..<1; those of 16-bit types are multiples of 1/128, which both types hold exactly.
    init(
        _ device: Device, _ rows: Int, _ columns: Int, _ type: ElementType, _ random: inout SplitMix64
    ) throws(ComputeError) {
        let count = rows * columns
        switch type {
        case .float64: try self.init(device, rows, columns, (0..<count).map { _ in random.uniform() })
        case .float32: try self.init(device, rows, columns, Operand.floats(count, &random))
        default:
            var values = [Float](repeating: 0, count: count)
            for i in values.indices { values[i] = Float(Int8(truncatingIfNeeded: random.next() >> 32)) / 128 }
            let stored = values.map { type == .bfloat16 ? UInt16($0.bitPattern >> 16) : Operand.float16($0) }
            let tensor = try device.makeTensor([rows, columns], type, for: "a benchmark")
            try stored.withRawSpan { bytes throws(ComputeError) in
                try device.write(bytes, to: tensor)
            }
            self.init(tensor, values, [])
        }
    }

    /// A float64 matrix of these elements.
    init(_ device: Device, _ rows: Int, _ columns: Int, _ values: [Double]) throws(ComputeError) {
        self.init(try device.makeTensor(values, [rows, columns], for: "a benchmark"), [], values)
    }

    /// A float32 matrix of these elements.
    init(_ device: Device, _ rows: Int, _ columns: Int, _ values: [Float]) throws(ComputeError) {
        self.init(try device.makeTensor(values, [rows, columns], for: "a benchmark"), values, [])
    }

    private init(_ tensor: Tensor, _ floats: [Float], _ doubles: [Double]) {
        self.tensor = tensor
        self.floats = floats
        self.doubles = doubles
        rows = tensor.rows
        columns = tensor.columns
    }

    subscript(_ row: Int, _ column: Int) -> Double {
        let index = row * columns + column
        return doubles.isEmpty ? Double(floats[index]) : doubles[index]
    }

    func row(_ row: Int) -> [Double] {
        let range = row * columns..<(row + 1) * columns
        return doubles.isEmpty ? floats[range].map { Double($0) } : Array(doubles[range])
    }

    func column(_ column: Int) -> [Double] { (0..<rows).map { self[$0, column] } }

    /// Uniform in -1..<1, two of each 64 random bits.
    static func floats(_ count: Int, _ random: inout SplitMix64) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        var bits: UInt64 = 0
        for i in values.indices {
            bits = i.isMultiple(of: 2) ? random.next() : bits << 32
            values[i] = Float(Int32(truncatingIfNeeded: Int64(bitPattern: bits) >> 40)) * 0x1p-23
        }
        return values
    }

    /// The bits of a multiple of 1/128 from -1 to 1, which float16 holds exactly.
    static func float16(_ value: Float) -> UInt16 {
        if value == 0 { return 0 }
        let bits = value.bitPattern
        // Biased by 127 there and by 15 here.
        let exponent = ((bits >> 23) & 0xFF) - 112
        return UInt16((bits >> 31) << 15 | exponent << 10 | (bits >> 13) & 0x3FF)
    }
}

/// Where answers are looked at: the ends, and a few places between that no tile size divides.
enum Places {
    static func spread(_ count: Int, _ wanted: Int) -> [Int] {
        guard count > wanted else { return Array(0..<count) }
        return (0..<wanted).map { $0 * (count - 1) / (wanted - 1) }
    }
}

/// Σ aᵢbᵢ and Σ |aᵢbᵢ|, the size of its terms.
func dot(_ a: [Double], _ b: [Double]) -> (value: Double, scale: Double) {
    var (value, scale) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
        value += x * y
        scale += abs(x * y)
    }
    return (value, scale)
}

extension Judgement {
    /// Compares rows of a result, some of them, with those that `want` gives with their scales.
    mutating func compareRows(
        _ name: String, _ result: Tensor, _ device: Device, places: [Int], _ tolerance: Tolerance,
        want: (_ row: Int) -> [(value: Double, scale: Double)]
    ) throws(ComputeError) {
        for row in places {
            let got = try device.numbers(of: result.rows(row..<row + 1))
            for (column, wanted) in want(row).enumerated() {
                compare(got[column], wanted.value, scale: wanted.scale, tolerance, "\(name)[\(row), \(column)]")
            }
        }
    }
}
