public import Tensors

/// A matrix of floating-point numbers in a NumPy or safetensors file, read in blocks of rows.
///
/// The shape and the range were checked against the file when it was opened; no element was read. The pages of what has
/// been read can be given back (`release`), so that a matrix of any size passes through little memory.
public struct StoredMatrix: Sendable {
    public enum Format: String, Sendable {
        case numPy = "npy"
        case safetensors
    }

    public let format: Format
    /// The tensor's name; nil in a NumPy file, whose array has none.
    public let name: String?
    public let rowCount: Int
    /// The width of the matrix.
    public let columnCount: Int
    public let elementType: ElementType
    /// Whether the most significant byte of each element comes first in the file.
    public let isBigEndian: Bool
    /// Whether columns, not rows, are contiguous in the file (Fortran order).
    public let isColumnMajor: Bool
    public let file: MappedFile
    private let byteOffset: Int

    public var path: String { file.path }

    /// Opens a NumPy file, known by its first bytes, or a tensor of a safetensors file.
    ///
    /// - Parameter name: The tensor; nil for the only matrix of the file.
    /// - Throws: `CheckpointError`; for a file of another kind, what it looks like, and for a choice between several
    ///   tensors, their names.
    public init(_ path: String, name: String? = nil) throws(CheckpointError) {
        let file = try MappedFile(path)
        if unsafe file.bytes.starts(with: NumPyArrayFile.magic) || path.hasSuffix(".npy") {
            let array = try NumPyArrayFile(file)
            if let name {
                throw .unsupportedArray(
                    path: path, problem: "the one array of a NumPy file has no name",
                    remedy: "Leave the tensor name \(name.quoted) away.")
            }
            self.init(array, shape: try StoredMatrix.matrixShape(array.shape, "the array", path))
        } else if FileKind.isSafetensors(file) || path.hasSuffix(".safetensors") {
            let tensors = try SafetensorsFile(file)
            let name = try tensors.matrixName(name)
            let tensor = try tensors.tensor(name)
            self.init(tensor, shape: try StoredMatrix.matrixShape(tensor.shape, "tensor \(name.quoted)", path))
        } else {
            throw FileKind.noMatrix(file)
        }
    }

    private init(_ array: NumPyArrayFile, shape: (rows: Int, columns: Int)) {
        (format, name) = (.numPy, nil)
        (rowCount, columnCount) = shape
        (elementType, isBigEndian) = (array.elementType, array.isBigEndian)
        // Of a single row or column both orders are the same.
        isColumnMajor = array.isColumnMajor && shape.rows > 1 && shape.columns > 1
        (file, byteOffset) = (array.file, array.byteOffset)
    }

    private init(_ tensor: StoredTensor, shape: (rows: Int, columns: Int)) {
        (format, name) = (.safetensors, tensor.name)
        (rowCount, columnCount) = shape
        (elementType, isBigEndian, isColumnMajor) = (tensor.elementType, false, false)
        (file, byteOffset) = (tensor.file, tensor.byteOffset)
    }

    private static func matrixShape(
        _ shape: [Int], _ what: String, _ path: String
    ) throws(CheckpointError) -> (rows: Int, columns: Int) {
        guard shape.count == 2 else {
            throw .unsupportedArray(
                path: path, problem: "\(what) has the shape \(shape); expected two dimensions, rows and columns",
                remedy: "Reshape it, one row for each vector, and save it again.")
        }
        guard shape[0] > 0, shape[1] > 0 else {
            throw .unsupportedArray(
                path: path, problem: "\(what) has the shape \(shape), and so no element",
                remedy: "Check what wrote the file.")
        }
        return (shape[0], shape[1])
    }

    private var elementByteCount: Int { elementType.blockByteCount }
    private var rowByteCount: Int { columnCount * elementByteCount }
}

// MARK: - Reading

extension StoredMatrix {
    /// The elements of some rows as this machine has them in memory: little-endian, row by row.
    ///
    /// - Precondition: the range lies inside the rows.
    public func bytes(ofRows rows: Range<Int>) -> [UInt8] {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows \(rows) of \(rowCount)")
        let byteCount = rows.count * rowByteCount
        return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let elements = UnsafeMutableRawBufferPointer(buffer)
            switch elementByteCount {
            case 2: unsafe copy(rows, as: UInt16.self, to: elements)
            case 4: unsafe copy(rows, as: UInt32.self, to: elements)
            default: unsafe copy(rows, as: UInt64.self, to: elements)
            }
            count = byteCount
        }
    }

    private func copy<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ rows: Range<Int>, as type: Bits.Type, to result: UnsafeMutableRawBufferPointer
    ) {
        guard let source = unsafe file.bytes.baseAddress, let target = result.baseAddress else { return }
        let elements = unsafe source + byteOffset
        if isColumnMajor {
            unsafe transpose(rows, elements, as: type, to: target)
        } else {
            unsafe target.copyMemory(from: elements + rows.lowerBound * rowByteCount, byteCount: result.count)
            if isBigEndian { unsafe swapBytes(target, rows.count * columnCount, as: type) }
        }
    }

    /// Columns of the file become rows of the result, eight at a time so that whole cache lines are written.
    private func transpose<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ rows: Range<Int>, _ elements: UnsafeRawPointer, as type: Bits.Type, to result: UnsafeMutableRawPointer
    ) {
        let size = MemoryLayout<Bits>.size
        for begin in stride(from: 0, to: columnCount, by: 8) {
            let columns = begin..<min(begin + 8, columnCount)
            for row in rows {
                for column in columns {
                    let place = (column * rowCount + row) * size
                    let bits = unsafe elements.loadUnaligned(fromByteOffset: place, as: Bits.self)
                    unsafe result.storeBytes(
                        of: isBigEndian ? bits.byteSwapped : bits,
                        toByteOffset: ((row - rows.lowerBound) * columnCount + column) * size, as: Bits.self)
                }
            }
        }
    }

    private func swapBytes<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ elements: UnsafeMutableRawPointer, _ count: Int, as type: Bits.Type
    ) {
        for i in 0..<count {
            let place = i * MemoryLayout<Bits>.size
            let bits = unsafe elements.loadUnaligned(fromByteOffset: place, as: Bits.self)
            unsafe elements.storeBytes(of: bits.byteSwapped, toByteOffset: place, as: Bits.self)
        }
    }

    /// Gives back the pages that hold some rows, so that they do not count as this process's memory.
    public func release(rows: Range<Int>) {
        file.release(extent(ofRows: rows))
    }

    /// Has the system read the pages that hold some rows, while something else is done. Of a column-major matrix these
    /// are pieces of every column, and nothing is done.
    public func prefetch(rows: Range<Int>) {
        if !isColumnMajor { file.prefetch(extent(ofRows: rows)) }
    }

    /// The bytes of the file between the first and the last element of some rows.
    private func extent(ofRows rows: Range<Int>) -> Range<Int> {
        if isColumnMajor { return byteOffset..<byteOffset + rowCount * rowByteCount }
        return byteOffset + rows.lowerBound * rowByteCount..<byteOffset + rows.upperBound * rowByteCount
    }

    /// Bytes of the file up to the end of some rows, where rows lie one after another; else nil.
    public func byteCount(throughRow row: Int) -> Int? {
        isColumnMajor ? nil : byteOffset + row * rowByteCount
    }
}

// MARK: - Choosing a tensor

extension SafetensorsFile {
    /// The name of the tensor that was asked for, or of the only one of two dimensions whose elements can be read.
    fileprivate func matrixName(_ asked: String?) throws(CheckpointError) -> String {
        if let asked, directory.contains(asked) { return asked }
        let matrices = directory.entries.filter { $0.shape.count == 2 && $0.elementType != nil }
        guard asked == nil, matrices.count == 1, let matrix = matrices.first else {
            throw .tensorChoice(path: file.path, asked: asked, names: matrices.map(\.name))
        }
        return matrix.name
    }
}
