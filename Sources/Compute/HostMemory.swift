public import Tensors

/// Memory of the host that a device copies from and to fast: pinned, where the device has memory of its own.
public final class HostMemory: Sendable {
    private let device: Device
    private let storage: Storage

    public var byteCount: Int { storage.byteCount }

    /// Memory whose bytes are not set.
    ///
    /// - Throws: `ComputeError.outOfMemory`, which names `purpose`, also where the system lets less be pinned.
    public init(byteCount: Int, for purpose: String, device: Device) throws(ComputeError) {
        self.device = device
        storage = try device.backend.allocateHost(byteCount: byteCount, purpose: purpose)
    }

    /// Copies a contiguous tensor of the device to the bytes from `offset` on.
    ///
    /// - Precondition: so many bytes are there.
    public func write(_ tensor: Tensor, at offset: Int) throws(ComputeError) {
        let range = try range(of: tensor, at: offset, in: "read")
        try unsafe device.backend.read(tensor, into: bytes(range))
    }

    /// Copies the bytes from `offset` on to a contiguous tensor of the device.
    ///
    /// - Precondition: so many bytes are there.
    public func read(into tensor: Tensor, at offset: Int) throws(ComputeError) {
        let range = try range(of: tensor, at: offset, in: "write")
        try unsafe device.backend.write(UnsafeRawBufferPointer(bytes(range)), to: tensor)
    }

    private func range(
        of tensor: Tensor, at offset: Int, in operation: String
    ) throws(ComputeError) -> Range<Int> {
        try device.check(tensor, "tensor", nil, in: operation)
        try device.checkContiguous(tensor, "tensor", in: operation)
        let end = offset + (tensor.elementType.byteCount(of: tensor.shape.count) ?? 0)
        precondition(offset >= 0 && end <= byteCount, "bytes \(offset)..<\(end) of \(byteCount)")
        return offset..<end
    }

    private func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: storage.address + range.lowerBound, count: range.count)
    }
}

extension Device {
    /// Whether tensors are elsewhere than the host's memory.
    public var hasOwnMemory: Bool { backend.hasOwnMemory }
}
