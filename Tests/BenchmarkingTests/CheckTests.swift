import Conformance
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Benchmarking
@testable import Compute

@Suite("A benchmark times nothing whose answer is wrong")
struct CheckTests {
    /// The smallest cases there are, on a device.
    private static func cases(_ device: Device) throws -> (scale: BenchmarkScale, all: [BenchmarkCase]) {
        let scale = BenchmarkScale.emulated
        return (scale, try BenchmarkTable(for: device, scale: scale).all)
    }

    @Test("every case's answer is right, and is timed")
    func right() throws {
        let device = Device.host()
        let (scale, all) = try CheckTests.cases(device)
        #expect(Set(all.map(\.description)).count == all.count)
        let run = BenchmarkRun(device: device, scale: scale, minimumSeconds: 0)
        for candidate in all {
            let outcome = run.outcome(of: candidate)
            #expect(outcome.complaint == nil, "\(candidate): \(outcome.complaint ?? "")")
            #expect((outcome.figures?.samples.count ?? 0) >= 5)
        }
    }

    @Test("every case's answer is right on the emulated kernels", .needsEmulation)
    func rightEmulated() throws {
        let device = try Device.emulated()
        for candidate in try CheckTests.cases(device).all {
            var random = SplitMix64(seed: 1)
            let complaint = try BenchmarkRun.complaint(try candidate.prepare(device, &random), device)
            #expect(complaint == nil, "\(candidate): \(complaint ?? "")")
        }
    }

    @Test("an answer that was not computed is found wrong in every case")
    func notComputed() throws {
        let device = Device.host()
        for candidate in try CheckTests.cases(device).all {
            var random = SplitMix64(seed: 1)
            let call = try candidate.prepare(device, &random)
            var judgement = Judgement()
            try call.check(&judgement)
            #expect(judgement.complaint != nil, "\(candidate)")
        }
    }

    @Test("an answer that was computed twice is found wrong where calls add to it", arguments: ["rotate", "add_cross"])
    func computedTwice(operation: String) throws {
        let device = Device.host()
        let chosen = try CheckTests.cases(device).all.filter { $0.operation.hasPrefix(operation) }
        #expect(!chosen.isEmpty)
        for candidate in chosen {
            var random = SplitMix64(seed: 1)
            let call = try candidate.prepare(device, &random)
            try call.run()
            #expect(try BenchmarkRun.complaint(call, device) != nil, "\(candidate)")
        }
    }

    @Test("one element that is off by more than its roundings is named")
    func oneElement() throws {
        let device = Device.host()
        let tolerance = ProductBenchmarks.tolerance((.float32, .float32), length: 1024)
        for (error, isFound) in [(Float(1e-6), false), (1e-3, true)] {
            var values = [Float](repeating: 1, count: 12)
            values[10] += error
            let result = try device.makeTensor(values, [4, 3], for: "a test")
            var judgement = Judgement()
            try judgement.compareRows("result", result, device, places: Places.spread(4, 3), tolerance) { _ in
                Array(repeating: (1, 1), count: 3)
            }
            #expect((judgement.complaint?.contains("result[3, 1]") ?? false) == isFound)
        }
    }

    @Test("a wrong answer is an outcome with its reason, after one call")
    func wrong() {
        let device = Device.host()
        let calls = Mutex(0)
        let planted = BenchmarkCase("planted", "", .moving(bytes: 8), byteCount: 8) { _, _ throws(ComputeError) in
            PreparedCall(run: { () throws(ComputeError) in calls.withLock { $0 += 1 } }) {
                judgement throws(ComputeError) in
                judgement.expect(false, "element 3 is 2, expected 1")
            }
        }
        let outcome = BenchmarkRun(device: device, scale: .emulated).outcome(of: planted)
        #expect(outcome.figures == nil)
        #expect(outcome.complaint == "wrong answer: element 3 is 2, expected 1")
        #expect(calls.withLock { $0 } == 1)
        var report = BenchmarkReport(machine: ReportTests.machine)
        report.outcomes = [outcome]
        let json = report.json()["cases"]?.array?.first
        #expect(json?["failure"]?.string == outcome.complaint)
        #expect(json?["seconds_per_call"] == nil)
    }

    @Test("a case that does not fit into memory is refused, and says what it needs")
    func tooLarge() {
        let huge = BenchmarkCase("huge", "", .moving(bytes: 8), byteCount: 1 << 50) { _, _ throws(ComputeError) in
            PreparedCall(run: { () throws(ComputeError) in }) { _ throws(ComputeError) in }
        }
        let outcome = BenchmarkRun(device: .host(), scale: .emulated).outcome(of: huge)
        #expect(outcome.complaint?.contains("refused") == true)
        #expect(outcome.complaint?.contains("operands of huge") == true)
    }

    @Test("multiples of 1/128 have the bits of float16")
    func float16() {
        for i in -128...127 {
            let value = Float(i) / 128
            #expect(Operand.float16(value) == Float16(value).bitPattern)
        }
    }
}
