import Compute
import Synchronization
import Tensors
import Testing

/// Lanes share work out; what they compute does not depend on how many they are.
@Suite struct LaneTests {
    private struct Failure: Error, Equatable {
        let task: Int
    }

    @Test(arguments: [1, 2, 3, 8])
    func everyTaskRunsOnce(laneCount: Int) {
        let counts = Mutex([Int](repeating: 0, count: 1000))
        let busyLanes = Mutex(Set<Int>())
        Device.host(laneCount: laneCount).concurrently(1000) { task, lane in
            #expect(lane >= 0 && lane < laneCount)
            let isAlone = busyLanes.withLock { $0.insert(lane).inserted }
            #expect(isAlone, "two tasks share lane \(lane)")
            counts.withLock { $0[task] += 1 }
            _ = busyLanes.withLock { $0.remove(lane) }
        }
        let isComplete = counts.withLock { $0.allSatisfy { $0 == 1 } }
        #expect(isComplete)
    }

    @Test func noTasksAreNoWork() {
        Device.host(laneCount: 3).concurrently(0) { _, _ in Issue.record("a task ran") }
    }

    @Test func aLaneInsideALaneRunsItsTasksInOrder() {
        let device = Device.host(laneCount: 3)
        device.concurrently(6) { _, _ in
            let order = Mutex([Int]())
            device.concurrently(5) { task, _ in order.withLock { $0.append(task) } }
            let seen = order.withLock { $0 }
            #expect(seen == [0, 1, 2, 3, 4])
        }
    }

    @Test(arguments: [1, 2, 3])
    func theFirstFailureIsThrown(laneCount: Int) {
        // Tasks are begun in order, so that task 7 has begun, and failed, whenever a later one has.
        for _ in 0..<50 {
            #expect(throws: Failure(task: 7)) {
                try Device.host(laneCount: laneCount).concurrently(100) { task, _ throws(Failure) in
                    if task == 7 || task > 20 { throw Failure(task: task) }
                }
            }
        }
    }

    @Test func nothingIsBegunAfterAFailure() {
        let begun = Atomic(0)
        #expect(throws: Failure(task: 0)) {
            try Device.host(laneCount: 1).concurrently(100) { task, _ throws(Failure) in
                begun.add(1, ordering: .relaxed)
                throw Failure(task: task)
            }
        }
        #expect(begun.load(ordering: .relaxed) == 1)
    }

    /// Numbers of one size and without a pattern.
    private func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int64(bitPattern: state) >> 33) * 0x1p-30
        }
    }

    /// Gram, cross products and sums of 1,500 rows in two calls.
    private func moments(laneCount: Int, _ type: ElementType) throws -> [Double] {
        let device = Device.host(laneCount: laneCount)
        let (rows, width) = (1500, 209)
        let pair = StreamPair(
            x: try device.makeTensor(numbers(rows * width, 1), [rows, width], for: "x"),
            y: try device.makeTensor(numbers(rows * width, 2), [rows, width], for: "y"), target: .contribution)
        let shifts = PanelShifts(
            x: try device.makeTensor(numbers(width, 3), [width], for: "shifts"),
            target: try device.makeTensor(numbers(width, 4), [width], for: "shifts"))
        let panels = Panels(
            x: try device.makeTensor([1000, width], type, for: "a panel"),
            target: try device.makeTensor([1000, width], type, for: "a panel"),
            sums: try device.makeZeros([3, width], .float64, for: "sums"))
        let gram = try device.makeZeros([width, width], .float64, for: "gram")
        let cross = try device.makeZeros([width, width], .float64, for: "cross")
        for range in [Int32(0)..<1000, 1000..<1500] {
            try device.gatherPanels(pair, rows: Array(range), shifts: shifts, into: panels)
            try device.addCrossProducts(panels, rowCount: range.count, gram: gram, cross: cross)
        }
        try device.mirrorUpperTriangle(gram)
        return try device.doubles(of: gram) + device.doubles(of: cross) + device.doubles(of: panels.sums)
    }

    @Test(arguments: [ElementType.float32, .float64])
    func momentsDoNotDependOnLanes(type: ElementType) throws {
        let one = try moments(laneCount: 1, type)
        for laneCount in [2, 3] { #expect(try moments(laneCount: laneCount, type) == one) }
    }

    /// A normed, projected, rotated, attended and gated slab a task, as a forward pass does it.
    private func forward(laneCount: Int) throws -> [Float] {
        let device = Device.host(laneCount: laneCount)
        let (tokens, width, slabCount) = (37, 96, 7)
        let x = try device.makeTensor(numbers(slabCount * tokens * width, 1), [slabCount * tokens, width], for: "x")
        let result = try device.makeTensor([slabCount * tokens, width], .float32, for: "y")
        let norm = try device.makeTensor(numbers(width, 2), [width], for: "a norm")
        let weights = try device.makeTensor(numbers(2 * width * width, 3), [2 * width, width], for: "weights")
        let table = try device.makeTensor(numbers(tokens * 16, 4), [tokens, 16], for: "a table")
        let heads = AttentionHeads(queryCount: 3, keyCount: 3, width: 32)
        let positions = (0..<Int32(tokens)).map(\.self)
        try device.concurrently(slabCount) { slab, _ in
            let rows = slab * tokens..<(slab + 1) * tokens
            let normed = try device.makeTensor([tokens, width], .float32, for: "normed")
            let wide = try device.makeTensor([tokens, 2 * width], .float32, for: "projected")
            try device.normalize(
                x.rows(rows), .rootMeanSquare, weight: norm, bias: nil, epsilon: 1e-5, groupWidth: nil,
                accumulates: false, into: normed)
            try device.product(normed, weights, transposesB: true, into: wide)
            try device.rotate(
                wide, cosines: table, sines: table, positions: positions, headWidth: 32, layout: .interleaved)
            try device.attention(
                query: wide.columns(0..<width), key: wide.columns(width..<2 * width), value: normed,
                lengths: [20, 17], heads: heads, rule: AttentionRule(scale: 0.18), into: result.rows(rows))
            try device.activate(wide, bias: nil, .silu, isGated: true, into: normed)
            try device.subtract(result.rows(rows), normed, into: result.rows(rows))
        }
        return try device.floats(of: result)
    }

    @Test func forwardOperationsDoNotDependOnLanes() throws {
        let one = try forward(laneCount: 1)
        #expect(one.allSatisfy { $0.isFinite })
        for laneCount in [2, 3] { #expect(try forward(laneCount: laneCount) == one) }
    }

    @Test func statisticsAndDecodingDoNotDependOnLanes() throws {
        let bytes = numbers(200_000, 5).flatMap { [UInt8(truncatingIfNeeded: $0.bitPattern), UInt8(60)] }
        func results(_ laneCount: Int) throws -> ([Float], [Double]) {
            let device = Device.host(laneCount: laneCount)
            let x = try device.makeTensor([2000, 100], .float32, for: "x")
            try device.decode(unsafe bytes.span.bytes, elementType: .float16, into: x)
            let statistics = try device.makeTensor([2000, 4], .float64, for: "statistics")
            try device.rowStatistics(x, x, into: statistics)
            return (try device.floats(of: x), try device.doubles(of: statistics))
        }
        let one = try results(1)
        for laneCount in [2, 3] { #expect(try results(laneCount) == one) }
    }
}
