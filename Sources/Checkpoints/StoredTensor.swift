public import Tensors

/// A tensor as it stands in a checkpoint file: its bytes are in the mapped file and not decoded.
///
/// The name, the shape and the range were checked against the file when it was opened.
@safe
public struct StoredTensor: Sendable {
    public let name: String
    /// Outermost first, whatever the file's own order: a matrix is (rows, columns), rows contiguous.
    public let shape: [Int]
    public let elementType: ElementType
    public let file: MappedFile
    /// From the start of `file`; not necessarily a multiple of the element's size.
    public let byteOffset: Int
    public let byteCount: Int

    public var elementCount: Int { shape.reduce(1, *) }

    /// The stored bytes, row-major, little-endian. Valid while `file` lives; the address may be unaligned.
    public var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: file.bytes[byteOffset..<byteOffset + byteCount])
    }
}
