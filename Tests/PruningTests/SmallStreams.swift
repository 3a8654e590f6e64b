import Checkpoints
import Compute
import Linearity
import Tensors
import Transformers

/// Streams of made-up rows.
struct SmallStreams {
    static let lengths = [9, 40, 1, 33, 64, 7, 50, 64, 12]
    static let width = 9
    let device: Device
    let layout: SequenceLayout
    /// Row by row: correlated columns, and in y what a random map and a little noise make of them.
    var x: [Float]
    var y: [Float]

    /// - Parameter repetitions: Times that the sequences are there; from 2 on, moments are tried in float32 first.
    init(
        device: Device = .host(laneCount: 2), repetitions: Int = 1,
        target: (_ x: [Float], _ column: Int, _ noise: Float) -> Float
    ) {
        self.device = device
        layout = SequenceLayout(lengths: (0..<repetitions).flatMap { _ in SmallStreams.lengths })
        var state: UInt64 = 7
        func noise() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 24) - 0.5
        }
        (x, y) = ([], [])
        for _ in 0..<layout.tokenCount {
            var row = (0..<SmallStreams.width).map { _ in noise() }
            for column in 1..<SmallStreams.width { row[column] += 0.7 * row[column - 1] + Float(column) }
            x += row
            y += (0..<SmallStreams.width).map { target(row, $0, noise()) }
        }
    }

    /// A contribution that is partly linear.
    init(device: Device = .host(laneCount: 2), repetitions: Int = 1) {
        self.init(device: device, repetitions: repetitions) { row, column, noise in
            row[column] + 0.3 * row[(column + 1) % row.count] * Float(column) - 0.2 * row[0] + noise
        }
    }

    func stream(_ values: [Float], _ placement: Stream.PlacementKind = .memory) throws -> Stream {
        let width = values.count / layout.tokenCount
        let stream = try Stream(layout: layout, width: width, device: device, placement: placement)
        let staging = try device.makeTensor([layout.tokenCount, width], .float32, for: "rows")
        let place = try stream.destination(0..<layout.tokenCount, staging: staging)
        try device.copy(device.makeTensor(values, [layout.tokenCount, width], for: "rows"), to: place)
        try stream.commit(place, at: 0..<layout.tokenCount)
        return stream
    }

    /// Packed rows whose position in their sequence is at least `skipped`.
    func rows(skipping skipped: Int) -> [Int] {
        (0..<layout.tokenCount).filter { $0 - layout.offsets[layout.sequence(ofRow: $0)] >= skipped }
    }
}

/// Sums over rows in float64, for residuals under a map.
struct Residuals {
    /// Σ ‖y - x - x·M - b‖².
    var squares = 0.0
    /// Σ ‖b - b̄‖² and Σ ‖y - ȳ‖².
    var contributionSquares = 0.0
    var outputSquares = 0.0
    /// X_cᵀE, row-major.
    var gradient: [Double]
    /// ‖X_c‖.
    var inputNorm = 0.0

    init(x: [Float], y: [Float], rows: [Int], matrix: [Double], bias: [Double]) {
        let width = bias.count
        func row(_ values: [Float], _ index: Int) -> [Double] {
            values[index * width..<(index + 1) * width].map(Double.init)
        }
        func mean(_ of: (Int) -> [Double]) -> [Double] {
            var sum = [Double](repeating: 0, count: width)
            for index in rows { for (column, value) in of(index).enumerated() { sum[column] += value } }
            return sum.map { $0 / Double(rows.count) }
        }
        let (meanX, meanY) = (mean { row(x, $0) }, mean { row(y, $0) })
        gradient = [Double](repeating: 0, count: width * width)
        for index in rows {
            let (input, output) = (row(x, index), row(y, index))
            for j in 0..<width {
                var error = output[j] - input[j] - bias[j]
                for i in 0..<width { error -= input[i] * matrix[i * width + j] }
                squares += error * error
                for i in 0..<width { gradient[i * width + j] += (input[i] - meanX[i]) * error }
                let (deltaX, deltaY) = (input[j] - meanX[j], output[j] - meanY[j])
                outputSquares += deltaY * deltaY
                contributionSquares += (deltaY - deltaX) * (deltaY - deltaX)
                inputNorm += deltaX * deltaX
            }
        }
        inputNorm = inputNorm.squareRoot()
    }
}
