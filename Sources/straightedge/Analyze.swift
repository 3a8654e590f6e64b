import ArgumentParser
import Checkpoints
import Compute
import Glibc
import Linearity
import Reports
import Tokenizers
import Transformers

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how linear each layer of a model is on a text.",
        discussion: """
            Writes profile.json, layers.csv and a page, report.html, and shows a table: for each layer the linearity score with and without \
            the residual stream, on the tokens of the fit and held out, over all tokens and without the first of each \
            sequence.

            EXAMPLES
              straightedge analyze SmolLM2-135M-Instruct.Q4_1.gguf --text enwiki.txt
              straightedge analyze ./Llama-3.2-1B --text enwiki.txt --sequences 64 --out llama-profile
              straightedge analyze HuggingFaceTB/SmolLM2-135M@main --text enwiki.txt
              straightedge analyze model.gguf --text enwiki.txt --chunk-characters 512 --sequences 128 --seed 0
              straightedge analyze model.gguf --tokens ids.jsonl --layers 0:12 --memory 2G
              straightedge analyze ./Llama-3.2-1B --text enwiki.txt --out llama-profile --resume
              straightedge analyze model.gguf --text enwiki.txt --site layer,attention,mlp --tokens-out errors.npy
            """)

    @OptionGroup var model: ModelArgument
    @OptionGroup(title: "Tokens") var corpus: CorpusOptions
    @OptionGroup(title: "Measuring") var measuring: MeasuringOptions

    @Option(
        help: ArgumentHelp(
            """
            Write every token's errors, (tokens, layers) float32: an .npy with those of the fit over all tokens, or a \
            .safetensors with those of every view, in-sample and held-out.
            """, valueName: "file"), completion: .file(extensions: ["npy", "safetensors"]))
    var tokensOut: String?

    @Option(
        help: ArgumentHelp("Write each figure of the page as an .svg to this folder too.", valueName: "folder"),
        completion: .directory)
    var figures: String?

    @OptionGroup(title: "Computing") var device: DeviceOptions

    @Option(
        help: ArgumentHelp("Folder for the results (default: straightedge-NAME-DATE).", valueName: "folder"),
        completion: .directory)
    var out: String?

    @Flag(help: "Replace results in a folder that exists.")
    var force = false

    @Flag(
        help: """
            Go on with an analysis that was interrupted, or begin one: finished layers are kept beside the folder of \
            the results until all are done.
            """)
    var resume = false

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        if tokensOut != nil, !measuring.tokenErrors {
            throw ValidationError("--tokens-out needs the token errors: leave out --no-token-errors.")
        }
        if tokensOut?.hasSuffix(".npy") == true, !measuring.site.sites.contains(.layer) {
            throw ValidationError("An .npy holds the errors of --site layer; give a .safetensors for other sites.")
        }
        if resume, force { throw ValidationError("Give either --resume or --force.") }
        if resume, out == nil { throw ValidationError("--resume needs --out: the folder of the interrupted analysis.") }
    }

    func run() throws {
        try Failure.reporting {
            let device = try self.device.open()
            let model = try self.model.open()
            let folder = try AnalysisFolder(out ?? defaultFolder(model), resumes: resume, replaces: force)
            let replaces = force || folder.content != .nothing
            let figureFolder = try figures.map { try ResultFolder($0, replaces: replaces) }
            let tokenErrorFile = try tokensOut.map { try TokenErrorFile($0, replaces: replaces) }

            let progress = ProgressLine(isQuiet: quiet)
            progress.show("reading the text")
            let settings = measuring.settings(computing: self.device, model, device)
            let job = try AnalysisJob(
                model: model, device: device, settings: settings, program: BuildInformation.program,
                corpus: corpus.load)
            progress.clear()
            if folder.content == .finished {
                try folder.requireSame(job.resultSettings)
                if !quiet { print("\(folder.path) is finished: there is nothing to go on with.") }
                return
            }
            job.warnings.forEach(Failure.warn)
            Interruption.explain(
                "what is finished is kept in \(UnfinishedAnalysis.path(for: folder.path)); the same command with "
                    + "--out \(folder.path) --resume goes on")
            let profile = try keeping(folder) {
                progress.show("layer 0 …")
                defer { progress.clear() }
                return try job.run(into: folder, saveInterval: measuring.saveInterval) { profile, ids in
                    try tokenErrorFile?.write(
                        profile.result, lengths: job.corpus.sequences.map(\.count), ids: ids)
                    try figureFolder?.write(profile.figureFiles())
                } progress: {
                    progress.show($0.description)
                }
            }
            if !quiet { show(profile, folder) }
        }
    }

    /// Runs `work`; where it fails, says how to go on.
    private func keeping<Result>(_ folder: AnalysisFolder, _ work: () throws -> Result) throws -> Result {
        do {
            return try work()
        } catch {
            if folder.keptLayerCount > 0 {
                Failure.warn(
                    "the \(folder.keptLayerCount) layers that are finished are kept in "
                        + "\(UnfinishedAnalysis.path(for: folder.path)); the same command with --resume goes on")
            }
            throw error
        }
    }

    private func show(_ profile: Profile, _ folder: AnalysisFolder) {
        print(profile.table())
        print("")
        print(profile.summary())
        print("")
        let seconds = profile.result.seconds
        print(
            "\(Text.count(profile.corpus.tokenCount)) tokens in \(profile.corpus.sequenceCount) sequences, "
                + "\(Text.duration(profile.run.totalSeconds)): load \(Text.duration(profile.run.loadSeconds)), forward "
                + "\(Text.duration(seconds.forward)) (\(Text.fixed(profile.tokensPerSecond, 0)) tokens/s), moments "
                + "\(Text.duration(seconds.moments)), solve \(Text.duration(seconds.solve)), token errors "
                + "\(Text.duration(seconds.tokenErrors)); peak memory "
                + "\(Text.bytes(profile.run.peakResidentByteCount)).")
        print("Results: profile.json, layers.csv and report.html in \(folder.path)")
    }

    private func defaultFolder(_ model: DecoderModel) -> String {
        var now = time(nil)
        var parts = unsafe tm()
        unsafe localtime_r(&now, &parts)
        let date = unsafe [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday]
        let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
        let digits = (date + clock).map { $0 < 10 ? "0\($0)" : "\($0)" }
        return "straightedge-\(model.checkpoint.name)-\(digits[0...2].joined())-\(digits[3...5].joined())"
    }
}
