import Tensors
import Testing

@Suite struct ElementTypeTests {
    @Test func plainTypesStoreOneElementAtATime() {
        let sizes: [ElementType: Int] = [.float64: 8, .float32: 4, .int32: 4, .float16: 2, .bfloat16: 2]
        for (type, size) in sizes {
            #expect(type.blockElementCount == 1)
            #expect(type.byteCount(of: 0) == 0)
            #expect(type.byteCount(of: 1) == size)
            #expect(type.byteCount(of: 31) == 31 * size)
        }
    }

    /// The sizes of ggml's block structures.
    @Test func blockTypesStoreWholeBlocks() {
        let sizes: [ElementType: Int] = [.q4_0: 18, .q4_1: 20, .q5_0: 22, .q5_1: 24, .q8_0: 34, .iq4_nl: 18]
        for (type, size) in sizes {
            #expect(type.byteCount(of: 32) == size)
            #expect(type.byteCount(of: 96) == 3 * size)
            for count in [1, 31, 33, 95] { #expect(type.byteCount(of: count) == nil) }
        }
    }

    @Test func superBlocksStore256Elements() {
        let sizes: [ElementType: Int] = [.q2_k: 84, .q3_k: 110, .q4_k: 144, .q5_k: 176, .q6_k: 210, .q8_k: 292]
        for (type, size) in sizes {
            #expect(type.byteCount(of: 256) == size)
            #expect(type.byteCount(of: 768) == 3 * size)
            for count in [1, 32, 255, 257, 288, 767] { #expect(type.byteCount(of: count) == nil) }
        }
    }

    @Test(arguments: ElementType.allCases)
    func impossibleCountsHaveNoByteCount(_ type: ElementType) {
        #expect(type.byteCount(of: -32) == nil)
        #expect(type.byteCount(of: .min) == nil)
        // The last count of whole blocks whose bytes fit, and one block more.
        let blockCount = Int.max / type.blockByteCount
        #expect(type.byteCount(of: min(blockCount, Int.max / type.blockElementCount) * type.blockElementCount) != nil)
        if type.blockElementCount == 1 {
            #expect(type.byteCount(of: blockCount + 1) == nil)
            #expect(type.byteCount(of: .max) == nil)
        }
    }

    @Test func rawValuesAreTheNamesInCheckpoints() {
        #expect(ElementType(rawValue: "BF16") == .bfloat16)
        #expect(ElementType(rawValue: "Q4_0") == .q4_0)
        #expect(ElementType(rawValue: "bf16") == nil)
        #expect(Set(ElementType.allCases.map(\.rawValue)).count == ElementType.allCases.count)
    }
}
