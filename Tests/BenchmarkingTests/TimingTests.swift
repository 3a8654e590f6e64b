import Synchronization
import Testing

@testable import Benchmarking
@testable import Compute

@Suite("Batches take the sets of operands in turn")
struct TimingTests {
    /// How often each set of each lane was run and put back.
    private final class Counts: Sendable {
        let runs = Mutex<[Int: Int]>([:])
        let restores = Mutex<[Int: Int]>([:])
    }

    private static func call(_ number: Int, _ counts: Counts, isRestored: Bool) -> PreparedCall {
        let run: @Sendable () throws(ComputeError) -> Void = { () throws(ComputeError) in
            counts.runs.withLock { $0[number, default: 0] += 1 }
        }
        let restore: @Sendable () throws(ComputeError) -> Void = { () throws(ComputeError) in
            counts.restores.withLock { $0[number, default: 0] += 1 }
        }
        return PreparedCall(run: run, restore: isRestored ? restore : nil) { _ throws(ComputeError) in }
    }

    @Test("every set is used as often as the others, on every lane")
    func turns() throws {
        let device = Device.host(laneCount: 2)
        let counts = Counts()
        let calls = (0..<2).map { lane in
            (0..<3).map { TimingTests.call(3 * lane + $0, counts, isRestored: false) }
        }
        let figures = try BenchmarkRun(device: device, scale: .emulated, minimumSeconds: 0.01).time(calls)
        #expect(figures.samples.count >= 5 && figures.laneCount == 2 && figures.setCount == 3)
        let runs = counts.runs.withLock { $0 }
        #expect(runs.count == 6)
        let (least, most) = (runs.values.min() ?? 0, runs.values.max() ?? 0)
        #expect(most - least <= 1)
        #expect(runs.values.reduce(0, +) >= 2 * figures.samples.count * figures.callsPerSample)
    }

    @Test("a call that overwrites its operands has them put back before each")
    func restores() throws {
        let counts = Counts()
        let calls = [(0..<2).map { TimingTests.call($0, counts, isRestored: true) }]
        let figures = try BenchmarkRun(device: .host(), scale: .emulated, minimumSeconds: 0).time(calls)
        #expect(figures.callsPerSample == 1)
        #expect(counts.runs.withLock { $0 } == counts.restores.withLock { $0 })
        #expect(counts.runs.withLock { $0.values.reduce(0, +) } == figures.samples.count)
    }

    @Test("median and quartiles are numpy's")
    func quartiles() {
        let figures = BenchmarkFigures(samples: [4, 1, 10, 3, 7, 8], callsPerSample: 1, laneCount: 2, setCount: 1)
        // numpy.percentile([4, 1, 10, 3, 7, 8], [25, 50, 75])
        #expect(figures.lowerQuartile == 3.25 && figures.median == 5.5 && figures.upperQuartile == 7.75)
        let work = Work(operations: 11, bytes: 22, ceiling: .copy)
        #expect(figures.operationRate(work) == 4 && figures.byteRate(work) == 8)
    }
}
