import ArgumentParser
import Glibc

/// Gives the product damaged and hostile files, and watches what becomes of it.
@main
struct Mutations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutations",
        abstract: "Gives the product damaged and hostile files, and reports what is not read or refused.",
        subcommands: [Run.self, Replay.self, Worker.self, Failures.self], defaultSubcommand: Run.self)
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Mutate, and watch.",
        discussion: """
            A case is made of its format and its seed alone. It is a finding when the process that works on it crashes, \
            hangs, asks for more memory than the files justify, or refuses with a message that is too long or has \
            control characters. Exit codes: 0 nothing found, 1 findings.

            EXAMPLES
              Scripts/mutate --count 2000
              Scripts/mutate --format gguf --seconds 600 --seed 1000000
              Scripts/mutate replay --format gguf --seed 1000017
            """)

    @Option(
        help: ArgumentHelp(
            "One of \(InputFormats.names.joined(separator: ", ")); may be repeated. All where not given.",
            valueName: "format"))
    var format: [String] = []

    @Option(help: "Cases in all, shared out evenly over the formats.")
    var count: Int?

    @Option(help: "Seconds in all, shared out evenly over the formats.")
    var seconds: Double?

    @Option(help: "The first seed of each format.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("MiB of data that a worker may have at most.", valueName: "mebibytes"))
    var memoryCap = 1024

    @Option(help: ArgumentHelp("Seconds after which a case hangs.", valueName: "seconds"))
    var caseLimit = 10.0

    @Option(help: "End a format after so many findings.")
    var findings = 100

    @Option(help: ArgumentHelp("Folder for the files of findings.", valueName: "folder"), completion: .directory)
    var keep = ".build-mutations/findings"

    @Flag(help: "No progress.")
    var quiet = false

    func validate() throws {
        for name in format where InputFormats.named(name) == nil {
            throw ValidationError("There is no format '\(name)'; known: \(InputFormats.names.joined(separator: ", ")).")
        }
        guard count ?? 1 > 0, seconds ?? 1 > 0, memoryCap > 0, memoryCap < 1 << 30, caseLimit > 0, findings > 0 else {
            throw ValidationError("Counts, seconds and sizes have to be positive.")
        }
    }

    func run() throws {
        let formats = format.isEmpty ? InputFormats.all : format.compactMap(InputFormats.named)
        // Without a limit, as many as are done in a minute.
        let seconds = seconds ?? (count == nil ? 60 : nil)
        var isClean = true
        for (index, format) in formats.enumerated() {
            let share = count.map { UInt64(($0 + formats.count - 1 - index) / formats.count) } ?? .max >> 1
            let campaign = Campaign(
                format: format, firstSeed: seed, count: share, secondsLimit: seconds.map { $0 / Double(formats.count) },
                caseSecondsLimit: caseLimit, memoryCap: memoryCap << 20, keep: keep, findingLimit: findings)
            let outcome = try campaign.run { if !quiet { report($0, format.name, to: 2) } }
            report(outcome, format.name, to: 1)
            for finding in outcome.findings { write(finding.description + "\n", to: 1) }
            isClean = isClean && outcome.findings.isEmpty
        }
        if !isClean { throw ExitCode(1) }
    }

    private func report(_ outcome: Campaign.Outcome, _ name: String, to descriptor: Int32) {
        let rate = outcome.seconds > 0 ? Int(Double(outcome.doneCount) / outcome.seconds) : 0
        write(
            "\(name): \(outcome.doneCount) cases from seed \(seed) in \(tenths(outcome.seconds)) s (\(rate) a second), "
                + "\(outcome.acceptedCount) read whole, \(outcome.findings.count) findings; "
                + "most memory \(outcome.peak.share / 10) % of what is allowed (seed \(outcome.peak.seed)), "
                + "longest \(outcome.longest.nanoseconds / 1_000_000) ms (seed \(outcome.longest.seed))\n",
            to: descriptor)
    }

    private func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        unsafe _ = Glibc.write(descriptor, bytes, bytes.count)
    }
}

struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Work on one case in this process, without limits, for a debugger.")

    @Option var format: String
    @Option var seed: UInt64

    @Option(help: "Where to put the files of the case.")
    var folder = ".build-mutations/replay"

    func run() throws {
        guard let format = InputFormats.named(format) else { throw ValidationError("There is no format '\(format)'.") }
        Disk.makeFolder(folder)
        var random = RandomSource(seed: seed)
        let files = format.mutated(&random)
        let path = try files.write(to: folder)
        print("\(path), \(files.byteCount) bytes")
        var exercise = Exercise()
        let meter = MemoryMeter(cap: .max, fileByteCount: .max >> 8)
        let start = Ledger.now()
        format.exercise(path, &exercise)
        print("\((Ledger.now() - start) / 1000) microseconds, at most \(meter.finish() >> 10) KiB")
        print(exercise.refusal.map { "refused: \($0)" } ?? "read whole")
        if let complaint = exercise.complaint { print("FINDING: \(complaint)") }
    }
}
