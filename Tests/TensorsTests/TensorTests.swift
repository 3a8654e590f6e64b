import Synchronization
import Tensors
import Testing

@Suite struct TensorTests {
    /// A storage of zeros that belongs to no device.
    private func storage(byteCount: Int, onRelease: @escaping @Sendable () -> Void = {}) -> Storage {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        return unsafe Storage(
            address: memory, byteCount: byteCount, owner: DeviceIdentifier(name: "nowhere", index: 3)
        ) { address in
            unsafe address.deallocate()
            onRelease()
        }
    }

    private func matrix(_ shape: Shape, _ type: ElementType = .float32) -> Tensor {
        Tensor(storage: storage(byteCount: type.byteCount(of: shape.count) ?? 0), shape: shape, elementType: type)
    }

    @Test func rangeOfRowsStaysContiguous() {
        let view = matrix([7, 5]).rows(2..<6)
        #expect(view.shape == [4, 5])
        #expect(view.byteOffset == 2 * 5 * 4)
        #expect(view.leadingDimension == 5)
        #expect(view.isContiguous)
    }

    @Test func rangeOfColumnsKeepsTheLeadingDimension() {
        let view = matrix([7, 5], .float64).columns(1..<4)
        #expect(view.shape == [7, 3])
        #expect(view.byteOffset == 8)
        #expect(view.leadingDimension == 5)
        #expect(!view.isContiguous)
        #expect(view.rows(3..<4).isContiguous, "one row is always contiguous")
    }

    @Test func viewsOfViewsAddTheirOffsets() {
        let view = matrix([7, 11]).rows(1..<6).columns(2..<9).rows(2..<4).columns(3..<4)
        #expect(view.shape == [2, 1])
        #expect(view.byteOffset == 4 * (3 * 11 + 5))
        #expect(view.leadingDimension == 11)
    }

    @Test func rowsOfAStackCountAllOuterDimensions() {
        let view = matrix([2, 3, 4]).rows(4..<6)
        #expect(view.shape == [2, 4])
        #expect(view.byteOffset == 4 * 4 * 4)
    }

    @Test func emptyRangesAreViewsToo() {
        let tensor = matrix([7, 5])
        #expect(tensor.rows(7..<7).shape == [0, 5])
        #expect(tensor.columns(5..<5).shape == [7, 0])
    }

    @Test func blockViewsBeginAtWholeBlocks() {
        let tensor = matrix([3, 64], .q4_0)
        #expect(tensor.rows(1..<2).byteOffset == 36)
        #expect(tensor.columns(32..<64).byteOffset == 18)
        #expect(tensor.columns(32..<64).rows(2..<3).byteOffset == 2 * 36 + 18)
    }

    @Test func reshapingKeepsTheElements() {
        let view = matrix([4, 6]).rows(1..<3).reshaped([3, 4])
        #expect(view.shape == [3, 4])
        #expect(view.byteOffset == 24)
        #expect(view.leadingDimension == 4)
    }

    @Test func storageIsGivenBackOnceWithTheLastView() {
        let releases = Releases()
        do {
            var view: Tensor?
            do {
                let whole = Tensor(
                    storage: storage(byteCount: 64) { releases.count.add(1, ordering: .relaxed) }, shape: [4, 4],
                    elementType: .float32)
                view = whole.rows(1..<2)
            }
            #expect(view?.byteOffset == 16)
            #expect(releases.count.load(ordering: .relaxed) == 0)
            view = nil
        }
        #expect(releases.count.load(ordering: .relaxed) == 1)
    }

    private final class Releases: Sendable {
        let count = Atomic(0)
    }
}

/// What would name memory outside the tensor ends the process: such a view is a mistake of the program, not of data.
@Suite struct TensorPreconditionTests {
    private static func matrix(_ type: ElementType = .float32) -> Tensor {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 1024, alignment: 64)
        let storage = unsafe Storage(
            address: memory, byteCount: 1024, owner: DeviceIdentifier(name: "nowhere", index: 0)
        ) { unsafe $0.deallocate() }
        return Tensor(storage: storage, shape: [3, 64], elementType: type)
    }

    @Test func viewsOutsideAreRefused() async {
        await #expect(processExitsWith: .failure) { _ = TensorPreconditionTests.matrix().rows(1..<4) }
        await #expect(processExitsWith: .failure) { _ = TensorPreconditionTests.matrix().columns(60..<65) }
        await #expect(processExitsWith: .failure) { _ = TensorPreconditionTests.matrix(.q8_0).columns(16..<48) }
        await #expect(processExitsWith: .failure) { _ = TensorPreconditionTests.matrix().reshaped([3, 63]) }
        await #expect(processExitsWith: .failure) {
            _ = TensorPreconditionTests.matrix().columns(0..<32).reshaped([32, 3])
        }
    }
}
