public import Tensors

/// A tensor as it stands in a checkpoint file: its bytes are in the mapped file, or in memory where an archive has them
/// deflated or not in order, and not decoded.
///
/// The name, the shape and the range were checked against the file when it was opened.
@safe
public struct StoredTensor: Sendable {
    public let name: String
    /// Outermost first, whatever the file's own order: a matrix is (rows, columns), rows contiguous.
    public let shape: [Int]
    public let elementType: ElementType
    public let file: MappedFile
    /// From the start of `file`, or of `memory`; not necessarily a multiple of the element's size.
    public let byteOffset: Int
    public let byteCount: Int
    /// Where the bytes are if not in the file.
    var memory: HeapBytes?

    public var elementCount: Int { shape.reduce(1, *) }

    /// The stored bytes, row-major, little-endian. Valid while this value lives; the address may be unaligned.
    public var bytes: UnsafeRawBufferPointer {
        let range = byteOffset..<byteOffset + byteCount
        if let memory { return unsafe UnsafeRawBufferPointer(rebasing: memory.bytes[range]) }
        return unsafe UnsafeRawBufferPointer(rebasing: file.bytes[range])
    }

    /// Gives the pages that hold some of the bytes back to the system; where they are touched again, they are read again.
    public func release(_ range: Range<Int>) {
        guard memory == nil else { return }
        file.release(byteOffset + range.lowerBound..<byteOffset + range.upperBound)
    }

    /// Gives the stored bytes to `body`, as `bytes` has them, and keeps them that long.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withExtendedLifetime(self) { () throws(Failure) in try unsafe body(bytes) }
    }
}
