public import Compute
import Evaluation
import LinearAlgebra
import Linearity
public import Transformers

/// Chooses the layers of a model whose cut is missed least.
public struct Planner: Sendable {
    public let model: DecoderModel
    public let device: Device
    public let settings: Settings
    public let computeType: ComputeType
    public let memoryByteCount: Int?

    public struct Settings: Sendable, Hashable {
        public var criterion = Criterion.perplexity
        /// What will be done to cut layers: whose damage decides, and what is done to chosen ones where `isGreedy`.
        public var mode = PruningMode.remove
        /// How many layers to cut.
        public var dropCount = 1
        /// Layers are cut in runs of so many.
        public var blockSize = 1
        /// Layers at the beginning and the end that stay.
        public var protectedFirstCount = 0
        public var protectedLastCount = 0
        /// Whether candidates are measured anew after each choice, on the model as it is cut then. Maps of candidates are
        /// then fitted to that model's own stream, where a pruner fits all to the whole model's: costs differ a little.
        public var isGreedy = false
        /// Whether the damage of each candidate is measured, if it does not decide.
        public var measuresDamage = true
        public var fit = FitSettings()

        public init() {}
    }

    public init(
        model: DecoderModel, device: Device, settings: Settings, computeType: ComputeType = .f32,
        memoryByteCount: Int? = nil
    ) {
        self.model = model
        self.device = device
        self.settings = settings
        self.computeType = computeType
        self.memoryByteCount = memoryByteCount
    }

    /// Measures candidates, and chooses.
    ///
    /// - Parameter progress: Called with the choice that is prepared, from 0, how many are, and the share of its work that
    ///   is done.
    /// - Throws: `PruningError`.
    public func run(
        _ corpus: CalibrationCorpus,
        progress: (_ round: Int, _ roundCount: Int, _ share: Double) -> Void = { _, _, _ in }
    ) throws(PruningError) -> PruningPlan {
        let layerCount = model.plan.layerCount
        try check(layerCount)
        for mode in modes(0) { try settings.fit.check(mode, corpus.fit, width: model.plan.width) }
        let choiceCount = settings.dropCount / settings.blockSize
        let roundCount = settings.isGreedy ? choiceCount : 1
        var cut = Cut(model: model, sources: Array(0..<layerCount))
        var choices: [PruningPlan.Choice] = []
        var first: Survey.Result?
        for round in 0..<roundCount {
            let candidates = self.candidates(cut)
            let survey = Survey(
                model: cut.model, device: device, corpus: corpus, candidates: candidates, modes: modes(round),
                fit: settings.fit, computeType: computeType, memoryByteCount: memoryByteCount)
            let result = try survey.run { done, count in
                progress(round, roundCount, Double(done) / Double(max(1, count)))
            }
            let chosen = try choose(
                settings.isGreedy ? 1 : choiceCount, of: result.candidates, leaving: choiceCount - choices.count)
            choices += chosen.map { PruningPlan.Choice(layers: cut.source($0.layers), cost: $0.cost) }
            first = first ?? result
            if round + 1 < roundCount { cut = try self.cut(choices, corpus) }
        }
        return PruningPlan(
            layers: try CutLayers(choices.map(\.layers), layerCount: layerCount), settings: settings, choices: choices,
            candidates: first?.candidates ?? [], crossEntropy: first?.evaluation?.crossEntropy.value)
    }

    private func check(_ layerCount: Int) throws(PruningError) {
        let (asked, size) = (settings.dropCount, settings.blockSize)
        guard asked.isMultiple(of: size) else { throw .wholeBlocks(asked: asked, blockSize: size) }
        if asked >= layerCount { throw .nothingKept(layerCount: layerCount) }
        if settings.mode == .merge, model.plan.normPlacement != .before {
            throw .normBehind(family: model.plan.family)
        }
        let available = Planner.disjointCount(candidates(Cut(model: model, sources: Array(0..<layerCount)))) * size
        guard asked <= available else {
            throw .tooFewCandidates(asked: asked, available: available, blockSize: size)
        }
    }

    /// What is tried on each candidate.
    private func modes(_ round: Int) -> [PruningMode] {
        let all: [PruningMode] = settings.mode == .merge ? [.remove, .replace, .merge] : [.remove, .replace]
        if round == 0, settings.measuresDamage { return all }
        return settings.criterion.needsDamage ? [settings.mode] : []
    }

    // MARK: Candidates

    /// A model with some layers cut, and which layers of the whole model its own are; nil for maps.
    private struct Cut {
        let model: DecoderModel
        let sources: [Int?]

        func source(_ layers: Range<Int>) -> Range<Int> {
            let first = sources[layers.lowerBound] ?? 0
            return first..<first + layers.count
        }
    }

    /// Runs of layers of a cut model that were neighbours in the whole one, and are not protected.
    private func candidates(_ cut: Cut) -> [Range<Int>] {
        let layerCount = model.plan.layerCount
        let first = min(settings.protectedFirstCount, layerCount)
        let free = first..<max(first, layerCount - min(settings.protectedLastCount, layerCount))
        let size = settings.blockSize
        return cut.sources.indices.dropLast(max(0, size - 1)).compactMap { begin -> Range<Int>? in
            guard let first = cut.sources[begin], free.contains(first), free.contains(first + size - 1) else {
                return nil
            }
            if settings.mode == .merge, !cut.model.plan.canMerge(behind: begin - 1) { return nil }
            let isWhole = (0..<size).allSatisfy { cut.sources[begin + $0] == first + $0 }
            return isWhole ? begin..<begin + size : nil
        }
    }

    /// How many of these runs of one size, in order, can be cut together.
    private static func disjointCount(_ runs: some Sequence<Range<Int>>) -> Int {
        var (count, end) = (0, 0)
        for run in runs where run.lowerBound >= end { (count, end) = (count + 1, run.upperBound) }
        return count
    }

    /// The cheapest candidates, but for those that would leave too few for the rest.
    ///
    /// - Parameter total: How many are still to be chosen, this time and later.
    private func choose(
        _ count: Int, of candidates: [Candidate], leaving total: Int
    ) throws(PruningError) -> [(layers: Range<Int>, cost: Double)] {
        let costs = settings.criterion.costs(of: candidates, mode: settings.mode)
        let ranked = zip(candidates, costs).compactMap { candidate, cost in cost.map { (candidate.layers, $0) } }
            .sorted { ($0.1, $0.0.lowerBound) < ($1.1, $1.0.lowerBound) }
        guard !ranked.isEmpty || candidates.isEmpty else {
            throw .noFigure(criterion: settings.criterion, reason: reason(candidates))
        }
        var chosen: [(layers: Range<Int>, cost: Double)] = []
        for (layers, cost) in ranked where !chosen.contains(where: { $0.layers.overlaps(layers) }) {
            let taken = chosen.map(\.layers) + [layers]
            let rest = candidates.map(\.layers).filter { run in !taken.contains { $0.overlaps(run) } }
            guard taken.count + Planner.disjointCount(rest) >= total else { continue }
            chosen.append((layers, cost))
            if chosen.count == count { return chosen }
        }
        throw .tooFewCandidates(
            asked: settings.dropCount, available: chosen.count * settings.blockSize, blockSize: settings.blockSize)
    }

    private func reason(_ candidates: [Candidate]) -> String {
        let scores = candidates[0].scores
        let figure = settings.criterion == .linearity ? scores.linearity : scores.heldOutLinearity
        return figure.reason ?? candidates[0].damageReasons[settings.mode] ?? "it was not measured"
    }

    // MARK: The model in between

    private func cut(_ choices: [PruningPlan.Choice], _ corpus: CalibrationCorpus) throws(PruningError) -> Cut {
        let layers = try CutLayers(choices.map(\.layers), layerCount: model.plan.layerCount)
        let result = try Pruner(
            model: model, device: device, mode: settings.mode, fit: settings.fit, computeType: computeType,
            memoryByteCount: memoryByteCount
        ).run(layers, tokens: corpus.fit)
        let edited: DecoderModel
        do { edited = try model.applying(result.edit) } catch { throw .transformer(error) }
        return Cut(model: edited, sources: result.edit.layers.map { $0.maps.isEmpty ? $0.source : nil })
    }
}
