import Compute
import Tensors

/// A matrix that stands inside a larger one full of NaN: what is read outside it spoils the result, and what is written
/// outside it is seen afterwards.
struct Frame {
    /// The matrix itself: a range of rows, and of columns where it is strided, which begins at an odd address unless
    /// another alignment is asked for.
    let view: Tensor
    private let whole: Tensor
    private let margins: (left: Int, right: Int)
    private let isReadOnly: Bool
    private let bitPatterns: [UInt64]

    init(
        _ device: Device, _ matrix: Matrix, _ type: ElementType, isStrided: Bool, alignment: Int, isReadOnly: Bool
    ) throws(ComputeError) {
        var margins = isStrided ? (left: 3, right: 6) : (left: 0, right: 0)
        margins.left = (margins.left + alignment - 1) / alignment * alignment
        let leading = margins.left + matrix.columns + margins.right
        margins.right += (leading + alignment - 1) / alignment * alignment - leading
        self.margins = margins
        self.isReadOnly = isReadOnly
        let columns = matrix.columns + margins.left + margins.right
        let elements = Matrix(matrix.rows + 2, columns) { row, column in
            let (inner, offset) = (row - 1, column - margins.left)
            let isInside = matrix.rows > inner && inner >= 0 && offset >= 0 && offset < matrix.columns
            return isInside ? matrix[inner, offset] : .nan
        }
        let shape: Shape = [elements.rows, elements.columns]
        if let format = SixteenBitFloat(type) {
            let rounded = try device.makeTensor(shape, type, for: "a framed matrix")
            try elements.values.map(format.bits).withRawSpan { bytes throws(ComputeError) in
                try device.write(bytes, to: rounded)
            }
            whole = rounded
        } else {
            whole = try device.makeTensor(rounding: elements.values, shape, type, for: "a framed matrix")
        }
        view = whole.rows(1..<matrix.rows + 1).columns(margins.left..<margins.left + matrix.columns)
        bitPatterns = try Frame.bitPatterns(of: whole, device)
    }

    /// The first element that should not have changed and did, counted from the frame's corner.
    func firstChange(_ device: Device) throws(ComputeError) -> Int? {
        let now = try Frame.bitPatterns(of: whole, device)
        return now.indices.first { now[$0] != bitPatterns[$0] && (isReadOnly || !isInside($0)) }
    }

    private func isInside(_ index: Int) -> Bool {
        let (row, column) = index.quotientAndRemainder(dividingBy: whole.columns)
        return row > 0 && row < whole.rows - 1 && column >= margins.left && column < whole.columns - margins.right
    }

    private static func bitPatterns(of tensor: Tensor, _ device: Device) throws(ComputeError) -> [UInt64] {
        switch tensor.elementType {
        case .float64: try device.doubles(of: tensor).map(\.bitPattern)
        case .float16, .bfloat16: try device.words(of: tensor).map(UInt64.init)
        default: try device.floats(of: tensor).map { UInt64($0.bitPattern) }
        }
    }
}

extension Device {
    /// The elements of a tensor of a type of sixteen bits, row by row.
    func words(of tensor: Tensor) throws(ComputeError) -> [UInt16] {
        let packed = try makeTensor(tensor.shape, tensor.elementType, for: "elements to be read")
        try copy(tensor, to: packed)
        var words = [UInt16](repeating: 0, count: tensor.shape.count)
        var span = words.mutableSpan
        var bytes = unsafe span.mutableBytes
        try read(packed, into: &bytes)
        return words
    }
}
