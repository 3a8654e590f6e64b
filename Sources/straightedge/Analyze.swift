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

    @Option(
        help: ArgumentHelp(
            "First tokens of each sequence that the second view leaves out; 0 for one view only.", valueName: "k"))
    var skipTokens = 1

    @Option(help: ArgumentHelp("Folds of the held-out scores; 1 for none.", valueName: "k"))
    var folds = 5

    @Option(help: ArgumentHelp("Layers to measure, half-open: 0:12 is the first twelve.", valueName: "range"))
    var layers: LayerRange?

    @Option(
        help: ArgumentHelp(
            "Steps of each layer to measure, comma-separated: layer, attention, mlp.", valueName: "sites"))
    var site = StepSites(sites: [.layer])

    @Flag(inversion: .prefixedNo, help: "Measure the error of every token.")
    var tokenErrors = true

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

    @Option(
        help: ArgumentHelp(
            "Seconds of work on the stream that an interruption may cost; 0 keeps it after every layer.",
            valueName: "seconds"))
    var saveInterval = 60.0

    @Flag(help: "No progress, no table: only warnings and errors.")
    var quiet = false

    func validate() throws {
        if skipTokens < 0 { throw ValidationError("--skip-tokens must not be negative.") }
        if tokensOut != nil, !tokenErrors {
            throw ValidationError("--tokens-out needs the token errors: leave out --no-token-errors.")
        }
        if tokensOut?.hasSuffix(".npy") == true, !site.sites.contains(.layer) {
            throw ValidationError("An .npy holds the errors of --site layer; give a .safetensors for other sites.")
        }
        if resume, force { throw ValidationError("Give either --resume or --force.") }
        if resume, out == nil { throw ValidationError("--resume needs --out: the folder of the interrupted analysis.") }
        if !(saveInterval >= 0) { throw ValidationError("--save-interval must not be negative.") }
        if folds < 1 { throw ValidationError("--folds must be at least 1.") }
    }

    func run() throws {
        try Failure.reporting {
            let device = try self.device.open()
            let model = try self.model.open()
            let computeType = self.device.computeType(of: model, on: device)
            let out = self.out ?? defaultFolder(model)
            let isResumed = resume && UnfinishedAnalysis.exists(for: out)
            if UnfinishedAnalysis.exists(for: out), !resume, !force {
                throw ResultFolderError(
                    description:
                        "\(UnfinishedAnalysis.path(for: out)) holds an analysis that was interrupted: go on with "
                        + "--resume, or begin anew with --force")
            }
            let isFinished = resume && !isResumed && ResultFolder.exists("\(out)/profile.json")
            let replaces = force || isResumed || isFinished
            let folder = try ResultFolder(out, replaces: replaces)
            let figureFolder = try figures.map { try ResultFolder($0, replaces: replaces) }
            let tokenErrorFile = try tokensOut.map { try TokenErrorFile($0, replaces: replaces) }

            var stopwatch = Stopwatch()
            let progress = ProgressLine(isQuiet: quiet)
            progress.show("reading the text")
            let corpus = try self.corpus.load(for: model)
            let fingerprint = model.checkpoint.fingerprint()
            let loadSeconds = stopwatch.lap()
            progress.clear()
            let settings = resultSettings(device, computeType, fingerprint, corpus)
            if isFinished {
                try requireSame(settings, out)
                if !quiet { print("\(out) is finished: there is nothing to go on with.") }
                return
            }
            warnOfFewTokens(corpus, width: model.plan.width)
            let unfinished = try UnfinishedAnalysis(
                results: out, settings: settings, tokenCount: corpus.tokenCount, interval: saveInterval,
                replaces: !resume)
            Interruption.explain(
                "what is finished is kept in \(unfinished.path); the same command with --out \(out) --resume goes on")

            let ids = corpus.sequences.flatMap { $0 }
            let layout = SequenceLayout(lengths: corpus.sequences.map(\.count))
            let result = try keeping(unfinished) {
                progress.show("layer 0 …")
                defer { progress.clear() }
                return try Analysis(model: model, device: device, settings: analysisSettings(computeType))
                    .run(tokens: ids, layout: layout, store: unfinished) { progress.show(Analyze.describe($0)) }
            }
            let run = Profile.Run(
                device: device.name, computeType: computeType.rawValue, laneCount: device.laneCount,
                library: device.libraryDescription, totalSeconds: loadSeconds + stopwatch.lap(),
                loadSeconds: loadSeconds, peakResidentByteCount: HostResources.peakResidentByteCount(),
                version: Version.current, gitRevision: BuildInformation.gitRevision,
                resumptionCount: unfinished.resumptionCount, settings: settings)
            let profile = Profile(
                model: describe(model, fingerprint), corpus: describe(corpus), run: run, result: result,
                texts: tokenErrors ? texts(of: ids, layout, model) : nil)
            try keeping(unfinished) {
                try tokenErrorFile?.write(result, lengths: layout.lengths, ids: ids)
                try folder.write([
                    ("profile.json", profile.json().serialized(indented: true)), ("layers.csv", profile.csv()),
                    ("report.html", profile.page()),
                ])
                try figureFolder?.write(profile.figureFiles())
            }
            unfinished.remove()
            if !quiet { show(profile, folder) }
        }
    }

    private func analysisSettings(_ computeType: ComputeType) -> Analysis.Settings {
        var settings = Analysis.Settings()
        settings.foldCount = folds
        settings.skippedTokenCount = skipTokens
        settings.layers = layers?.range
        settings.sites = site.sites
        settings.measuresTokenErrors = tokenErrors
        settings.computeType = computeType
        settings.memoryByteCount = device.memory?.value
        return settings
    }

    /// Everything that decides the results, by name.
    private func resultSettings(
        _ device: Device, _ computeType: ComputeType, _ fingerprint: String, _ corpus: Corpus
    ) -> JSONObject {
        [
            "model": .string(fingerprint), "tokens": .string(corpus.fingerprint), "folds": .integer(folds),
            "skip_tokens": .integer(skipTokens),
            "layers": layers.map { .string("\($0.range.lowerBound):\($0.range.upperBound)") } ?? .null,
            "site": .string(site.defaultValueDescription), "token_errors": .bool(tokenErrors),
            "device": .string(device.name), "compute_type": .string(computeType.rawValue),
            "lanes": .integer(device.laneCount), "library": .string(device.libraryDescription),
            "version": .string(Version.current), "revision": BuildInformation.gitRevision.map(JSON.string) ?? .null,
        ]
    }

    /// Runs `work`; where it fails, says how to go on, or leaves nothing behind where nothing is finished.
    private func keeping<Result>(_ unfinished: UnfinishedAnalysis, _ work: () throws -> Result) throws -> Result {
        do {
            return try work()
        } catch {
            if unfinished.keptLayerCount == 0 {
                unfinished.remove()
            } else {
                Failure.warn(
                    "the \(unfinished.keptLayerCount) layers that are finished are kept in \(unfinished.path); the same "
                        + "command with --resume goes on")
            }
            throw error
        }
    }

    private func requireSame(_ settings: JSONObject, _ out: String) throws {
        let file = try MappedFile("\(out)/profile.json")
        let json = try unsafe JSON.parse(file.bytes, source: "\(out)/profile.json")
        guard json["run"]?["settings"]?.object == settings else {
            throw ResultFolderError(
                description: "\(out) holds the results of another analysis; give another --out, or --force without "
                    + "--resume to replace them")
        }
    }

    private func show(_ profile: Profile, _ folder: ResultFolder) {
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

    private static func describe(_ progress: Analysis.Progress) -> String {
        // Layers that were measured before are only computed again, or not at all.
        let done = max(1, Double(progress.completedLayerCount - progress.resumedLayerCount))
        let rate = Double(progress.tokenCount) * done / Double(progress.layerCount) / max(progress.seconds, 1e-9)
        let left = progress.seconds / done * Double(progress.layerCount - progress.completedLayerCount)
        return "layer \(progress.completedLayerCount) of \(progress.layerCount), "
            + "\(Text.count(Int(rate))) tokens/s, \(Text.duration(left)) left"
    }

    private func warnOfFewTokens(_ corpus: Corpus, width: Int) {
        let count = corpus.tokenCount
        if count > width, count <= 5 * width {
            Failure.warn(
                "\(count) tokens for a stream of width \(width): the scores of the fit are flattered (see chance_floor), "
                    + "and held-out ones uncertain; \(10 * width) tokens are better")
        }
        if corpus.lostByteCount > 0 {
            Failure.warn(
                "\(corpus.lostByteCount) bytes of the text have no token in this model's vocabulary and are left out")
        }
        if let asked = corpus.askedTokenCount, count < asked {
            Failure.warn("the text has only \(count) tokens, \(asked) were asked for; all of them are used")
        }
    }

    /// The texts of the tokens, where the model's tokenizer can be read.
    private func texts(of ids: [Int32], _ layout: SequenceLayout, _ model: DecoderModel) -> TokenTexts {
        let tokenizer = try? Tokenizer(model.checkpoint)
        return TokenTexts(layout: layout, ids: ids) { try? tokenizer?.decode($0) }
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

    private func describe(_ model: DecoderModel, _ fingerprint: String) -> Profile.Model {
        Profile.Model(
            name: model.checkpoint.givenName, path: model.checkpoint.path,
            repository: model.checkpoint.snapshot?.repository, revision: model.checkpoint.snapshot?.commit,
            family: model.plan.family, layerCount: model.plan.layerCount,
            width: model.plan.width, parameterCount: model.parameterCount, fingerprint: fingerprint)
    }

    private func describe(_ corpus: Corpus) -> Profile.Corpus {
        Profile.Corpus(
            source: corpus.source, protocolDescription: corpus.protocolDescription,
            sequenceCount: corpus.sequences.count, tokenCount: corpus.tokenCount,
            askedTokenCount: corpus.askedTokenCount, fingerprint: corpus.fingerprint, seed: corpus.seed,
            hasBeginningOfSequence: corpus.hasBeginningOfSequence)
    }
}
