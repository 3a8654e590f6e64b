public import Checkpoints
import Compute
public import Tensors

/// A tensor that will be written: what is known before, and how its elements come.
public struct ExportTensor {
    public let name: String
    /// A plain type, stored little-endian.
    public let elementType: ElementType
    /// Outermost first.
    public let shape: [Int]
    /// Writes all elements, row-major, in as many pieces as it likes.
    public let write: (OutputFile) throws(ExportError) -> Void

    public init(
        _ name: String, _ elementType: ElementType, _ shape: [Int],
        write: @escaping (OutputFile) throws(ExportError) -> Void
    ) {
        (self.name, self.elementType, self.shape, self.write) = (name, elementType, shape, write)
    }

    public var byteCount: Int { shape.reduce(elementType.blockByteCount, *) }
}

// MARK: - Of a checkpoint

extension ExportTensor {
    /// Bytes that are copied at once; their pages are given back afterwards.
    private static let pieceByteCount = 1 << 24

    /// A tensor of a checkpoint, bit for bit under another name. It is read when it is written.
    public init(_ name: String, copying storedName: String, of checkpoint: Checkpoint) throws(ExportError) {
        let (elementType, shape) = try wrappingCheckpoint { () throws(CheckpointError) in
            try checkpoint.form(of: storedName)
        }
        self.init(name, elementType, shape) { file throws(ExportError) in
            let stored = try wrappingCheckpoint { () throws(CheckpointError) in try checkpoint.tensor(storedName) }
            for begin in stride(from: 0, to: stored.byteCount, by: Self.pieceByteCount) {
                let piece = begin..<min(begin + Self.pieceByteCount, stored.byteCount)
                try wrappingOutput { () throws(OutputError) in
                    try unsafe stored.withBytes { (bytes) throws(OutputError) in
                        try unsafe file.write(UnsafeRawBufferPointer(rebasing: bytes[piece]).bytes)
                    }
                }
                stored.release(piece)
            }
        }
    }
}

// MARK: - Of new numbers

extension ExportTensor {
    /// Elements that are rounded at once.
    private static let pieceElementCount = 1 << 20

    /// A tensor of new numbers, rounded to nearest, ties to even.
    ///
    /// - Parameters:
    ///   - elementType: F64, F32, F16 or BF16.
    ///   - values: As many as the shape has, row-major.
    public init(_ name: String, _ elementType: ElementType, _ shape: [Int], values: [Float]) {
        self.init(name, elementType, shape) { file throws(ExportError) in
            for begin in stride(from: 0, to: values.count, by: Self.pieceElementCount) {
                let piece = values[begin..<min(begin + Self.pieceElementCount, values.count)]
                try Self.write(piece, as: elementType, to: file, name)
            }
        }
    }

    /// A tensor of float32 of a checkpoint, rounded to nearest, ties to even.
    public init(
        _ name: String, _ elementType: ElementType, rounding storedName: String, of checkpoint: Checkpoint
    ) throws(ExportError) {
        let shape = try wrappingCheckpoint { () throws(CheckpointError) in try checkpoint.form(of: storedName).shape }
        self.init(name, elementType, shape) { file throws(ExportError) in
            let stored = try wrappingCheckpoint { () throws(CheckpointError) in try checkpoint.tensor(storedName) }
            for begin in stride(from: 0, to: stored.elementCount, by: Self.pieceElementCount) {
                let piece = begin..<min(begin + Self.pieceElementCount, stored.elementCount)
                let values = unsafe stored.withBytes { bytes in
                    piece.map { unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
                }
                try Self.write(values[...], as: elementType, to: file, name)
            }
        }
    }

    static func write(
        _ values: ArraySlice<Float>, as elementType: ElementType, to file: OutputFile, _ name: String
    ) throws(ExportError) {
        let limit = elementType.largestFinite
        if let value = values.first(where: { !($0.magnitude <= limit) }) {
            throw .weight(tensor: name, value: value, elementType: elementType.rawValue)
        }
        try wrappingOutput { () throws(OutputError) in
            switch elementType {
            case .float16: try file.write(values.map { SixteenBitRounding.float16($0) })
            case .bfloat16: try file.write(values.map { SixteenBitRounding.bfloat16($0) })
            case .float64: try file.write(values.map { Double($0) })
            default: try file.write(Array(values))
            }
        }
    }
}
