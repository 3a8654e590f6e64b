import Synchronization
import Tensors

/// A transfer that is done at once: the host has no memory of its own to bring tensors to.
final class HostTransfer: BackendTransfer {
    private let backend: HostBackend
    private let rows = Mutex([Int?]())

    init(of backend: HostBackend) {
        self.backend = backend
    }

    func allocate(byteCount: Int, purpose: String) throws(ComputeError) -> Storage {
        try backend.allocate(byteCount: byteCount, purpose: purpose)
    }

    func decode(_ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor) throws(ComputeError) {
        try unsafe backend.decode(bytes, elementType: elementType, into: result)
        let row = try backend.firstNonFiniteRow(result)
        rows.withLock { $0.append(row) }
    }

    func finish() {}
    func precedeComputing() {}
    func nonFiniteRows() -> [Int?] { rows.withLock { $0 } }
}
