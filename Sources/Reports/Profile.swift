public import Checkpoints
public import Linearity

/// A measured profile with everything needed to trust and repeat it: what `analyze` writes.
public struct Profile: Sendable {
    public var model: Model
    public var corpus: Corpus
    public var run: Computation
    /// How often the analysis was taken up again after an interruption.
    public var resumptionCount: Int
    /// Everything that decides the results, by name.
    public var settings: JSONObject
    public var result: Analysis.Result
    /// The worst tokens of all steps, by packed row.
    public var contexts: [Int: TokenContext] = [:]
    /// For each view pieces of the corpus around its worst tokens; empty without token errors.
    public var excerpts: [[Excerpt]] = []

    /// The name and version of the format of profile.json.
    public static let schema = "straightedge.profile/1"

    public struct Model: Sendable {
        /// As it was typed; nil in a profile that does not say.
        public var name: String?
        public var path: String
        /// "ORGANIZATION/NAME" of a model of the Hugging Face cache.
        public var repository: String?
        /// The commit of a model of the Hugging Face cache.
        public var revision: String?
        public var family: String
        public var layerCount: Int
        public var width: Int
        public var parameterCount: Int
        /// What the model is, wherever it lies: of the content of its files alone.
        public var fingerprint: String

        /// A name for people: the folder of a snapshot is called by a hash.
        public var title: String { repository ?? Text.name(path) }

        public init(
            name: String? = nil, path: String, repository: String? = nil, revision: String? = nil, family: String,
            layerCount: Int, width: Int, parameterCount: Int, fingerprint: String
        ) {
            self.name = name
            self.path = path
            self.repository = repository
            self.revision = revision
            self.family = family
            self.layerCount = layerCount
            self.width = width
            self.parameterCount = parameterCount
            self.fingerprint = fingerprint
        }
    }

    public struct Corpus: Sendable {
        public var source: String
        /// How sequences were made of the source, in words.
        public var protocolDescription: String
        public var sequenceCount: Int
        public var tokenCount: Int
        /// Tokens that were asked for; nil where all were.
        public var askedTokenCount: Int?
        public var fingerprint: String
        /// nil where nothing was drawn at random.
        public var seed: Int?
        public var hasBeginningOfSequence: Bool?

        public init(
            source: String, protocolDescription: String, sequenceCount: Int, tokenCount: Int, askedTokenCount: Int?,
            fingerprint: String, seed: Int?, hasBeginningOfSequence: Bool?
        ) {
            self.source = source
            self.protocolDescription = protocolDescription
            self.sequenceCount = sequenceCount
            self.tokenCount = tokenCount
            self.askedTokenCount = askedTokenCount
            self.fingerprint = fingerprint
            self.seed = seed
            self.hasBeginningOfSequence = hasBeginningOfSequence
        }
    }

    /// - Parameter texts: The tokens that were measured; nil where nothing is to be told of single tokens.
    public init(
        model: Model, corpus: Corpus, run: Computation, resumptionCount: Int = 0, settings: JSONObject = JSONObject(),
        result: Analysis.Result, texts: TokenTexts? = nil
    ) {
        self.model = model
        self.corpus = corpus
        self.run = run
        self.resumptionCount = resumptionCount
        self.settings = settings
        self.result = result
        guard let texts else { return }
        contexts = texts.contexts(result.views)
        excerpts = result.views.map { Excerpt.worst(of: $0, texts) }
    }

    /// Tokens per second of the forward pass.
    public var tokensPerSecond: Double {
        result.seconds.forward > 0 ? Double(corpus.tokenCount) / result.seconds.forward : 0
    }
}
