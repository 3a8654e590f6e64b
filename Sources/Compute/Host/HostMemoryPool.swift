import Glibc
import Synchronization

/// Memory of the host, kept for the next tensor of the same size.
///
/// Matrices come and go by the hundred, always of the same few sizes; given back to the system, each would be cleared
/// page by page again.
@safe
final class HostMemoryPool: Sendable {
    /// Bytes that are kept unused at most.
    private static let capacity = 256 << 20
    /// Blocks smaller than this are the C library's business.
    private static let smallestBlock = 1 << 16
    /// Bytes of a cache line and of the widest vector register.
    private static let alignment = 64

    private struct State: Sendable {
        /// Addresses of kept blocks by their size.
        var blocks: [Int: [UInt]] = [:]
        var byteCount = 0
    }

    private let state = Mutex(State())

    /// At least `byteCount` aligned bytes, or nil where there are none.
    func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        let kept = state.withLock { state in
            let block = state.blocks[byteCount]?.popLast()
            if block != nil { state.byteCount -= byteCount }
            return block
        }
        if let kept { return unsafe UnsafeMutableRawPointer(bitPattern: kept) }
        var address: UnsafeMutableRawPointer?
        let status = unsafe posix_memalign(&address, HostMemoryPool.alignment, max(byteCount, 1))
        return unsafe status == 0 ? address : nil
    }

    func giveBack(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        let block = UInt(bitPattern: address)
        let isKept = state.withLock { state in
            guard byteCount >= HostMemoryPool.smallestBlock, state.byteCount + byteCount <= HostMemoryPool.capacity
            else { return false }
            state.blocks[byteCount, default: []].append(block)
            state.byteCount += byteCount
            return true
        }
        if !isKept { unsafe free(address) }
    }

    deinit {
        for block in state.withLock({ $0.blocks.values.joined().map { $0 } }) {
            unsafe free(UnsafeMutableRawPointer(bitPattern: block))
        }
    }
}
