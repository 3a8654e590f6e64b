import Compute
import Conformance
import TestSupport
import Testing

/// Every case of the table on the CPU, and on the kernels of a GPU that the CPU runs.
@Suite struct ConformanceTests {
    private static let device = Device.host()
    private static let emulated = Result { try Device.emulated() }

    @Test(arguments: ConformanceTable.all)
    func hostConforms(_ candidate: ConformanceCase) throws {
        let outcome = try candidate.run(on: ConformanceTests.device)
        #expect(outcome.passed, "\(outcome.name): \(outcome.complaint ?? "")")
    }

    @Test(.needsEmulation, arguments: ConformanceTable.all)
    func emulationConforms(_ candidate: ConformanceCase) throws {
        let outcome = try candidate.run(on: ConformanceTests.emulated.get())
        #expect(outcome.passed, "\(outcome.name): \(outcome.complaint ?? "")")
    }

    @Test func namesAreUnique() {
        let names = ConformanceTable.all.map(\.description)
        #expect(Set(names).count == names.count)
    }

    @Test func filterChoosesByText() {
        let outcomes = Array(
            ConformanceTable.run(on: ConformanceTests.device, filter: "add_bias rows=33 width=31 aligned=1 F32"))
        #expect(outcomes.map(\.name) == ["add_bias rows=33 width=31 aligned=1 F32"])
        #expect(outcomes.allSatisfy { $0.passed && $0.largestError == 0 && $0.tolerance == 0 })
    }
}
