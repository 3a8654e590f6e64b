import Compute
import Tensors

/// One run of a case: the device, the source of its data, the operands in their frames, and the judgement.
struct Trial {
    let device: Device
    var random: SplitMix64
    var judgement = Judgement()
    private var frames: [Frame] = []

    init(device: Device, seed: UInt64) {
        self.device = device
        random = SplitMix64(seed: seed)
    }

    /// Elements uniform in -range..<range, rounded to the element type.
    mutating func matrix(_ rows: Int, _ columns: Int, _ type: ElementType, range: Double = 1) -> Matrix {
        let values = (0..<rows * columns).map { _ in random.uniform() * range }
        return Matrix(rows, columns, type == .float64 ? values : values.map { Double(Float($0)) })
    }

    /// An operand that the operation only reads: it and its surroundings must stay as they are.
    mutating func input(
        _ matrix: Matrix, _ type: ElementType, isStrided: Bool = true
    ) throws(ComputeError) -> Tensor {
        let frame = try Frame(device, matrix, type, isStrided: isStrided, isReadOnly: true)
        frames.append(frame)
        return frame.view
    }

    /// An operand that the operation writes: its surroundings must stay as they are.
    mutating func written(
        _ matrix: Matrix, _ type: ElementType, isStrided: Bool = true
    ) throws(ComputeError) -> Tensor {
        let frame = try Frame(device, matrix, type, isStrided: isStrided, isReadOnly: false)
        frames.append(frame)
        return frame.view
    }

    /// A result, filled with NaN before.
    mutating func output(
        _ rows: Int, _ columns: Int, _ type: ElementType, isStrided: Bool = true
    ) throws(ComputeError) -> Tensor {
        try written(Matrix(rows, columns) { _, _ in .nan }, type, isStrided: isStrided)
    }

    /// What a tensor holds now.
    func values(of tensor: Tensor) throws(ComputeError) -> Matrix {
        let values =
            tensor.elementType == .float64
            ? try device.doubles(of: tensor) : try device.floats(of: tensor).map(Double.init)
        return Matrix(tensor.rows, tensor.columns, values)
    }

    /// Checks that nothing was written outside the results.
    mutating func checkSurroundings() throws(ComputeError) {
        for (number, frame) in frames.enumerated() {
            let place = try frame.firstChange(device)
            judgement.expect(
                place == nil,
                "operand \(number): element \(place ?? 0) around the view or of a read-only operand changed")
        }
    }
}
