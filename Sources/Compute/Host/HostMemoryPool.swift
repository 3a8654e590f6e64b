import Glibc
import Synchronization

/// Memory of the host, kept for the next tensor of the same size.
///
/// Matrices come and go by the hundred, always of the same few sizes; given back to the system, each would be cleared
/// page by page again.
@safe
final class HostMemoryPool: Sendable {
    /// Bytes that are kept unused at most: for more, what was in use the longest ago is given up.
    private static let capacity = 256 << 20
    /// Blocks smaller than this are the C library's business.
    private static let smallestBlock = 1 << 16
    /// Bytes of a cache line and of the widest vector register.
    private static let alignment = 64

    private struct State: Sendable {
        /// Kept blocks by their size.
        var blocks: [Int: Blocks] = [:]
        var byteCount = 0
        /// Counts what is taken and given back.
        var time = 0

        struct Blocks: Sendable {
            var addresses: [UInt] = []
            /// When one of this size was last taken or given back.
            var time = 0
        }

        mutating func take(_ size: Int) -> UInt? {
            time += 1
            guard let address = blocks[size]?.addresses.popLast() else { return nil }
            blocks[size]?.time = time
            byteCount -= size
            return address
        }

        mutating func keep(_ address: UInt, _ size: Int) {
            time += 1
            blocks[size, default: Blocks()].addresses.append(address)
            blocks[size]?.time = time
            byteCount += size
        }

        /// A block of another size: of that which was in use the longest ago.
        mutating func giveUp(otherThan size: Int) -> UInt? {
            let others = blocks.filter { $0.key != size && !$0.value.addresses.isEmpty }
            guard let oldest = others.min(by: { $0.value.time < $1.value.time })?.key else { return nil }
            byteCount -= oldest
            return blocks[oldest]?.addresses.popLast()
        }
    }

    private let state = Mutex(State())

    /// At least `byteCount` aligned bytes, or nil where there are none.
    func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        let kept = state.withLock { $0.take(byteCount) }
        if let kept { return unsafe UnsafeMutableRawPointer(bitPattern: kept) }
        var address: UnsafeMutableRawPointer?
        let status = unsafe posix_memalign(&address, HostMemoryPool.alignment, max(byteCount, 1))
        return unsafe status == 0 ? address : nil
    }

    func giveBack(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        let block = UInt(bitPattern: address)
        let given = state.withLock { state in
            var given: [UInt] = []
            guard byteCount >= HostMemoryPool.smallestBlock, byteCount <= HostMemoryPool.capacity else {
                return [block]
            }
            while state.byteCount + byteCount > HostMemoryPool.capacity {
                // All is of this size.
                guard let other = state.giveUp(otherThan: byteCount) else { return given + [block] }
                given.append(other)
            }
            state.keep(block, byteCount)
            return given
        }
        for block in given { unsafe free(UnsafeMutableRawPointer(bitPattern: block)) }
    }

    deinit {
        for block in state.withLock({ $0.blocks.values.flatMap(\.addresses) }) {
            unsafe free(UnsafeMutableRawPointer(bitPattern: block))
        }
    }
}
