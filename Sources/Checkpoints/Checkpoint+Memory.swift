/// A tensor of float32 that is in no file.
public struct MemoryTensor: Sendable {
    public let name: String
    /// Outermost first.
    public let shape: [Int]
    let bytes: HeapBytes

    /// - Parameter values: Row-major, as many as the shape has elements.
    /// - Throws: `outOfMemory`.
    public init(name: String, shape: [Int], values: [Float]) throws(CheckpointError) {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for the shape \(shape)")
        self.name = name
        self.shape = shape
        bytes = try HeapBytes(byteCount: 4 * values.count, path: name)
        unsafe values.withUnsafeBytes { unsafe bytes.bytes.copyMemory(from: $0) }
    }
}

extension Checkpoint {
    /// The checkpoint with tensors from memory, in the place of stored ones of their names or beside them.
    public func adding(_ tensors: [MemoryTensor]) -> Checkpoint {
        guard let file = weightFiles.first else { return self }
        var result = self
        for tensor in tensors {
            result.directory.put(
                TensorDirectory.Entry(
                    name: tensor.name, shape: tensor.shape, typeName: "F32", elementType: .float32, file: file,
                    byteOffset: 0, byteCount: unsafe tensor.bytes.bytes.count, memory: tensor.bytes))
        }
        return result
    }
}
