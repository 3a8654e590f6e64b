import ArgumentParser
import Checkpoints
import Compute
import Linearity
import Pruning
import Reports
import Tensors
import Tokenizers
import Transformers

struct Prune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cut layers out of a model, and write what is left.",
        discussion: """
            remove leaves layers out. replace puts a linear map y = x·A + b of the stream in the place of each run of them. \
            merge leaves them out, and changes the last projection before them so that it makes up for them: an ordinary, \
            shorter model of the same class. The text or the ids are the calibration set: maps are fitted on most of it, \
            and the models are judged on the rest (--held-out-tokens).

            A Hugging Face folder gives such a folder, a GGUF file a GGUF file (remove, merge), or a folder with --format \
            huggingface. Folders with linear maps bring a file of Python for trust_remote_code. What was written is opened \
            again and measured: the figures are those of the file. Beside it lie manifest.json and report.html.

            EXAMPLES
              straightedge prune model.gguf --plan plan.json --mode merge --text novel.txt --out shorter
              straightedge prune ./Llama-3.2-1B --layers 8:12,14 --mode remove --text novel.txt --out shorter
              straightedge prune ./Llama-3.2-1B --layers 10 --mode replace --fit ridge --text novel.txt --out linear
              straightedge prune model.gguf --plan plan.json --mode remove --max-perplexity-increase 5% \\
                --tokens ids.jsonl --out shorter
            """)

    @OptionGroup var model: ModelArgument
    @OptionGroup(title: "Tokens") var corpus: CorpusOptions

    @Option(
        help: ArgumentHelp("The layers that a plan chose.", valueName: "plan.json"),
        completion: .file(extensions: ["json"]))
    var plan: String?

    @Option(
        help: ArgumentHelp("Layers to cut: 8:12,20 is layers 8, 9, 10, 11 and 20.", valueName: "ranges"),
        transform: { try LayerSelection($0) })
    var layers: LayerSelection?

    @Option(help: "What to do with them: remove, replace, merge.")
    var mode: PruningMode

    @Option(help: ArgumentHelp("With replace, what maps stand for: layer, attention, mlp.", valueName: "site"))
    var site = StepSites(sites: [.layer])

    @OptionGroup(title: "Fitting") var calibration: CalibrationOptions

    @Flag(
        help: """
            Fit all maps on the streams of the whole model, not one after another on that of the model as it is cut.
            """)
    var fitOnOriginal = false

    @OptionGroup(title: "Limits") var limits: LimitOptions
    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Option(help: ArgumentHelp("Folder for the model.", valueName: "folder"), completion: .directory)
    var out: String?

    @Option(help: "What to write: huggingface or gguf (default: what the model is).")
    var format: PruningJob.Format?

    @Option(
        help: ArgumentHelp(
            "Element type of merged projections in GGUF (F16, BF16, Q8_0, F32), or of all weights of a GGUF file that "
                + "becomes a folder (F16, BF16, F32).", valueName: "type"))
    var type: String?

    @Flag(inversion: .prefixedNo, help: "Measure the perplexity by number of layers cut, in all modes, for the report.")
    var curve = true

    @Flag(help: "Fit, measure and show, and write nothing.")
    var dryRun = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        if (plan == nil) == (layers == nil) {
            throw ValidationError("Say what to cut: either --plan plan.json or --layers RANGES.")
        }
        if (out == nil) != dryRun {
            throw ValidationError(
                dryRun ? "--dry-run writes nothing: leave out --out." : "Give a folder: --out FOLDER.")
        }
        if site.sites.count != 1 { throw ValidationError("Give one --site: layer, attention or mlp.") }
        if site.sites != [.layer], mode != .replace { throw ValidationError("--site is for --mode replace.") }
        if type != nil, elementType == nil { throw ValidationError("--type is one of F16, BF16, F32, Q8_0.") }
        if mode != .merge, calibration.addBias, !curve { throw ValidationError("--add-bias is for --mode merge.") }
        if !fitsAnything, fitOnOriginal || calibration.maps.areGiven {
            throw ValidationError(
                "--mode remove --no-curve fits nothing: leave out --fit, --folds, --skip-tokens and --fit-on-original.")
        }
    }

    /// Whether maps are made, be it for the curve alone.
    private var fitsAnything: Bool { mode != .remove || curve }

    private var elementType: ElementType? {
        type.flatMap { ElementType(rawValue: $0.uppercased()) }.flatMap {
            [.float16, .bfloat16, .float32, .q8_0].contains($0) ? $0 : nil
        }
    }

    func run() throws { try Failure.reporting { try prune() } }

    private func prune() throws {
        var stopwatch = Stopwatch()
        let device = try self.device.open()
        try corpus.requireFile()
        let model = try self.model.open()
        Interruption.explain("no model was written, and the source is as it was")
        let progress = ProgressLine(isQuiet: quiet)
        progress.show("reading the model and the text")
        let fingerprint = model.checkpoint.fingerprint()
        let selection = try LayersToCut(plan: plan, layers: layers, model, fingerprint)
        let pruner = pruner(model, device)
        try pruner.check(selection.cut)
        let format = format ?? PrunedModelFolder.format(of: model)
        let folder = try out.map { path in
            try PrunedModelFolder(path, model, format: format, type: elementType, pruner: pruner, cut: selection.cut)
        }
        if dryRun {
            try PrunedModelFolder.check(
                model, format: format, type: elementType, pruner: pruner, cut: selection.cut,
                beside: Temporary.path("model"))
        }
        let corpus = try self.corpus.load(for: model, besides: calibration.heldOutTokens)
        let tokens = try CalibrationCorpus(corpus.sequences, heldOutTokenCount: calibration.heldOutTokens)
        let loadSeconds = stopwatch.lap()
        progress.clear()
        PruningWarnings.all(model, corpus, tokens, fits: fitsAnything).forEach(Failure.warn)

        let job = PruningJob(model: model, device: device, pruner: pruner, corpus: tokens)
        let outcome = try job.run(
            selection.cut, curve: curve ? selection.steps : [],
            progress: { stage, share in
                progress.show(stage + (share.map { ": \(Text.fixed(100 * $0, 0)) %" } ?? " …"))
            }, write: folder.map { folder in { try folder.write($0) } })
        progress.clear()
        let run = Computation(
            on: device, computeType: pruner.computeType, totalSeconds: stopwatch.elapsed, loadSeconds: loadSeconds,
            program: BuildInformation.program)
        let report = PruningReport(
            model: Profile.Model(model, fingerprint: fingerprint), corpus: Profile.Corpus(corpus), mode: mode,
            fit: pruner.fit, site: pruner.site, format: format, plan: selection.plan, candidates: selection.candidates,
            outcome: outcome, fitTokenCount: tokens.fit.ids.count,
            heldOutTokenCount: tokens.heldOut.ids.count, limits: limits.limits, run: run)
        if !quiet { print(report.summary()) }
        try finish(report, folder)
    }

    private func pruner(_ model: DecoderModel, _ device: Device) -> Pruner {
        var settings = calibration.settings
        settings.usesOriginalStreams = fitOnOriginal
        return Pruner(
            model: model, device: device, mode: mode, fit: settings,
            site: Site(rawValue: site.sites[0].rawValue) ?? .layer,
            computeType: self.device.computeType(of: model, on: device), memoryByteCount: self.device.memory?.value)
    }

    /// Puts the model in its place, unless it is beyond the limits.
    private func finish(_ report: PruningReport, _ folder: PrunedModelFolder?) throws {
        let violations = report.violations
        violations.forEach { Failure.report("beyond the limits: \($0)") }
        if violations.isEmpty || limits.keepAnyway {
            try folder?.finish(report)
            if let folder, !quiet { print("Model: \(folder.path), with manifest.json and report.html") }
        } else if folder != nil {
            Failure.report("no model was kept; cut fewer layers, or give --keep-anyway")
        }
        if !violations.isEmpty { throw Failure.refused }
    }
}
