import Linearity

/// Profiles of several runs beside each other: what `compare` shows.
public struct Comparison: Sendable {
    public let runs: [Run]

    /// One run, without what is told of its single tokens.
    public struct Run: Sendable {
        /// A name that no other run has.
        public let label: String
        public let profile: Profile
        /// What keeps its figures from being compared with those of the first run, in words; empty where nothing does.
        public let differences: [String]
    }

    /// - Parameter profiles: Profiles and the folders or files that they were read from.
    /// - Throws: `ProfileError` for a profile that has no row of a whole layer.
    public init(_ profiles: [(path: String, profile: Profile)]) throws(ProfileError) {
        let labels = DistinctNames.choose(
            profiles.map { path, profile in
                let name = Text.modelName(profile.model.title)
                // As it was typed, with the revision that was asked for.
                let typed = profile.model.name.map(Text.modelName) ?? name
                return [name, typed, "\(typed), \(Comparison.folder(path))", "\(typed), \(path)"]
            })
        try self.init(zip(labels, profiles).map { (label: $0, path: $1.path, profile: $1.profile) })
    }

    /// - Parameter profiles: Profiles with labels that tell them apart.
    init(_ profiles: [(label: String, path: String, profile: Profile)]) throws(ProfileError) {
        for (_, path, profile) in profiles where profile.result.views.allSatisfy({ $0.layers.isEmpty }) {
            throw ProfileError(
                description:
                    "\(path) has no row of a whole layer, and nothing to compare; measure again with --site layer")
        }
        runs = profiles.map { label, _, profile in
            Run(
                label: label, profile: profile.withoutTokens,
                differences: Comparison.differences(profile, from: profiles[0].profile))
        }
    }

    /// The folder of results that a path names.
    private static func folder(_ path: String) -> String {
        let components = path.split(separator: "/")
        let isFile = components.last?.hasSuffix(".json") == true
        return (isFile ? components.dropLast() : components).last.map(String.init) ?? path
    }

    /// The views of all runs, each once.
    var views: [View] {
        runs.flatMap { $0.profile.result.views.map(\.view) }.reduce(into: []) { views, view in
            if !views.contains(view) { views.append(view) }
        }
    }

    /// What of the runs differs from the first run, in words.
    private static func differences(_ profile: Profile, from first: Profile) -> [String] {
        var differences: [String] = []
        func note(_ name: String, _ value: String, _ wanted: String) {
            if value != wanted { differences.append("\(name) (\(value) instead of \(wanted))") }
        }
        let (corpus, wanted) = (profile.corpus, first.corpus)
        if corpus.fingerprint != wanted.fingerprint {
            let isSameText =
                Text.name(corpus.source) == Text.name(wanted.source)
                && corpus.protocolDescription == wanted.protocolDescription
            differences.append(isSameText ? "other token ids of a text of the same name" : "another corpus")
        }
        note("tokens", Text.count(corpus.tokenCount), Text.count(wanted.tokenCount))
        note("folds", "\(profile.result.folds.foldCount)", "\(first.result.folds.foldCount)")
        note("compute type", profile.run.computeType, first.run.computeType)
        note("first tokens left out", skipped(profile), skipped(first))
        note("layers", layers(profile), layers(first))
        return differences
    }

    private static func skipped(_ profile: Profile) -> String {
        String(profile.result.views.map(\.view.skippedTokenCount).max() ?? 0)
    }

    /// Which layers were measured, in words that are the same for models of different depth.
    private static func layers(_ profile: Profile) -> String {
        let layers = profile.result.views.first?.layers.map(\.layer) ?? []
        guard layers.count < profile.model.layerCount, let first = layers.min(), let last = layers.max() else {
            return "all"
        }
        return "\(first) to \(last) of \(profile.model.layerCount)"
    }
}

extension Profile {
    /// The profile without excerpts and errors of single tokens, which may be many.
    fileprivate var withoutTokens: Profile {
        var profile = self
        profile.contexts = [:]
        profile.excerpts = []
        for index in profile.result.views.indices {
            profile.result.views[index].tokenErrors = []
            profile.result.views[index].steps = profile.result.views[index].steps.map {
                StepResult(layer: $0.layer, site: $0.site, figures: $0.figures, tokenErrors: nil)
            }
        }
        return profile
    }
}

// MARK: - Scores

/// A score that runs are compared by.
struct ComparedScore: Sendable {
    private typealias Path = any (KeyPath<LayerFigures, Figure> & Sendable)
    let name: String
    let title: String
    private let fit: Path
    private let heldOut: Path

    private init(_ name: String, _ title: String, fit: Path, heldOut: Path) {
        (self.name, self.title, self.fit, self.heldOut) = (name, title, fit, heldOut)
    }

    static let all = [
        ComparedScore("linearity", "with residual", fit: \.linearity, heldOut: \.linearityHeldOut),
        ComparedScore(
            "linearity_without_residual", "without residual", fit: \.linearityWithoutResidual,
            heldOut: \.linearityWithoutResidualHeldOut),
    ]

    /// On which tokens a map is judged.
    enum Judgement: CaseIterable, Sendable {
        case fit, heldOut

        var title: String { self == .fit ? "fit" : "held out" }
        var suffix: String { self == .fit ? "" : "_heldout" }
    }

    /// The score of every layer.
    func values(_ layers: [StepResult], _ judgement: Judgement) -> [Double?] {
        layers.map { $0.figures[keyPath: judgement == .fit ? fit : heldOut].value }
    }
}

extension Comparison.Run {
    /// The whole layers in this view; empty where the run has no such view.
    func layers(_ view: View) -> [StepResult] {
        profile.result.views.first { $0.view == view }?.layers ?? []
    }

    func values(_ view: View, _ score: ComparedScore, _ judgement: ComparedScore.Judgement) -> [Double?] {
        score.values(layers(view), judgement)
    }

    func summary(_ view: View, _ score: ComparedScore, _ judgement: ComparedScore.Judgement) -> DepthSummary? {
        let layers = layers(view)
        return DepthSummary(
            layers: layers.map(\.layer), of: profile.model.layerCount, values: score.values(layers, judgement))
    }

    /// Mean of the chance floors of the layers.
    func floor(_ view: View) -> Double? {
        let layers = layers(view)
        return DepthSummary(
            layers: layers.map(\.layer), of: profile.model.layerCount, values: layers.map(\.figures.chanceFloor.value))?
            .mean
    }
}

extension Comparison {
    /// Spearman's correlation of a run's layers with those of the first run; nil where they are not the same layers.
    func agreement(
        _ run: Run, _ view: View, _ score: ComparedScore, _ judgement: ComparedScore.Judgement
    ) -> Double? {
        let first = runs[0]
        guard run.profile.model.layerCount == first.profile.model.layerCount,
            run.layers(view).map(\.layer) == first.layers(view).map(\.layer)
        else { return nil }
        let pairs = zip(run.values(view, score, judgement), first.values(view, score, judgement))
            .compactMap { a, b in a.flatMap { a in b.map { (a, $0) } } }
        return RankCorrelation.spearman(pairs.map(\.0), pairs.map(\.1))
    }

    /// The judgements for which any run has a value.
    func judgements(_ view: View, _ score: ComparedScore) -> [ComparedScore.Judgement] {
        ComparedScore.Judgement.allCases.filter { judgement in
            runs.contains { $0.values(view, score, judgement).contains { $0 != nil } }
        }
    }
}
