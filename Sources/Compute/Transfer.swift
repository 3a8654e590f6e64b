import Synchronization
public import Tensors

/// Tensors that are brought onto a device, beside its computing where it can do both.
///
/// One thread makes the tensors, decodes into them and finishes. Whoever computes with them tells the device to wait
/// (`Device.wait(for:)`): later operations come after the transfer then, and no thread waits. A transfer that is dropped
/// is abandoned: its memory goes when the device has done what it was asked for.
public final class Transfer: Sendable {
    private let device: Device
    private let backend: any BackendTransfer
    private let progress = Mutex(Progress())

    private struct Progress {
        /// Of the tensors that were made.
        var storages: Set<ObjectIdentifier> = []
        var isFinished = false
    }

    fileprivate init(to device: Device) throws(ComputeError) {
        self.device = device
        backend = try device.backend.makeTransfer()
    }

    /// A tensor whose elements are not set, for `decode`.
    ///
    /// - Throws: `ComputeError.outOfMemory`, which names `purpose`.
    public func makeTensor(
        _ shape: Shape, _ elementType: ElementType, for purpose: String
    ) throws(ComputeError) -> Tensor {
        let tensor = try Device.makeTensor(shape, elementType, for: purpose) { byteCount throws(ComputeError) in
            try backend.allocate(byteCount: byteCount, purpose: purpose)
        }
        progress.withLock { _ = $0.storages.insert(ObjectIdentifier(tensor.storage)) }
        return tensor
    }

    /// Decodes stored elements to those of the result, as `Device.decode` does.
    ///
    /// - Parameter result: A tensor that this transfer made, or a view of one.
    public func decode(_ bytes: RawSpan, elementType: ElementType, into result: Tensor) throws(ComputeError) {
        try device.checkDecoding(byteCount: bytes.byteCount, elementType, into: result)
        progress.withLock {
            precondition(!$0.isFinished, "decode after finish")
            precondition($0.storages.contains(ObjectIdentifier(result.storage)), "a tensor of another transfer")
        }
        try unsafe bytes.withUnsafeBytes { stored throws(ComputeError) in
            try unsafe backend.decode(stored, elementType: elementType, into: result)
        }
    }

    /// Says that all has been asked for: nothing is decoded from here on.
    public func finish() throws(ComputeError) {
        progress.withLock { $0.isFinished = true }
        try backend.finish()
    }

    /// The first tensor, counted from 0 in the order of `decode`, that holds a NaN or an infinity, and its first such row;
    /// waits until the transfer has been done.
    public func firstNonFiniteRow() throws(ComputeError) -> (tensor: Int, row: Int)? {
        let rows = try backend.nonFiniteRows()
        guard let tensor = rows.firstIndex(where: { $0 != nil }), let row = rows[tensor] else { return nil }
        return (tensor, row)
    }

    fileprivate func precedeComputing() throws(ComputeError) {
        let isFinished = progress.withLock { $0.isFinished }
        precondition(isFinished, "a wait for a transfer that was not finished")
        try backend.precedeComputing()
    }
}

extension Device {
    /// Whether tensors are brought in while the device computes.
    public var overlapsTransfers: Bool { backend.overlapsTransfers }

    /// Begins to bring tensors in.
    public func makeTransfer() throws(ComputeError) -> Transfer { try Transfer(to: self) }

    /// Lets all operations from here on come after a finished transfer; the thread does not wait.
    public func wait(for transfer: Transfer) throws(ComputeError) { try transfer.precedeComputing() }
}
