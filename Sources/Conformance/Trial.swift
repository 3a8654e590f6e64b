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
        if type == .float64 { return Matrix(rows, columns, values) }
        let format = SixteenBitFloat(type)
        return Matrix(rows, columns, values.map { format?.rounded($0) ?? Double(Float($0)) })
    }

    /// An operand that the operation only reads: it and its surroundings must stay as they are. The first element and
    /// the distance of rows are multiples of `alignment`.
    mutating func input(
        _ matrix: Matrix, _ type: ElementType, isStrided: Bool = true, alignment: Int = 1
    ) throws(ComputeError) -> Tensor {
        let frame = try Frame(device, matrix, type, isStrided: isStrided, alignment: alignment, isReadOnly: true)
        frames.append(frame)
        return frame.view
    }

    /// An operand that the operation writes: its surroundings must stay as they are.
    mutating func written(
        _ matrix: Matrix, _ type: ElementType, isStrided: Bool = true, alignment: Int = 1
    ) throws(ComputeError) -> Tensor {
        let frame = try Frame(device, matrix, type, isStrided: isStrided, alignment: alignment, isReadOnly: false)
        frames.append(frame)
        return frame.view
    }

    /// A result, filled with NaN before.
    mutating func output(
        _ rows: Int, _ columns: Int, _ type: ElementType, isStrided: Bool = true, alignment: Int = 1
    ) throws(ComputeError) -> Tensor {
        try written(Matrix(rows, columns) { _, _ in .nan }, type, isStrided: isStrided, alignment: alignment)
    }

    /// What a tensor holds now.
    func values(of tensor: Tensor) throws(ComputeError) -> Matrix {
        let values: [Double]
        if let format = SixteenBitFloat(tensor.elementType) {
            values = try device.words(of: tensor).map(format.value)
        } else {
            values =
                tensor.elementType == .float64
                ? try device.doubles(of: tensor) : try device.floats(of: tensor).map(Double.init)
        }
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
