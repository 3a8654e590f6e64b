import ArgumentParser
import Checkpoints
import Compute
import Evaluation
import Linearity
import Pruning
import Reports
import Tokenizers
import Transformers

struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Choose the layers of a model that are missed least.",
        discussion: """
            Measures each layer, or each block of --block layers: how linear its step is, how much it adds, and what \
            happens to the predictions if it is removed, or replaced by a linear map of the stream. Writes plan.json, which \
            prune takes, and shows what is kept and what is cut.

            Scores and maps are of one part of the tokens, perplexity and KL divergence of the rest (--held-out-tokens).
            A good fit is no small damage: by default layers are chosen by the perplexity without them.

            --by  linearity           the linearity score with residual, of all tokens (the paper's)
                  linearity-heldout   the same on held-out tokens, without the first of each sequence
                  contribution        the smallest ‖B‖/‖X‖, B what the layer adds to the stream X
                  cosine, angular     the smallest turn of the stream
                  perplexity          the smallest perplexity when cut as --mode says
                  joint               the smallest sum of the ranks by perplexity and by linearity-heldout

            EXAMPLES
              straightedge plan model.gguf --drop 4 --text novel.txt
              straightedge plan ./Llama-3.2-1B --drop 4 --by linearity --greedy --text novel.txt
              straightedge plan model.gguf --drop 8 --block 4 --protect first:2,last:1 --tokens ids.jsonl --out plan.json
            """)

    @OptionGroup var model: ModelArgument
    @OptionGroup(title: "Tokens") var corpus: CorpusOptions

    @Option(help: ArgumentHelp("Layers to cut.", valueName: "n"))
    var drop: Int

    @Option(help: "What decides: \(Criterion.allCases.map(\.rawValue).joined(separator: ", ")).")
    var by = Criterion.perplexity

    @Option(help: "What will be done to cut layers: remove, replace, merge.")
    var mode = PruningMode.remove

    @Option(help: ArgumentHelp("Cut layers in blocks of this many neighbours.", valueName: "size"))
    var block = 1

    @Option(help: ArgumentHelp("Layers that stay, for instance first:2,last:1.", valueName: "ends"))
    var protect: ProtectedLayers?

    @Flag(help: "Measure all candidates anew after each choice, as the paper does.")
    var greedy = false

    @Flag(inversion: .prefixedNo, help: "Measure what each cut does to the predictions, where it does not decide.")
    var damage = true

    @OptionGroup(title: "Fitting") var calibration: CalibrationOptions
    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Option(help: ArgumentHelp("File for the plan.", valueName: "file"), completion: .file(extensions: ["json"]))
    var out = "plan.json"

    @Flag(help: "Replace a plan that exists.")
    var force = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        if drop < 1 { throw ValidationError("--drop must be at least 1.") }
        if block < 1 { throw ValidationError("--block must be at least 1.") }
        if calibration.addBias, mode != .merge { throw ValidationError("--add-bias is for --mode merge.") }
        if by.needsDamage, !damage {
            throw ValidationError("--by \(by.rawValue) needs the damage: leave out --no-damage.")
        }
    }

    func run() throws {
        try Failure.reporting {
            var stopwatch = Stopwatch()
            let device = try self.device.open()
            try corpus.requireFile()
            let model = try self.model.open()
            Interruption.explain("no plan was written; the same command begins anew")
            let file = try WholeFile(path: out, replaces: force)
            let progress = ProgressLine(isQuiet: quiet)
            progress.show("reading the text")
            let corpus = try self.corpus.load(for: model, besides: calibration.heldOutTokens)
            let tokens = try CalibrationCorpus(corpus.sequences, heldOutTokenCount: calibration.heldOutTokens)
            let fingerprint = model.checkpoint.fingerprint()
            progress.clear()
            PruningWarnings.all(model, corpus, tokens).forEach(Failure.warn)
            let loadSeconds = stopwatch.lap()
            let computeType = self.device.computeType(of: model, on: device)
            let planner = Planner(
                model: model, device: device, settings: settings, computeType: computeType,
                memoryByteCount: self.device.memory?.value)
            let plan = try planner.run(tokens) { progress.show(describe($0, $1, $2, stopwatch)) }
            progress.clear()
            let report = PlanReport(
                model: Profile.Model(model, fingerprint: fingerprint), corpus: Profile.Corpus(corpus), plan: plan,
                fitTokenCount: tokens.fit.ids.count, heldOutTokenCount: tokens.heldOut.ids.count,
                run: Computation(
                    on: device, computeType: computeType, totalSeconds: stopwatch.elapsed, loadSeconds: loadSeconds,
                    program: BuildInformation.program))
            try file.write(Array(report.json().serialized(indented: true).utf8))
            try file.finish()
            if !quiet { print("\(report.table())\n\n\(report.summary())\nPlan: \(out)") }
        }
    }

    private var settings: Planner.Settings {
        var settings = Planner.Settings()
        settings.criterion = by
        settings.mode = mode
        settings.dropCount = drop
        settings.blockSize = block
        settings.protectedFirstCount = protect?.first ?? 0
        settings.protectedLastCount = protect?.last ?? 0
        settings.isGreedy = greedy
        settings.measuresDamage = damage
        settings.fit = calibration.settings
        return settings
    }

    private func describe(_ round: Int, _ roundCount: Int, _ share: Double, _ stopwatch: Stopwatch) -> String {
        let done = (Double(round) + share) / Double(roundCount)
        let left = done > 0 ? stopwatch.elapsed * (1 - done) / done : 0
        let name = roundCount == 1 ? "measuring" : "choice \(round + 1) of \(roundCount)"
        return "\(name): \(Text.fixed(100 * share, 0)) %, \(Text.duration(left)) left"
    }
}
