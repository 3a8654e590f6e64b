import Glibc

/// Memory for tensors that do not stand in a file as they are read, given back with the object.
@safe
final class HeapBytes: Sendable {
    nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

    /// - Parameter path: The file that it is for, for messages.
    /// - Throws: `outOfMemory`.
    init(byteCount: Int, path: String) throws(CheckpointError) {
        guard let address = unsafe malloc(max(1, byteCount)) else {
            throw .outOfMemory(path: path, byteCount: byteCount)
        }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    deinit { unsafe free(bytes.baseAddress) }
}
