/// A block of memory of one device, given back when the last tensor in it is gone.
@safe
public final class Storage: @unchecked Sendable {
    /// The first byte; only the device that owns the storage may follow it.
    public let address: UnsafeMutableRawPointer
    public let byteCount: Int
    /// The device that owns the memory.
    public let owner: DeviceIdentifier
    private let release: @Sendable (UnsafeMutableRawPointer) -> Void

    /// Takes over `byteCount` bytes at `address`; `release` is called with the address in the end.
    public init(
        address: UnsafeMutableRawPointer, byteCount: Int, owner: DeviceIdentifier,
        release: @escaping @Sendable (UnsafeMutableRawPointer) -> Void
    ) {
        unsafe self.address = unsafe address
        self.byteCount = byteCount
        self.owner = owner
        unsafe self.release = unsafe release
    }

    deinit {
        unsafe release(address)
    }
}

/// Tells devices apart, so that a tensor of one is never handed to another.
public struct DeviceIdentifier: Sendable, Hashable {
    public let name: String
    public let index: Int

    public init(name: String, index: Int) {
        self.name = name
        self.index = index
    }
}
