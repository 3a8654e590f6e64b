/// A tensor as a view of a storage, which is a record of a PyTorch archive: an offset, and a stride for each dimension.
///
/// The view was checked to lie in its storage.
struct StorageView: Sendable {
    let record: ArchiveRecord
    /// Of the first element, from the start of the record.
    let byteOffset: Int
    /// Outermost first.
    let shape: [Int]
    /// In elements.
    let strides: [Int]
    let elementByteCount: Int

    /// In the order in which it was checked for overflow.
    var byteCount: Int { shape.reduce(1, *) * elementByteCount }

    /// Whether the elements lie one after the other, row-major.
    var isContiguous: Bool {
        if byteCount == 0 { return true }
        var expected = 1
        for (length, stride) in zip(shape, strides).reversed() where length != 1 {
            guard stride == expected else { return false }
            expected *= length
        }
        return true
    }

    /// Whether the view has more elements than its storage holds from its start on: some are repeated.
    var isExpanded: Bool { byteCount > record.byteCount - byteOffset }

    /// Where the elements are, row-major: in the file, or in memory for a view that is not contiguous.
    ///
    /// - Throws: what `ArchiveRecord.checked` throws, `outOfMemory`.
    func read() throws(CheckpointError) -> (memory: HeapBytes?, byteOffset: Int) {
        if isContiguous {
            return switch try record.checked() {
            case .mapped(let start): (nil, start + byteOffset)
            case .unpacked(let heap): (heap, byteOffset)
            }
        }
        let heap = try HeapBytes(byteCount: byteCount, path: record.file.path)
        try unsafe record.withBytes { (bytes) throws(CheckpointError) in
            switch elementByteCount {
            case 1: unsafe gather(bytes, into: heap, as: UInt8.self)
            case 2: unsafe gather(bytes, into: heap, as: UInt16.self)
            case 4: unsafe gather(bytes, into: heap, as: UInt32.self)
            default: unsafe gather(bytes, into: heap, as: UInt64.self)
            }
        }
        return (heap, 0)
    }

    /// Copies the elements in row-major order. A view that is not contiguous has elements, and dimensions.
    private func gather<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, into heap: HeapBytes, as type: Bits.Type
    ) {
        guard let source = bytes.baseAddress, let target = unsafe heap.bytes.baseAddress else { return }
        let last = shape.count - 1
        let (rowLength, step) = (shape[last], strides[last] * elementByteCount)
        var index = [Int](repeating: 0, count: last)
        var row = byteOffset
        for begin in stride(from: 0, to: byteCount, by: rowLength * elementByteCount) {
            for i in 0..<rowLength {
                let value = unsafe source.loadUnaligned(fromByteOffset: row + i * step, as: type)
                unsafe target.storeBytes(of: value, toByteOffset: begin + i * elementByteCount, as: type)
            }
            // The next row: as an odometer counts.
            for dimension in (0..<last).reversed() {
                index[dimension] += 1
                row += strides[dimension] * elementByteCount
                if index[dimension] < shape[dimension] { break }
                row -= shape[dimension] * strides[dimension] * elementByteCount
                index[dimension] = 0
            }
        }
    }
}
