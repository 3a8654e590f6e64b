import Linearity
import Testing
import Transformers

@Suite("Folds are contiguous runs of whole sequences")
struct FoldLayoutTests {
    @Test(
        "they cover all rows, none is empty, and they begin at sequence starts",
        arguments: [[Int](repeating: 7, count: 23), [1, 1, 1, 1, 50], [50, 1, 1, 1, 1], [3, 40, 2, 2, 9, 9, 30, 1]])
    func cover(lengths: [Int]) {
        let layout = SequenceLayout(lengths: lengths)
        let folds = FoldLayout(layout: layout, foldCount: 5)
        #expect(folds.foldCount == 5)
        #expect(folds.boundaries.first == 0 && folds.boundaries.last == layout.tokenCount)
        #expect(zip(folds.boundaries, folds.boundaries.dropFirst()).allSatisfy { $0 < $1 })
        #expect(folds.boundaries.allSatisfy { layout.offsets.contains($0) })
    }

    @Test("equal sequences are shared out evenly")
    func even() {
        let folds = FoldLayout(layout: SequenceLayout(lengths: [Int](repeating: 10, count: 20)), foldCount: 5)
        #expect(folds.boundaries == [0, 40, 80, 120, 160, 200])
    }

    @Test("one long sequence is cut into blocks")
    func oneSequence() {
        let folds = FoldLayout(layout: SequenceLayout(lengths: [103]), foldCount: 5)
        #expect(folds.boundaries == [0, 20, 41, 61, 82, 103])
    }

    @Test("one fold is the whole")
    func one() {
        #expect(FoldLayout(layout: SequenceLayout(lengths: [4, 5]), foldCount: 1).boundaries == [0, 9])
    }
}
