public import Checkpoints
public import Compute
public import Linearity
public import Tokenizers
public import Transformers

/// One analysis from a model and a corpus to a folder of results: what `analyze` does once, and `sweep` for every
/// checkpoint.
public struct AnalysisJob {
    public let model: DecoderModel
    public let device: Device
    public let settings: Analysis.Settings
    public let corpus: Corpus
    public let program: Computation.Program
    private let modelFingerprint: String
    /// What tells the texts of tokens; nil where they are not wanted.
    private let tokenizer: Result<Tokenizer, TokenizerError>?
    private let loadSeconds: Double

    /// Reads the corpus and every byte of the model, for its fingerprint.
    ///
    /// - Throws: What `corpus` throws.
    public init(
        model: DecoderModel, device: Device, settings: Analysis.Settings, program: Computation.Program,
        corpus: (DecoderModel) throws -> Corpus
    ) throws {
        var stopwatch = Stopwatch()
        self.corpus = try corpus(model)
        modelFingerprint = model.checkpoint.fingerprint()
        tokenizer =
            settings.measuresTokenErrors
            ? Result { () throws(TokenizerError) in try Tokenizer(model.checkpoint) } : nil
        loadSeconds = stopwatch.lap()
        self.model = model
        self.device = device
        self.settings = settings
        self.program = program
    }

    /// Measures, and writes the results to the folder; what is finished on the way is kept beside it until then.
    ///
    /// - Parameters:
    ///   - saveInterval: Seconds of work on the stream that an interruption may cost.
    ///   - alongside: Writes what belongs to the results but is not in the folder, just before they are.
    ///   - progress: Called after each layer.
    /// - Throws: `LinearityError`, `ResultFolderError`, and what `alongside` throws. What is finished stays, and the next
    ///   run that resumes goes on with it.
    public func run(
        into folder: AnalysisFolder, saveInterval: Double, alongside: (Profile, [Int32]) throws -> Void = { _, _ in },
        progress: (Analysis.Progress) -> Void = { _ in }
    ) throws -> Profile {
        var stopwatch = Stopwatch()
        let unfinished = try UnfinishedAnalysis(
            results: folder.path, settings: resultSettings, tokenCount: corpus.tokenCount, interval: saveInterval,
            replaces: !folder.resumes)
        do {
            let ids = corpus.sequences.flatMap { $0 }
            let layout = SequenceLayout(lengths: corpus.sequences.map(\.count))
            let result = try Analysis(model: model, device: device, settings: settings)
                .run(tokens: ids, layout: layout, store: unfinished, progress: progress)
            let profile = Profile(
                model: Profile.Model(model, fingerprint: modelFingerprint), corpus: Profile.Corpus(corpus),
                run: Computation(
                    on: device, computeType: settings.computeType, totalSeconds: loadSeconds + stopwatch.lap(),
                    loadSeconds: loadSeconds, program: program),
                resumptionCount: unfinished.resumptionCount, settings: resultSettings, result: result,
                texts: settings.measuresTokenErrors ? texts(of: ids, layout) : nil)
            try alongside(profile, ids)
            try folder.write(profile)
            unfinished.remove()
            return profile
        } catch {
            if unfinished.keptLayerCount == 0 { unfinished.remove() }
            throw error
        }
    }

    /// The texts of the tokens, none where the model's tokenizer cannot be read: `warnings` says why.
    private func texts(of ids: [Int32], _ layout: SequenceLayout) -> TokenTexts {
        guard case .success(let tokenizer) = tokenizer else { return TokenTexts(layout: layout, ids: ids) { _ in nil } }
        // Ids beyond the vocabulary, which a model may have, stand for no text.
        return TokenTexts(layout: layout, ids: ids) { try? tokenizer.decode($0) }
    }

    /// Why tokens are shown without their texts; nil where they are not.
    private var reasonAgainstTexts: String? {
        guard case .failure(let error) = tokenizer else { return nil }
        if case .noTokenizer(let path) = error { return "\(path) has no tokenizer" }
        return error.description
    }
}

// MARK: What decides the results

extension AnalysisJob {
    /// Everything that decides the results, by name.
    public var resultSettings: JSONObject {
        var all: JSONObject = ["model": .string(modelFingerprint), "tokens": .string(corpus.fingerprint)]
        for (name, value) in AnalysisJob.commonSettings(settings, device, program).members { all[name] = value }
        all["compute_type"] = .string(settings.computeType.rawValue)
        return all
    }

    /// What decides the results whatever the model and its tokens are; the compute type may follow the model.
    static func commonSettings(_ settings: Analysis.Settings, _ device: Device, _ program: Computation.Program)
        -> JSONObject
    {
        [
            "folds": .integer(settings.foldCount), "skip_tokens": .integer(settings.skippedTokenCount),
            "layers": settings.layers.map { .string("\($0.lowerBound):\($0.upperBound)") } ?? .null,
            "site": .string(settings.sites.map(\.rawValue).joined(separator: ",")),
            "token_errors": .bool(settings.measuresTokenErrors), "device": .string(device.name),
            "lanes": .integer(device.laneCount), "library": .string(device.libraryDescription),
            "version": .string(program.version), "revision": program.gitRevision.map(JSON.string) ?? .null,
        ]
    }

    /// What makes the scores less certain than they look, in words.
    public var warnings: [String] {
        let (count, width) = (corpus.tokenCount, model.plan.width)
        var warnings: [String] = []
        if count > width, count <= 5 * width {
            warnings.append(
                "\(count) tokens for a stream of width \(width): the scores of the fit are flattered (see chance_floor), "
                    + "and held-out ones uncertain; \(10 * width) tokens are better")
        }
        if corpus.lostByteCount > 0 {
            warnings.append(
                "\(corpus.lostByteCount) bytes of the text have no token in this model's vocabulary and are left out")
        }
        if let asked = corpus.askedTokenCount, count < asked {
            warnings.append("the text has only \(count) tokens, \(asked) were asked for; all of them are used")
        }
        if let reasonAgainstTexts {
            warnings.append("the tokens of largest error are shown without their texts: \(reasonAgainstTexts)")
        }
        return warnings
    }
}

// MARK: What the profile says of it

extension Profile.Model {
    public init(_ model: DecoderModel, fingerprint: String) {
        self.init(
            name: model.checkpoint.givenName, path: model.checkpoint.path,
            repository: model.checkpoint.snapshot?.repository, revision: model.checkpoint.snapshot?.commit,
            family: model.plan.family, layerCount: model.plan.layerCount,
            width: model.plan.width, parameterCount: model.parameterCount, fingerprint: fingerprint)
    }
}

extension Profile.Corpus {
    public init(_ corpus: Corpus) {
        self.init(
            source: corpus.source, protocolDescription: corpus.protocolDescription,
            sequenceCount: corpus.sequences.count, tokenCount: corpus.tokenCount,
            askedTokenCount: corpus.askedTokenCount, fingerprint: corpus.fingerprint, seed: corpus.seed,
            hasBeginningOfSequence: corpus.hasBeginningOfSequence)
    }
}
