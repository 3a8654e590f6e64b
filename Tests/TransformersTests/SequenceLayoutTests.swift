import Testing

@testable import Transformers

@Suite("Packed sequences")
struct SequenceLayoutTests {
    @Test(
        "slabs are as even as their sequences allow, and of a number that cores share",
        arguments: [
            (lengths: [256, 256, 256, 256, 256, 256], limit: 1024, want: [768, 768]),
            (lengths: [100, 100, 100, 100, 100], limit: 200, want: [200, 200, 100]),
            (lengths: [Int](repeating: 50, count: 20), limit: 120, want: [Int](repeating: 100, count: 10)),
            (lengths: [10, 10, 10], limit: 1000, want: [30]),
            (lengths: [Int](repeating: 50, count: 18), limit: 100, want: [Int](repeating: 100, count: 9)),
            (lengths: [5, 700, 5, 5], limit: 64, want: [5, 700, 5, 5]),
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
