import ArgumentParser
import Benchmarking
import Checkpoints
import Compute
import Glibc
import Linearity
import Reports
import Transformers

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast this machine computes what an analysis is made of.",
        discussion: """
            Each case first checks its answer against plain sums in float64, then is timed in batches over operands that \
            caches cannot hold. The table gives the median time of a call with its quartiles, what that is in GFLOP/s and \
            GB/s, and its share of the ceiling measured in the same run: the bandwidth of a copy, or the quickest matrix \
            product of the type. Operations and bytes are those of the definition, each byte read and written once.

            With --shape a whole analysis is run on random weights of a known model's sizes, and the time of each of its \
            stages is shown.

            EXAMPLES
              straightedge bench
              straightedge bench --device cuda --json h200.json
              straightedge bench --case attention
              straightedge bench --shape smollm2-135m
              straightedge bench --shape llama-2-7b --device cuda --tokens 15174 --json llama.json
              straightedge bench --shape smollm2-135m --layers 3
              straightedge bench --shape llama-2-7b --device cuda --folds 1 --no-token-errors
            """)

    @Option(help: ArgumentHelp("Where to compute: \(Device.knownNames.joined(separator: ", ")).", valueName: "device"))
    var device = "host"

    @Option(name: .customLong("case"), help: ArgumentHelp("Only cases whose name contains this.", valueName: "text"))
    var filter: String?

    @Option(
        help: ArgumentHelp(
            "Run an analysis of this model's sizes: \(ModelShape.known.map(\.name).joined(separator: ", ")).",
            valueName: "name"))
    var shape: String?

    @Option(
        help: ArgumentHelp(
            "Tokens of that analysis, in sequences of \(ShapeProfile.sequenceLength) "
                + "(default: \(ShapeProfile.defaultTokenCount)).", valueName: "n"))
    var tokens: Int?

    @Option(help: ArgumentHelp("Layers of that analysis (default: the model's).", valueName: "n"))
    var layers: Int?

    @Option(
        help: ArgumentHelp(
            "Operands of that analysis's matrix products: f32, bf16 or f16 (default: f32; on a GPU bf16).",
            valueName: "type"))
    var computeType: ComputeType?

    @Option(help: ArgumentHelp("Folds of that analysis; 1 for no held-out scores (default: 5).", valueName: "k"))
    var folds: Int?

    @Flag(help: "No errors of tokens in that analysis.")
    var noTokenErrors = false

    @Option(
        help: ArgumentHelp(
            "Memory that the analysis may take, for instance 500M or 8G (default: 80 % of what is free).",
            valueName: "bytes"))
    var memory: ByteCount?

    @Option(
        help: ArgumentHelp("File for the figures, with every sample.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var json: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    func validate() throws {
        guard Device.knownNames.contains(device) else {
            throw ValidationError(
                "No device is named '\(device)'; known: \(Device.knownNames.joined(separator: ", ")).")
        }
        if let shape, ModelShape.named(shape) == nil {
            throw ValidationError(
                "No shape is named '\(shape)'; known: \(ModelShape.known.map(\.name).joined(separator: ", ")).")
        }
        let isShaped =
            tokens != nil || layers != nil || memory != nil || computeType != nil || folds != nil || noTokenErrors
        if shape == nil, isShaped {
            throw ValidationError(
                "--tokens, --layers, --compute-type, --folds, --no-token-errors and --memory need a --shape.")
        }
        if let folds { try Limits.check(folds: folds) }
        if shape != nil, filter != nil { throw ValidationError("Give either --case or --shape.") }
        if let tokens, !(1...Bench.tokenLimit).contains(tokens) {
            throw ValidationError("--tokens must be from 1 to \(Bench.tokenLimit).")
        }
        if let layers, !(1...Bench.layerLimit).contains(layers) {
            throw ValidationError("--layers must be from 1 to \(Bench.layerLimit).")
        }
    }

    /// More say nothing new.
    private static let tokenLimit = 1 << 26
    private static let layerLimit = 1 << 10

    func run() throws {
        try Failure.reporting {
            let device = try Device.named(self.device)
            Interruption.explain("nothing was written; the same command begins anew")
            // Before minutes are spent: is it taken, can it be written there?
            if let json { _ = try WholeFile(path: json, replaces: force, option: "--json") }
            var report = BenchmarkReport(machine: Bench.machine(device))
            Bench.show(report.machine)
            if let shape = shape.flatMap(ModelShape.named) {
                try profile(shape, device, &report)
            } else {
                try measure(device, &report)
            }
            try write(report)
            if report.outcomes.contains(where: { $0.complaint != nil }) { throw Failure.failed }
        }
    }

    private func measure(_ device: Device, _ report: inout BenchmarkReport) throws {
        let scale = try BenchmarkScale(for: device)
        let cases = try BenchmarkTable(for: device, scale: scale).cases(matching: filter)
        if cases.isEmpty { throw ValidationError("No case's name contains '\(filter ?? "")'.") }
        let run = BenchmarkRun(device: device, scale: scale)
        let progress = ProgressLine(isQuiet: false)
        defer { progress.clear() }
        for (number, candidate) in cases.enumerated() {
            progress.show("\(number + 1) of \(cases.count): \(candidate)")
            report.outcomes.append(run.outcome(of: candidate))
        }
        progress.clear()
        print(Bench.table(report))
        for outcome in report.outcomes {
            if let complaint = outcome.complaint { Failure.report("\(outcome.benchmark): \(complaint)") }
        }
    }

    private func profile(_ shape: ModelShape, _ device: Device, _ report: inout BenchmarkReport) throws {
        let profile = ShapeProfile(
            shape: shape, layerCount: layers, tokenCount: tokens, settings: settings(for: device))
        let progress = ProgressLine(isQuiet: false)
        defer { progress.clear() }
        progress.show("making random weights")
        let result = try profile.run(on: device) {
            progress.show("layer \($0.completedLayerCount) of \($0.layerCount), \(Text.duration($0.seconds))")
        }
        progress.clear()
        report.profile = (profile, result)
        Bench.show(profile, result)
    }

    private func settings(for device: Device) -> Analysis.Settings {
        var settings = Analysis.Settings()
        settings.memoryByteCount = memory?.value
        settings.computeType = computeType ?? (device.name == "cuda" ? .bf16 : .f32)
        settings.foldCount = folds ?? settings.foldCount
        settings.measuresTokenErrors = !noTokenErrors
        return settings
    }

    private func write(_ report: BenchmarkReport) throws {
        guard let json else { return }
        let file = try WholeFile(path: json, replaces: force, option: "--json")
        try file.write(Array(report.json().serialized(indented: true).utf8))
        try file.finish()
        print("Results: \(json)")
    }
}

// MARK: What is shown

extension Bench {
    private static func machine(_ device: Device) -> BenchmarkReport.Machine {
        BenchmarkReport.Machine(
            device: device.name, library: device.libraryDescription, driver: device.driverDescription,
            processor: HostResources.processorName(), coreCount: HostResources.grantedCoreCount(),
            laneCount: device.laneCount, version: Version.current, gitRevision: BuildInformation.gitRevision)
    }

    private static func show(_ machine: BenchmarkReport.Machine) {
        let lanes = machine.laneCount > 1 ? ", \(machine.laneCount) lanes" : ""
        print("\(machine.device): \(machine.library)\(lanes)\(machine.driver.map { ", driver \($0)" } ?? "")")
        if machine.device == "emulated" { print("The emulation finds mistakes; its times say nothing of a GPU.") }
        print("")
        // What follows takes a while, and may be cut short.
        fflush(nil)
    }

    /// Aligned columns; rates are of all lanes together.
    private static func table(_ report: BenchmarkReport) -> String {
        let names = report.outcomes.map(\.benchmark.description)
        let width = max(4, names.map(\.count).max() ?? 0)
        var lines = [
            left("case", width) + right("ms", 11) + right("quartiles", 20) + right("GFLOP/s", 11) + right("GB/s", 9)
                + "  share of ceiling"
        ]
        for outcome in report.outcomes {
            lines.append(left("\(outcome.benchmark)", width) + row(outcome, report))
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ outcome: BenchmarkOutcome, _ report: BenchmarkReport) -> String {
        guard let figures = outcome.figures else { return "  FAILED" }
        let work = outcome.benchmark.work
        let operations = work.operations > 0 ? Text.fixed(figures.operationRate(work) / 1e9, 1) : "–"
        let share = report.share(of: outcome).map { "\(Text.fixed(100 * $0, 1)) %" } ?? "–"
        return right(milliseconds(figures.median), 11)
            + right("\(milliseconds(figures.lowerQuartile))–\(milliseconds(figures.upperQuartile))", 20)
            + right(operations, 11) + right(Text.fixed(figures.byteRate(work) / 1e9, 1), 9) + right(share, 9)
            + " of \(work.ceiling)"
    }

    private static func milliseconds(_ seconds: Double) -> String {
        Text.fixed(1000 * seconds, seconds < 0.001 ? 4 : seconds < 0.1 ? 3 : 1)
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    private static func show(_ profile: ShapeProfile, _ result: ShapeProfile.Result) {
        let (shape, seconds) = (profile.shape, result.seconds)
        print(
            "\(shape.name): \(result.layerCount) of \(shape.layerCount) layers, width \(shape.width), "
                + "\(Text.count(profile.tokenCount)) tokens in \(result.sequenceCount) "
                + "\(result.sequenceCount == 1 ? "sequence" : "sequences") of at most "
                + "\(ShapeProfile.sequenceLength); streams in \(result.memory.placement.rawValue)")
        for note in profile.notes { print("  \(note)") }
        print("")
        let forwardRate = result.forwardOperations / seconds.forward / 1e9
        let rows = [
            ("load", result.loadSeconds, "making the weights"),
            (
                "forward", seconds.forward,
                "\(rate(profile.tokenCount, seconds.forward)) tokens/s, \(Text.fixed(forwardRate, 0)) GFLOP/s"
            ), ("moments", seconds.moments, ""), ("solve", seconds.solve, ""),
            ("token errors", seconds.tokenErrors, ""),
            (
                "analysis", result.analysisSeconds,
                "\(rate(profile.tokenCount, result.analysisSeconds)) tokens/s, without load"
            ),
        ]
        for (name, value, remark) in rows {
            print(left(name, 14) + right(Text.fixed(value, 3), 10) + " s" + (remark.isEmpty ? "" : "  \(remark)"))
        }
        print("peak memory   \(Text.bytes(HostResources.peakResidentByteCount())) of the program")
    }

    private static func rate(_ count: Int, _ seconds: Double) -> String { Text.fixed(Double(count) / seconds, 1) }
}
