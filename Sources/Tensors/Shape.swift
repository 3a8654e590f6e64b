/// The extents of a tensor, outermost first.
public struct Shape: Sendable, Hashable, ExpressibleByArrayLiteral, CustomStringConvertible {
    public let dimensions: [Int]

    public init(_ dimensions: [Int]) {
        self.dimensions = dimensions
    }

    public init(arrayLiteral dimensions: Int...) {
        self.dimensions = dimensions
    }

    /// Number of elements; 1 for a shape without dimensions.
    ///
    /// - Precondition: the product fits in `Int`; shapes that come from a file are checked where the file is read.
    public var count: Int { dimensions.reduce(1, *) }

    /// The outermost extent; 1 for a vector, whose only row it is.
    public var rows: Int { dimensions.count < 2 ? 1 : dimensions.dropLast().reduce(1, *) }

    /// The innermost extent; 1 for a shape without dimensions.
    public var columns: Int { dimensions.last ?? 1 }

    public var description: String {
        "(" + dimensions.map(String.init).joined(separator: ", ") + ")"
    }
}
