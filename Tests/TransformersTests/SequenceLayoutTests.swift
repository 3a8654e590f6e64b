import Testing

@testable import Transformers

@Suite("Packed sequences")
struct SequenceLayoutTests {
    @Test(
        "slabs keep all lanes busy as long as their sequences allow",
        arguments: [
            (lengths: [256, 256, 256, 256, 256, 256], limit: 1024, laneCount: 2, want: [768, 768]),
            (lengths: [256, 256, 256, 256, 256, 256], limit: 512, laneCount: 2, want: [256, 256, 256, 256, 256, 256]),
            (lengths: [256, 256, 256, 256, 256, 256], limit: 512, laneCount: 1, want: [512, 512, 512]),
            (lengths: [100, 100, 100, 100], limit: 1000, laneCount: 3, want: [200, 200]),
            (lengths: [100, 100, 100, 100], limit: 1000, laneCount: 4, want: [100, 100, 100, 100]),
            (lengths: [1, 1, 1, 1], limit: 100, laneCount: 2, want: [4]),
            (lengths: [5, 700, 5, 5], limit: 64, laneCount: 2, want: [5, 700, 10]),
            (lengths: [3], limit: 1, laneCount: 2, want: [3]),
            (lengths: [], limit: 1024, laneCount: 2, want: []),
        ])
    func slabs(lengths: [Int], limit: Int, laneCount: Int, want: [Int]) {
        let layout = SequenceLayout(lengths: lengths)
        let slabs = layout.slabs(tokenCount: limit, laneCount: laneCount)
        #expect(slabs.map { layout.rows(of: $0).count } == want)
        #expect(slabs.flatMap { Array($0) } == Array(lengths.indices))
    }

    @Test("a slab of more than the limit is one sequence", arguments: [1, 20, 64, 90, 200, 1000])
    func limits(limit: Int) {
        for sequenceCount in 1...40 {
            let layout = SequenceLayout(lengths: (0..<sequenceCount).map { 1 + ($0 * $0 * 37 + sequenceCount) % 90 })
            for slab in layout.slabs(tokenCount: limit, laneCount: 3) {
                #expect(slab.count == 1 || layout.rows(of: slab).count <= limit, "\(layout.lengths)")
            }
        }
    }
}
