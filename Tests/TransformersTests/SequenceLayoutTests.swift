import Testing

@testable import Transformers

@Suite("Packed sequences")
struct SequenceLayoutTests {
    @Test(
        "slabs keep lanes busy, however many there are, as long as their sequences allow",
        arguments: [
            (lengths: [Int](repeating: 256, count: 6), limit: 1024, want: [Int](repeating: 256, count: 6)),
            (lengths: [Int](repeating: 256, count: 6), limit: 512, want: [Int](repeating: 256, count: 6)),
            (lengths: [Int](repeating: 64, count: 8), limit: 512, want: [Int](repeating: 128, count: 4)),
            (lengths: [Int](repeating: 64, count: 8), limit: 16384, want: [512]),
            (lengths: [Int](repeating: 100, count: 4), limit: 500, want: [200, 200]),
            (lengths: [1, 1, 1, 1], limit: 100, want: [4]),
            (lengths: [5, 700, 5, 5], limit: 64, want: [5, 700, 10]),
            (lengths: [3], limit: 1, want: [3]),
            (lengths: [], limit: 1024, want: []),
        ])
    func slabs(lengths: [Int], limit: Int, want: [Int]) {
        let layout = SequenceLayout(lengths: lengths)
        let slabs = layout.slabs(tokenCount: limit)
        #expect(slabs.map { layout.rows(of: $0).count } == want)
        #expect(slabs.flatMap { Array($0) } == Array(lengths.indices))
    }

    @Test("a slab of more than the limit is one sequence", arguments: [1, 20, 64, 90, 200, 1000])
    func limits(limit: Int) {
        for sequenceCount in 1...40 {
            let layout = SequenceLayout(lengths: (0..<sequenceCount).map { 1 + ($0 * $0 * 37 + sequenceCount) % 90 })
            for slab in layout.slabs(tokenCount: limit) {
                #expect(slab.count == 1 || layout.rows(of: slab).count <= limit, "\(layout.lengths)")
            }
        }
    }
}
