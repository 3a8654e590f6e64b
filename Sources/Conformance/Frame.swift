import Compute
import Tensors

/// A matrix that stands inside a larger one full of NaN: what is read outside it spoils the result, and what is written
/// outside it is seen afterwards.
struct Frame {
    /// The matrix itself: a range of rows, and of columns where it is strided, which begins at an odd address.
    let view: Tensor
    private let whole: Tensor
    private let margins: (left: Int, right: Int)
    private let isReadOnly: Bool
    private let bitPatterns: [UInt64]

    init(
        _ device: Device, _ matrix: Matrix, _ type: ElementType, isStrided: Bool, isReadOnly: Bool
    ) throws(ComputeError) {
        let margins = isStrided ? (left: 3, right: 6) : (left: 0, right: 0)
        self.margins = margins
        self.isReadOnly = isReadOnly
        let columns = matrix.columns + margins.left + margins.right
        let elements = Matrix(matrix.rows + 2, columns) { row, column in
            let (inner, offset) = (row - 1, column - margins.left)
            let isInside = matrix.rows > inner && inner >= 0 && offset >= 0 && offset < matrix.columns
            return isInside ? matrix[inner, offset] : .nan
        }
        let shape: Shape = [elements.rows, elements.columns]
        whole =
            type == .float64
            ? try device.makeTensor(elements.values, shape, for: "a framed matrix")
            : try device.makeTensor(elements.values.map { Float($0) }, shape, for: "a framed matrix")
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
        tensor.elementType == .float64
            ? try device.doubles(of: tensor).map(\.bitPattern)
            : try device.floats(of: tensor).map { UInt64($0.bitPattern) }
    }
}
