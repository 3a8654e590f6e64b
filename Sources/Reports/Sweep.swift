import Checkpoints
public import Compute
import Glibc
public import Linearity

/// One corpus over a series of checkpoints: an analysis of each in a folder of its own, and a page that shows them
/// beside each other, over the steps of the training.
public struct Sweep: Sendable {
    /// The checkpoints in the order of the training, where their names tell it, else as they were given.
    public let checkpoints: [SweepCheckpoint]
    /// The folder that holds a folder for each checkpoint.
    public let path: String
    private let begins: Bool

    /// Names in the folder that are not those of checkpoints.
    private static let ownNames: Set<String> = ["sweep.html", "sweep.csv", "layers.csv"]

    /// - Parameters:
    ///   - models: Files, folders or names of the checkpoints.
    ///   - out: The folder for the results.
    ///   - replaces: Whether to measure again what is measured already.
    /// - Throws: `ResultFolderError` where a folder is taken by something else, or nothing can be written.
    public init(_ models: [String], out: String, replaces: Bool) throws(ResultFolderError) {
        path = try ResultFolder(out, replaces: true).path
        begins = replaces
        try Sweep.requireOwn(path, replaces)
        let names = DistinctNames.choose(models.map(SweepCheckpoint.names), taken: Sweep.ownNames)
        for name in names where name.hasSuffix(".unfinished") {
            throw ResultFolderError(
                description:
                    "\(name.quoted) is named as what is kept of an interrupted analysis; leave it out, or rename it")
        }
        let given = zip(models, names).map { model, name in
            SweepCheckpoint(model: model, name: name, training: TrainingProgress(path: model))
        }
        checkpoints = SweepAxis(given).order(given)
        for checkpoint in checkpoints where ResultFolder.exists(path) {
            // Also one that is interrupted, or holds other files.
            _ = try AnalysisFolder(folder(checkpoint), resumes: !begins, replaces: begins)
        }
    }

    /// Refuses a folder of something else, such as a model: it holds files that no sweep has.
    private static func requireOwn(_ path: String, _ replaces: Bool) throws(ResultFolderError) {
        guard !replaces, ResultFolder.exists(path) else { return }
        let foreign = try ResultFolder.fileNames(in: path).filter { name in
            !ownNames.contains(name) && !ownNames.contains { name.hasPrefix($0 + ".") }
        }
        guard let name = foreign.first else { return }
        throw ResultFolderError(
            description: "\(path.legible) holds other files (\(name.legible)); give another --out, or --force to use it"
        )
    }

    func folder(_ checkpoint: SweepCheckpoint) -> String { "\(path)/\(checkpoint.name)" }

    /// Holds the results that are there to be those of these settings, before anything is measured.
    ///
    /// - Throws: `ResultFolderError` that names a checkpoint whose results are others, and what differs.
    public func requireSame(
        _ settings: Analysis.Settings, _ device: Device, _ program: Computation.Program
    ) throws(ResultFolderError) {
        if begins || !ResultFolder.exists(path) { return }
        let common = AnalysisJob.commonSettings(settings, device, program)
        for checkpoint in checkpoints {
            let folder = try AnalysisFolder(folder(checkpoint), resumes: true, replaces: false)
            if folder.content == .finished { try folder.requireSame(common) }
        }
    }
}

// MARK: - Running

extension Sweep {
    /// What a sweep reports while it runs.
    public enum Event {
        /// A checkpoint is opened.
        case opening(Place)
        /// Its analysis can begin.
        case measuring(Place, warnings: [String])
        /// A layer is done.
        case progress(Place, Analysis.Progress, secondsLeft: Double)
        /// It is in its folder; `isNew` tells whether it was measured now.
        case finished(Place, Profile, isNew: Bool)
        case failed(Place, any Error)
    }

    /// Which of the checkpoints.
    public struct Place: Sendable {
        public let checkpoint: SweepCheckpoint
        /// From 1.
        public let number: Int
        public let count: Int
    }

    /// A checkpoint that could not be measured.
    public struct Failure {
        public let checkpoint: SweepCheckpoint
        public let error: any Error
    }

    /// Measures each checkpoint that is not measured yet; one that fails is passed over. The page and the tables are
    /// there, and up to date, after each.
    ///
    /// - Parameters:
    ///   - saveInterval: Seconds of work on the stream that an interruption may cost.
    ///   - job: Opens a checkpoint and its corpus.
    ///   - report: Told of every step.
    /// - Returns: The report, nil where no checkpoint could be measured, and the failures.
    /// - Throws: `ResultFolderError` where the page cannot be written.
    public func run(
        saveInterval: Double, job: (SweepCheckpoint) throws -> AnalysisJob, report: (Event) -> Void
    ) throws -> (report: SweepReport?, failures: [Failure]) {
        let isOurs = unsafe mkdir(path, 0o755) == 0
        guard isOurs || errno == EEXIST else {
            throw ResultFolderError(
                description: "the folder \(path) could not be made: \(unsafe String(cString: strerror(errno)))")
        }
        // Empty where nothing could be measured.
        defer { if isOurs { unsafe rmdir(path) } }
        var (failures, measured): ([Failure], [SweepReport.Measured]) = ([], [])
        var clock = SweepClock()
        var result: SweepReport?
        for (index, checkpoint) in checkpoints.enumerated() {
            let place = Place(checkpoint: checkpoint, number: index + 1, count: checkpoints.count)
            clock.laterCount = checkpoints[(index + 1)...].filter { !isFinished($0) }.count
            do {
                let profile = try measure(place, saveInterval, job, &clock, report)
                measured.append(SweepReport.Measured(checkpoint: checkpoint, profile: profile))
            } catch {
                failures.append(Failure(checkpoint: checkpoint, error: error))
                report(.failed(place, error))
            }
            guard !measured.isEmpty else { continue }
            let current = try SweepReport(measured, failures: failures.map { ($0.checkpoint, "\($0.error)") })
            try ResultFolder(path, replaces: true).write([
                ("sweep.html", current.page()), ("sweep.csv", current.csv()), ("layers.csv", current.comparison.csv()),
            ])
            result = current
        }
        return (result, failures)
    }

    private func isFinished(_ checkpoint: SweepCheckpoint) -> Bool {
        !begins && !UnfinishedAnalysis.exists(for: folder(checkpoint))
            && ResultFolder.exists("\(folder(checkpoint))/profile.json")
    }

    private func measure(
        _ place: Place, _ saveInterval: Double, _ job: (SweepCheckpoint) throws -> AnalysisJob,
        _ clock: inout SweepClock, _ report: (Event) -> Void
    ) throws -> Profile {
        let folder = try AnalysisFolder(folder(place.checkpoint), resumes: !begins, replaces: begins)
        report(.opening(place))
        let job = try job(place.checkpoint)
        let isNew = folder.content != .finished
        if isNew {
            clock.begin()
            defer { clock.end() }
            report(.measuring(place, warnings: job.warnings))
            _ = try job.run(
                into: folder, saveInterval: saveInterval,
                progress: { report(.progress(place, $0, secondsLeft: clock.secondsLeft(current: $0))) })
        } else {
            try folder.requireSame(job.resultSettings)
        }
        let profile = try Profile(reading: folder.path)
        report(.finished(place, profile, isNew: isNew))
        return profile
    }
}

/// One checkpoint of a sweep.
public struct SweepCheckpoint: Sendable, Hashable {
    /// The file, folder or name, as it was given.
    public let model: String
    /// Its own among the checkpoints, and that of its folder of results.
    public let name: String
    /// What the name tells of its training.
    public let training: TrainingProgress

    /// Names for the checkpoint that can be those of folders, the shortest first: the revision or the last component of
    /// its path, and that with more and more of what stands before it.
    static func names(_ model: String) -> [String] {
        let components = model.split(separator: "/").map(String.init).filter { $0 != "." && $0 != ".." }
        guard let last = components.last else { return ["checkpoint"] }
        let file = last.hasSuffix(".gguf") && last.count > 5 ? String(last.dropLast(5)) : last
        let revision = file.split(separator: "@").last.map(String.init) ?? file
        let longer = components.indices.dropLast().reversed().map { begin in
            (components[begin..<components.count - 1] + [file]).joined(separator: "-")
        }
        // A folder whose name begins with a dot would be hidden.
        return ([revision, file] + longer).map { $0.hasPrefix(".") ? "checkpoint\($0)" : $0 }
    }
}

/// How long a sweep has still to run.
private struct SweepClock {
    /// Checkpoints after the current one that are not measured yet.
    var laterCount = 0
    private var stopwatch = Stopwatch()
    private var measuredSeconds = 0.0
    private var measuredCount = 0

    mutating func begin() { _ = stopwatch.lap() }

    mutating func end() {
        measuredSeconds += stopwatch.lap()
        measuredCount += 1
    }

    /// Seconds until the last checkpoint is done, as far as those before and the layers so far tell.
    func secondsLeft(current: Analysis.Progress) -> Double {
        let each =
            measuredCount > 0
            ? measuredSeconds / Double(measuredCount) : current.seconds + current.secondsLeft
        return current.secondsLeft + each * Double(laterCount)
    }
}
