import Tensors
import Testing

@Suite struct ShapeTests {
    @Test func countsRowsAndColumns() {
        let matrix: Shape = [3, 5]
        #expect((matrix.count, matrix.rows, matrix.columns) == (15, 3, 5))
        let stack: Shape = [2, 3, 5]
        #expect((stack.count, stack.rows, stack.columns) == (30, 6, 5))
        let vector: Shape = [7]
        #expect((vector.count, vector.rows, vector.columns) == (7, 1, 7))
        let scalar = Shape([])
        #expect((scalar.count, scalar.rows, scalar.columns) == (1, 1, 1))
        let empty: Shape = [0, 5]
        #expect((empty.count, empty.rows, empty.columns) == (0, 0, 5))
    }

    @Test func readsLikeATuple() {
        #expect(Shape([3, 5]).description == "(3, 5)")
        #expect(Shape([]).description == "()")
    }

    @Test func equalityComparesDimensions() {
        #expect(Shape([6]) != Shape([1, 6]))
        #expect(Shape([2, 3]) == [2, 3])
    }
}
