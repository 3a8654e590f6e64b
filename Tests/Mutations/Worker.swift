import ArgumentParser
import Glibc

/// Works through seeds in a process of its own, which a bad case may end.
struct Worker: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Work through seeds; started by `mutations`.", shouldDisplay: false)

    @Option var format: String
    @Option var seed: UInt64
    @Option var count: UInt64
    /// Where the ledger, the case and the message of a finding stand.
    @Option var folder: String
    @Option var memoryCap: Int

    /// How a worker ends when it has found something without a crash; the finding is in `complaintName`.
    static let complaintCode: Int32 = 77
    /// How it ends when the format's own base is refused.
    static let baseCode: Int32 = 78
    static let ledgerName = "ledger"
    static let caseName = "case"
    static let complaintName = "complaint"

    func run() throws {
        guard let format = InputFormats.named(format) else { throw ValidationError("there is no format \(format)") }
        let descriptor = unsafe open("\(folder)/\(Self.ledgerName)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        try Disk.check(descriptor, "open the ledger")
        try warmUp(format)
        var ledger = Ledger()
        ledger.seed = seed
        ledger.write(to: descriptor)
        while ledger.doneCount < count {
            try work(format, &ledger, descriptor)
            ledger.seed += 1
            ledger.write(to: descriptor)
        }
    }

    /// What is made once, such as the matrix library's memory and tables of the runtime, is made before anything is
    /// measured. A base that is refused would make every case after it meaningless.
    private func warmUp(_ format: any InputFormat) throws {
        for seed in UInt64(0)..<20 {
            var random = RandomSource(seed: seed)
            let path = try format.base(&random).write(to: "\(folder)/\(Self.caseName)")
            var exercise = Exercise()
            format.exercise(path, &exercise)
            guard let refusal = exercise.complaint ?? exercise.refusal.map({ "\($0)" }) else { continue }
            try complain(
                "the base of seed \(seed) is refused, which makes its mutations meaningless: \(refusal)",
                code: Self.baseCode)
        }
    }

    private func work(_ format: any InputFormat, _ ledger: inout Ledger, _ descriptor: Int32) throws {
        var random = RandomSource(seed: ledger.seed)
        let files = format.mutated(&random)
        let path = try files.write(to: "\(folder)/\(Self.caseName)")
        let meter = MemoryMeter(cap: memoryCap, fileByteCount: files.byteCount)
        ledger.start = Ledger.now()
        ledger.write(to: descriptor)

        var exercise = Exercise()
        format.exercise(path, &exercise)

        let duration = Ledger.now() - ledger.start
        let peak = meter.finish()
        ledger.start = 0
        if let complaint = exercise.complaint { try complain(complaint) }
        ledger.doneCount += 1
        if exercise.refusal == nil { ledger.acceptedCount += 1 }
        if duration > ledger.longest { (ledger.longest, ledger.longestSeed) = (duration, ledger.seed) }
        let share = UInt64(1000 * peak / MemoryMeter.allowance(fileByteCount: files.byteCount))
        if share > ledger.peakShare { (ledger.peakShare, ledger.peakSeed) = (share, ledger.seed) }
    }

    private func complain(_ problem: String, code: Int32 = complaintCode) throws -> Never {
        try Disk.write(Array(problem.utf8), to: "\(folder)/\(Self.complaintName)")
        throw ExitCode(code)
    }
}
