import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Benchmarking

@Suite("The report compares rates with ceilings of the same run")
struct ReportTests {
    static let machine = BenchmarkReport.Machine(
        device: "host", library: "a library", driver: nil, processor: "a processor", coreCount: 1, laneCount: 1,
        version: "0", gitRevision: nil)

    private static func outcome(_ operation: String, _ sizes: String, _ work: Work, seconds: Double) -> BenchmarkOutcome
    {
        let candidate = BenchmarkCase(operation, sizes, work, byteCount: 1) { _, _ throws(ComputeError) in
            PreparedCall(run: { () throws(ComputeError) in }) { _ throws(ComputeError) in }
        }
        let figures = BenchmarkFigures(samples: [seconds], callsPerSample: 1, laneCount: 1, setCount: 1)
        return BenchmarkOutcome(benchmark: candidate, result: .measured(figures))
    }

    @Test("shares are of the copy, and of the quickest product of the same type")
    func shares() {
        var report = BenchmarkReport(machine: ReportTests.machine)
        let product = Work.computing(100, in: .float32, bytes: 1)
        report.outcomes = [
            ReportTests.outcome("copy", "", .moving(bytes: 1000), seconds: 1),
            ReportTests.outcome("add", "", .moving(bytes: 100), seconds: 0.5),
            ReportTests.outcome("product", "small", product, seconds: 2),
            ReportTests.outcome("product", "large", product, seconds: 1),
            ReportTests.outcome("product", "other", .computing(900, in: .float64, bytes: 1), seconds: 1),
            ReportTests.outcome("attention", "", product, seconds: 4),
            ReportTests.outcome("decode", "", .moving(bytes: 10, ceiling: .write), seconds: 1),
        ]
        #expect(report.outcomes.map { report.share(of: $0) } == [1, 0.2, 0.5, 1, 1, 0.25, nil])
        let cases = report.json()["cases"]?.array ?? []
        #expect(cases.map { $0["share_of_ceiling"]?.number } == [1, 0.2, 0.5, 1, 1, 0.25, nil])
        #expect(cases.first?["operations_per_second"]?.isNull == true)
    }

    @Test("a choice of cases brings its ceilings along")
    func choice() throws {
        let table = try BenchmarkTable(for: .host(), scale: .emulated)
        let operations = table.cases(matching: "normalize").map(\.operation)
        #expect(operations == ["copy", "normalize"])
        let names = table.cases(matching: "cholesky").map(\.description)
        #expect(names.count == 2 && names[0].hasPrefix("product F64 cube"))
        #expect(table.cases(matching: "no such case").isEmpty)
        #expect(table.cases(matching: nil).count == table.all.count)
    }

    @Test("all types that the device multiplies are offered, and no other")
    func offers() throws {
        let offers = try ProductBenchmarks.offers(.host())
        #expect(offers.contains { $0 == (.float32, .float32) } && offers.contains { $0 == (.float64, .float64) })
        #expect(Set(offers.map(\.operands)).count == offers.count)
    }
}
