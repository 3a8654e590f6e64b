import ArgumentParser
import Compute
import Conformance
import Glibc
import Linearity
import Reports

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what this machine offers, and check that it computes rightly.",
        discussion: """
            EXAMPLES
              straightedge doctor
              straightedge doctor --conformance
              straightedge doctor --conformance --case attention
            """)

    @Option(help: ArgumentHelp("The device to check.", valueName: "device"))
    var device = "host"

    @Flag(help: "Compare every operation with plain loops in float64.")
    var conformance = false

    @Option(name: .customLong("case"), help: ArgumentHelp("Only cases whose name contains this.", valueName: "text"))
    var filter: String?

    func run() throws {
        try Failure.reporting {
            let device = try Device.named(self.device)
            show("version", Version.current + (BuildInformation.gitRevision.map { " (\($0))" } ?? ""))
            show("system", Doctor.systemDescription())
            show("glibc", GlibcVersion.description(of: GlibcVersion.running))
            show("processor", HostResources.processorName())
            show("cores", "\(HostResources.grantedCoreCount()) granted")
            show(
                "memory",
                "\(Text.bytes(HostResources.availableMemoryByteCount())) available of "
                    + Text.bytes(HostResources.totalMemoryByteCount()))
            for line in GPUSurvey.lines() { show("gpu", line) }
            show("device", "\(device.name), \(Text.bytes(try device.availableMemoryByteCount())) free")
            show("library", device.libraryDescription)
            // Of no use where single cases are looked at, and slow under a tool that watches the device's memory.
            if filter == nil {
                show("rate", try Doctor.matrixRate(device))
                show("copy", try Doctor.copyRate(device))
            }
            if conformance { try check(device) }
        }
    }

    private func check(_ device: Device) throws {
        var (passed, failed) = (0, 0)
        for outcome in ConformanceTable.run(on: device, filter: filter ?? "") {
            if outcome.passed {
                passed += 1
            } else {
                failed += 1
                print("FAILED  \(outcome)")
            }
        }
        print("conformance: \(passed) passed, \(failed) failed")
        if passed + failed == 0 {
            throw ValidationError("No case's name contains '\(filter ?? "")'.")
        }
        if failed > 0 { throw Failure.failed }
    }

    /// Float32 matrix products on all lanes at once: what the forward pass is made of.
    private static func matrixRate(_ device: Device) throws -> String {
        let (rows, width) = (1024, 1024)
        let operands = try (0..<device.laneCount).map { _ in
            try (
                a: device.makeZeros([rows, width], .float32, for: "a measurement"),
                b: device.makeZeros([width, width], .float32, for: "a measurement"),
                result: device.makeZeros([rows, width], .float32, for: "a measurement")
            )
        }
        let repetitions = 8
        var best = Double.infinity
        for _ in 0..<5 {
            var stopwatch = Stopwatch()
            try device.concurrently(device.laneCount) { task, _ throws(ComputeError) in
                let (a, b, result) = operands[task]
                for _ in 0..<repetitions { try device.product(a, b, transposesB: true, into: result) }
            }
            try device.synchronize()
            best = min(best, stopwatch.lap())
        }
        let operations = 2.0 * Double(rows * width * width) * Double(repetitions * device.laneCount)
        return
            "\(Text.fixed(operations / best / 1e9, 0)) GFLOP/s in float32 matrix products on \(device.laneCount) lanes"
    }

    /// Copies within the device's memory: bytes read and written.
    private static func copyRate(_ device: Device) throws -> String {
        let byteCount = min(256 << 20, max(1 << 20, try device.availableMemoryByteCount() / 8))
        let source = try device.makeZeros([byteCount / 4], .float32, for: "a measurement")
        let destination = try device.makeZeros([byteCount / 4], .float32, for: "a measurement")
        var best = Double.infinity
        for _ in 0..<5 {
            var stopwatch = Stopwatch()
            try device.copy(source, to: destination)
            try device.synchronize()
            best = min(best, stopwatch.lap())
        }
        return "\(Text.fixed(2 * Double(byteCount) / best / 1e9, 0)) GB/s in copies of \(Text.bytes(byteCount))"
    }

    private static func systemDescription() -> String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "unknown" }
        func text<Field>(_ field: Field) -> String {
            unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
    }

    private func show(_ name: String, _ value: String) {
        print(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }
}
