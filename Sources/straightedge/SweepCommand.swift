import ArgumentParser
import Linearity
import Reports
import Transformers

struct SweepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Measure how linear the layers are at each checkpoint of a training run.",
        discussion: """
            Runs the analysis of one corpus over a series of checkpoints, and shows the mean linearity over the steps of \
            the training (the paper's figure 2). The folder of --out gets a folder of results for each checkpoint, as \
            analyze writes it, and sweep.html, sweep.csv and layers.csv, which are up to date after each.

            Steps are read from names such as step1000, checkpoint-1000, global_step1000, iter_0001000, 1000, step-50K-105b \
            and stage1-step1000-tokens4B. The same command goes on after an interruption; what is finished is not \
            measured again. A checkpoint that fails is passed over, and told of at the end.

            EXAMPLES
              straightedge sweep checkpoints/step* --text enwiki.txt --out sweep
              straightedge sweep checkpoints/* --tokens ids.jsonl --no-token-errors --out sweep
              straightedge sweep base.gguf finetuned.gguf --text enwiki.txt --folds 10 --out tuning
            """)

    @Argument(help: ModelArgument.help, completion: .file())
    var models: [String]

    @OptionGroup(title: "Tokens") var corpus: CorpusOptions
    @OptionGroup(title: "Measuring") var measuring: MeasuringOptions
    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Option(help: ArgumentHelp("Folder for the results.", valueName: "folder"), completion: .directory)
    var out: String

    @Flag(help: "Measure again what is measured already.")
    var force = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        if !measuring.site.sites.contains(.layer) {
            throw ValidationError("A sweep shows whole layers: --site needs layer.")
        }
    }

    func run() throws {
        try Failure.reporting {
            let device = try self.device.open()
            let program = BuildInformation.program
            try corpus.requireFile()
            let sweep = try Sweep(models, out: out, replaces: force)
            try sweep.requireSame(measuring.settings(memory: self.device.memory), device, program)
            Interruption.explain(
                "what is finished is kept in \(sweep.path); the same command"
                    + (force ? " without --force" : "") + " goes on")
            let progress = ProgressLine(isQuiet: quiet)
            let (report, failures) = try sweep.run(saveInterval: measuring.saveInterval) { checkpoint in
                let model = try ModelArgument.open(checkpoint.model)
                return try AnalysisJob(
                    model: model, device: device, settings: measuring.settings(computing: self.device, model, device),
                    program: program, corpus: corpus.load)
            } report: {
                show($0, progress)
            }
            if let report, !quiet {
                print("\n\(report.table())\n\nResults: sweep.html, sweep.csv, layers.csv in \(sweep.path)")
            }
            try end(failures, of: models.count)
        }
    }

    private func show(_ event: Sweep.Event, _ progress: ProgressLine) {
        switch event {
        case .opening(let place): progress.show("\(describe(place)): reading")
        case .measuring(let place, let warnings):
            progress.clear()
            for warning in warnings { Failure.warn("\(place.checkpoint.name): \(warning)") }
            progress.show("\(describe(place)): layer 0 …")
        case .progress(let place, let layers, let seconds):
            progress.show("\(describe(place)): \(layers.description), \(Text.duration(seconds)) for all")
        case .finished(let place, let profile, let isNew):
            progress.clear()
            let seconds = isNew ? Text.duration(profile.run.totalSeconds) : "measured before"
            if !quiet { print("\(describe(place)): \(SweepReport.line(profile)) (\(seconds))") }
        case .failed(let place, let error):
            progress.clear()
            Failure.warn("\(describe(place)): \(error)")
        }
    }

    private func describe(_ place: Sweep.Place) -> String {
        "checkpoint \(place.number) of \(place.count), \(place.checkpoint.name)"
    }

    /// Tells of the checkpoints that failed.
    private func end(_ failures: [Sweep.Failure], of count: Int) throws {
        if failures.isEmpty { return }
        for failure in failures { Failure.report("\(failure.checkpoint.name): \(failure.error)") }
        Failure.report("\(failures.count) of \(count) checkpoints could not be measured")
        throw failures.allSatisfy { Failure.isRefusal($0.error) } ? Failure.refused : Failure.failed
    }
}
