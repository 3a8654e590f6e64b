import CKernels
import Synchronization
import Tensors

/// A transfer on the stream that a context keeps for them; its ticket lives as long as its last tensor.
final class CUDATransfer: BackendTransfer {
    private let backend: CUDABackend
    private let ticket: Int64
    private let decodedCount = Atomic(0)

    init(of backend: CUDABackend) throws(ComputeError) {
        var ticket: Int64 = 0
        try unsafe backend.call("begin_transfer") { api, context in unsafe api.begin_transfer(context, &ticket) }
        self.backend = backend
        self.ticket = ticket
    }

    deinit {
        let context = backend.context
        unsafe context.library.api.pointee.end_transfer(context.pointer, ticket)
    }

    func allocate(byteCount: Int, purpose: String) throws(ComputeError) -> Storage {
        try unsafe backend.allocate(byteCount: byteCount, purpose: purpose) { api, context, address in
            unsafe api.allocate_for_transfer(context, self.ticket, Int64(byteCount), address)
        } release: { api, context, address in
            unsafe api.release_of_transfer(context, self.ticket, address)
        }
    }

    func decode(_ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor) throws(ComputeError) {
        guard let source = bytes.baseAddress else { return }
        decodedCount.add(1, ordering: .relaxed)
        try unsafe backend.call("decode_for_transfer") { api, context in
            unsafe api.decode_for_transfer(
                context, ticket, source, Int64(bytes.count), elementType.kernels, result.kernels)
        }
    }

    func finish() throws(ComputeError) {
        try unsafe backend.call("finish_transfer") { api, context in unsafe api.finish_transfer(context, ticket) }
    }

    func precedeComputing() throws(ComputeError) {
        try unsafe backend.call("wait_for_transfer") { api, context in unsafe api.wait_for_transfer(context, ticket) }
    }

    func nonFiniteRows() throws(ComputeError) -> [Int?] {
        var rows = [Int64](repeating: -1, count: decodedCount.load(ordering: .relaxed))
        if rows.isEmpty { return [] }
        try unsafe backend.call("non_finite_rows_of_transfer") { api, context in
            unsafe rows.withUnsafeMutableBufferPointer { buffer in
                guard let address = buffer.baseAddress else { return 0 }
                return unsafe api.non_finite_rows_of_transfer(context, ticket, address)
            }
        }
        return rows.map { $0 < 0 ? nil : Int($0) }
    }
}
