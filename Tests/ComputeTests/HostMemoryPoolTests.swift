import Testing

@testable import Compute

@Suite("Memory that is kept for the next tensor")
struct HostMemoryPoolTests {
    @Test("what is asked for now is kept, and what no longer is makes room")
    func room() throws {
        let pool = HostMemoryPool()
        let (old, new) = (100 << 20, 90 << 20)
        let first = try #require(unsafe pool.take(old))
        let second = try #require(unsafe pool.take(old))
        unsafe pool.giveBack(first, old)
        unsafe pool.giveBack(second, old)
        // 256 MiB are kept at most.
        let other = try #require(unsafe pool.take(new))
        unsafe pool.giveBack(other, new)
        let again = unsafe pool.take(new)
        #expect(unsafe again == other)
        unsafe pool.giveBack(other, new)
        let kept = try #require(unsafe pool.take(old))
        #expect(unsafe [first, second].contains(kept))
        unsafe pool.giveBack(kept, old)
    }
}
