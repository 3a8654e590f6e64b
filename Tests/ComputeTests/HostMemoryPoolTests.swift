import Testing

@testable import Compute

@Suite("Memory that is kept for the next tensor")
struct HostMemoryPoolTests {
    private let pool = HostMemoryPool()

    @Test("what is asked for now is kept, and what no longer is makes room")
    func room() throws {
        let (old, new) = (100 << 20, 90 << 20)
        let first = [try take(old), try take(old)]
        for address in first { giveBack(address, old) }
        // 256 MiB are kept at most.
        let other = try take(new)
        giveBack(other, new)
        let again = try take(new)
        #expect(again == other)
        giveBack(again, new)
        let kept = try take(old)
        #expect(first.contains(kept))
        giveBack(kept, old)
    }

    private func take(_ byteCount: Int) throws -> UInt {
        let address = unsafe UInt(bitPattern: pool.take(byteCount))
        try #require(address != 0)
        return address
    }

    private func giveBack(_ address: UInt, _ byteCount: Int) {
        guard let block = unsafe UnsafeMutableRawPointer(bitPattern: address) else { return }
        unsafe pool.giveBack(block, byteCount)
    }
}
