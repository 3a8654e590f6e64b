import ArgumentParser
import Glibc

/// Cases of one format, one seed after another, in workers that are watched and replaced.
struct Campaign {
    let format: any InputFormat
    let firstSeed: UInt64
    /// Cases at most.
    let count: UInt64
    let secondsLimit: Double?
    /// Of one case; a longer one is a finding.
    let caseSecondsLimit: Double
    let memoryCap: Int
    /// Where findings are kept.
    let keep: String
    /// The campaign ends with so many.
    let findingLimit: Int

    struct Outcome {
        var doneCount: UInt64 = 0
        var acceptedCount: UInt64 = 0
        var seconds = 0.0
        var findings: [Finding] = []
        /// The largest share of its allowance that a case had in memory, in thousandths.
        var peak: (share: UInt64, seed: UInt64) = (0, 0)
        var longest: (nanoseconds: UInt64, seed: UInt64) = (0, 0)

        mutating func add(_ ledger: Ledger) {
            doneCount += ledger.doneCount
            acceptedCount += ledger.acceptedCount
            if ledger.peakShare > peak.share { peak = (ledger.peakShare, ledger.peakSeed) }
            if ledger.longest > longest.nanoseconds { longest = (ledger.longest, ledger.longestSeed) }
        }
    }

    /// - Parameter progress: called now and then with what was done so far.
    func run(progress: (Outcome) -> Void) throws -> Outcome {
        let folder = try Disk.makeTemporaryFolder()
        defer { Disk.remove(folder) }
        let begin = Ledger.now()
        var outcome = Outcome()
        var next = firstSeed
        while next - firstSeed < count, outcome.findings.count < findingLimit {
            guard let stop = try watch(from: next, folder: folder, begin: begin, &outcome, progress) else { break }
            outcome.findings.append(try keep(stop, folder))
            // The case counts: it was given to the product.
            outcome.doneCount += 1
            next = stop.seed + 1
        }
        outcome.seconds = Double(Ledger.now() - begin) / 1e9
        return outcome
    }

    /// Where a worker stopped, and why.
    private struct Stop {
        let seed: UInt64
        let what: String
    }

    /// Runs one worker until it is done (nil), out of time (nil), or stops at a case.
    private func watch(
        from seed: UInt64, folder: String, begin: UInt64, _ outcome: inout Outcome, _ progress: (Outcome) -> Void
    ) throws -> Stop? {
        let ledgerPath = "\(folder)/\(Worker.ledgerName)"
        unsafe unlink(ledgerPath)
        let worker = try WorkerProcess(
            arguments: [
                "worker", "--format", format.name, "--seed", "\(seed)", "--count", "\(firstSeed + count - seed)",
                "--folder", folder, "--memory-cap", "\(memoryCap)",
            ], errors: "\(folder)/errors")
        let started = Ledger.now()
        var reported = started
        while true {
            if let end = try worker.end() {
                let ledger = Ledger(path: ledgerPath)
                outcome.add(ledger)
                return try stop(end, ledger, folder)
            }
            let ledger = Ledger(path: ledgerPath)
            let now = Ledger.now()
            // Before its first ledger a worker reads its bases, which takes a moment.
            let caseBegin =
                ledger.start > 0 ? ledger.start : (ledger.seed == 0 && ledger.doneCount == 0 ? started : now)
            if now > caseBegin, Double(now - caseBegin) / 1e9 > caseSecondsLimit {
                worker.kill()
                outcome.add(ledger)
                return Stop(seed: ledger.seed, what: "hangs: not done after \(caseSecondsLimit) s")
            }
            if let secondsLimit, Double(now - begin) / 1e9 > secondsLimit, ledger.doneCount > 0 {
                worker.kill()
                outcome.add(ledger)
                return nil
            }
            if now - reported > 2_000_000_000 {
                reported = now
                var sofar = outcome
                sofar.add(ledger)
                sofar.seconds = Double(now - begin) / 1e9
                progress(sofar)
            }
            usleep(5_000)
        }
    }

    private func stop(_ end: WorkerProcess.End, _ ledger: Ledger, _ folder: String) throws -> Stop? {
        switch end {
        case .exit(0): return nil
        case .exit(Worker.complaintCode): return Stop(seed: ledger.seed, what: complaint(folder))
        case .exit(Worker.baseCode): throw ValidationError("\(format.name): \(complaint(folder))")
        case .exit(let code): return Stop(seed: ledger.seed, what: "exits with \(code). " + errors(folder))
        case .signal(let number):
            let name = unsafe String(cString: strsignal(number))
            return Stop(seed: ledger.seed, what: "is killed: \(name). " + errors(folder))
        }
    }

    private func complaint(_ folder: String) -> String {
        String(decoding: Disk.read("\(folder)/\(Worker.complaintName)"), as: UTF8.self)
    }

    private func errors(_ folder: String) -> String {
        String(String(decoding: Disk.read("\(folder)/errors"), as: UTF8.self).prefix(1_000))
    }

    /// Makes the files of the case again beside the other findings.
    private func keep(_ stop: Stop, _ folder: String) throws -> Finding {
        let path = "\(keep)/\(format.name)-\(stop.seed)"
        Disk.makeFolder(path)
        var random = RandomSource(seed: stop.seed)
        _ = try format.mutated(&random).write(to: path)
        return Finding(format: format.name, seed: stop.seed, what: stop.what, path: path)
    }
}
