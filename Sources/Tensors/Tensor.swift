/// A row-major view of memory: a value that names where its elements are, of which type, and in which shape.
///
/// Rows are contiguous inside; consecutive rows start `leadingDimension` elements apart, so that a range of columns of
/// a larger matrix is a tensor too. A tensor does no arithmetic: that is its device's.
public struct Tensor: Sendable {
    public let storage: Storage
    /// Bytes from the start of the storage to the first element.
    public let byteOffset: Int
    public let shape: Shape
    public let elementType: ElementType
    /// Elements from the start of one row to the start of the next, at least `columns`.
    public let leadingDimension: Int

    /// A contiguous tensor at `byteOffset` of a storage.
    public init(storage: Storage, byteOffset: Int = 0, shape: Shape, elementType: ElementType) {
        self.init(
            storage: storage, byteOffset: byteOffset, shape: shape, elementType: elementType,
            leadingDimension: shape.columns)
    }

    private init(
        storage: Storage, byteOffset: Int, shape: Shape, elementType: ElementType, leadingDimension: Int
    ) {
        self.storage = storage
        self.byteOffset = byteOffset
        self.shape = shape
        self.elementType = elementType
        self.leadingDimension = leadingDimension
    }

    public var rows: Int { shape.rows }
    public var columns: Int { shape.columns }
    public var isContiguous: Bool { leadingDimension == columns || rows <= 1 }

    /// The view (range.count, columns) of a range of rows.
    ///
    /// - Precondition: the range lies inside the rows, and the element type is a plain one or rows are whole blocks.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of a tensor \(shape)")
        return Tensor(
            storage: storage, byteOffset: byteOffset + byteDistance(range.lowerBound * leadingDimension),
            shape: [range.count, columns], elementType: elementType, leadingDimension: leadingDimension)
    }

    /// The view (rows, range.count) of a range of columns; it keeps the leading dimension.
    ///
    /// - Precondition: the range lies inside the columns, and begins at a whole block of the element type.
    public func columns(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of a tensor \(shape)")
        return Tensor(
            storage: storage, byteOffset: byteOffset + byteDistance(range.lowerBound),
            shape: [rows, range.count], elementType: elementType, leadingDimension: leadingDimension)
    }

    /// The same elements in another shape.
    ///
    /// - Precondition: the tensor is contiguous, and the counts are equal.
    public func reshaped(_ shape: Shape) -> Tensor {
        precondition(isContiguous && shape.count == self.shape.count, "a tensor \(self.shape) as \(shape)")
        return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, elementType: elementType)
    }

    private func byteDistance(_ elements: Int) -> Int {
        precondition(elements.isMultiple(of: elementType.blockElementCount), "a view inside a block of \(elementType)")
        return elements / elementType.blockElementCount * elementType.blockByteCount
    }
}
