import Compute
import Evaluation
import LinearAlgebra
import Linearity
import Tensors
import Transformers

/// One look at all candidates of a model: their scores, and what cutting each of them alone does.
///
/// The layers are the outer loop. A candidate's stream leaves that of the model where its layers end, so that what lies
/// before is computed once for all; the logits of the model are computed once for each group of candidates.
struct Survey {
    let model: DecoderModel
    let device: Device
    let corpus: CalibrationCorpus
    /// Runs of one size, in order.
    let candidates: [Range<Int>]
    /// What is tried on each candidate; empty to measure scores only.
    let modes: [PruningMode]
    let fit: FitSettings
    let computeType: ComputeType
    let memoryByteCount: Int?

    struct Result {
        var candidates: [Candidate]
        /// Of the model as it is, on the held-out tokens; nil where no damage was measured.
        var evaluation: Evaluation?
    }

    /// Steps done so far, and in all: a layer on a stream is one.
    typealias Progress = (_ done: Int, _ count: Int) -> Void

    private var blockSize: Int { candidates.first?.count ?? 1 }
    private var layerCount: Int { model.plan.layerCount }

    func run(_ progress: Progress) throws(PruningError) -> Result {
        let memory = try SurveyMemory(self)
        let fitForward = try forward(corpus.fit.layout, memory)
        var fits = try FitWalk(self, fitForward, memory)
        guard !modes.isEmpty else {
            return Result(candidates: try measure(&fits, progress), evaluation: nil)
        }
        return try damage(&fits, memory, progress)
    }

    private func forward(_ layout: SequenceLayout, _ memory: SurveyMemory) throws(PruningError) -> Forward {
        try transforming { () throws(TransformerError) in
            try Forward(
                model: model, device: device, layout: layout, slabTokenCount: memory.plan.slabTokenCount,
                placement: memory.plan.placement, computeType: computeType)
        }
    }

    /// Scores alone.
    private func measure(_ fits: inout FitWalk, _ progress: Progress) throws(PruningError) -> [Candidate] {
        var found: [Candidate] = []
        while let layers = candidates.dropFirst(found.count).first {
            while fits.walk.layer < layers.upperBound { try fits.step() }
            found.append(Candidate(layers: layers, scores: try fits.scores(of: layers)))
            progress(fits.walk.layer, layerCount)
        }
        return found
    }

    // MARK: Damage

    /// A stream of the model with one candidate cut.
    private struct Branch {
        let candidate: Int
        let mode: PruningMode
        var stream: Stream
    }

    private func damage(
        _ fits: inout FitWalk, _ memory: SurveyMemory, _ progress: Progress
    ) throws(PruningError) -> Result {
        var steps = SurveySteps(self)
        let forward = try forward(corpus.heldOut.layout, memory)
        let (ids, blockSize) = (corpus.heldOut.ids, blockSize)
        var walk = try transforming { () throws(TransformerError) in
            try Walk(forward, tokens: ids, blockSize: blockSize)
        }
        let evaluator = try evaluating { () throws(EvaluationError) in
            try Evaluator(forward: forward, tokens: ScoredTokens(ids: ids, layout: forward.layout))
        }
        var found: [Candidate] = []
        var last: Stream?
        var evaluation: Evaluation?
        while found.count < candidates.count {
            var branches: [Branch] = []
            // A group: as many candidates as there is memory for.
            while found.count < candidates.count, branches.count + modes.count <= memory.branchCount || branches.isEmpty
            {
                let layers = candidates[found.count]
                while walk.layer < layers.upperBound {
                    try fits.step()
                    try advance(&walk, &branches)
                    steps.add(2 + branches.count)
                    progress(steps.done, steps.count)
                }
                let (candidate, new) = try fork(layers, found.count, &fits, walk)
                found.append(candidate)
                branches += new
            }
            // The rest of the layers, with the model's own stream the first time.
            var rest = walk
            if last != nil {
                let count = branches.count
                try finish(&branches, from: walk.layer, forward) {
                    steps.add(count)
                    progress(steps.done, steps.count)
                }
            } else {
                while rest.layer < layerCount {
                    try advance(&rest, &branches)
                    steps.add(1 + branches.count)
                    progress(steps.done, steps.count)
                }
                last = rest.stream
            }
            guard let last else { continue }
            let streams = branches.map(\.stream)
            let (reference, comparisons) = try evaluating { () throws(EvaluationError) in
                try evaluator.compare(streams, reference: last, method: .crossEntropy)
            }
            evaluation = evaluation ?? reference
            for (branch, comparison) in zip(branches, comparisons) {
                found[branch.candidate].damage[branch.mode] = Damage(
                    crossEntropy: comparison.evaluation.crossEntropy.value, divergence: comparison.divergence.value,
                    agreement: comparison.agreement.value)
            }
            steps.add(branches.count * SurveySteps.head)
            progress(steps.done, steps.count)
        }
        return Result(candidates: found, evaluation: evaluation)
    }

    /// Takes the model's stream and those of the branches through a layer.
    private func advance(_ walk: inout Walk, _ branches: inout [Branch]) throws(PruningError) {
        let records = modes.contains(.merge) && walk.layer < layerCount - 1
        let streams = branches.map(\.stream)
        // So that each is let go of when it has left the layer.
        for index in branches.indices { branches[index].stream = walk.stream }
        let leaving: [Stream]
        do { leaving = try walk.step(records: records, with: consume streams) } catch { throw .transformer(error) }
        for (index, stream) in leaving.enumerated() { branches[index].stream = stream }
    }

    private func finish(
        _ branches: inout [Branch], from layer: Int, _ forward: Forward, _ stepped: () -> Void
    ) throws(PruningError) {
        for layer in layer..<layerCount {
            let streams = branches.map(\.stream)
            let leaving = try transforming { () throws(TransformerError) in try forward.apply(layer, to: streams) }
            for (index, stream) in leaving.enumerated() { branches[index].stream = stream }
            stepped()
        }
    }

    /// The scores of a candidate, and the streams of the model without it.
    private func fork(
        _ layers: Range<Int>, _ index: Int, _ fits: inout FitWalk, _ walk: Walk
    ) throws(PruningError) -> (Candidate, [Branch]) {
        var candidate = Candidate(layers: layers, scores: try fits.scores(of: layers))
        var branches: [Branch] = []
        let entering = walk.stream(entering: layers.lowerBound)
        for mode in modes {
            switch mode {
            case .remove: branches.append(Branch(candidate: index, mode: mode, stream: entering))
            case .replace:
                let map = try fits.map(of: layers).map
                let stream = try transforming { () throws(TransformerError) in try walk.forward.apply(map, to: entering)
                }
                branches.append(Branch(candidate: index, mode: mode, stream: stream))
            case .merge:
                guard model.plan.canMerge(behind: layers.lowerBound - 1),
                    let contribution = walk.contribution(of: layers.lowerBound - 1),
                    let map = try fits.mergedMap(of: layers)?.map
                else {
                    candidate.damageReasons[mode] = "no layer before it makes up for it"
                    continue
                }
                let stream = try transforming { () throws(TransformerError) in
                    try walk.forward.apply(map, to: entering, of: contribution)
                }
                branches.append(Branch(candidate: index, mode: mode, stream: stream))
            }
        }
        return (candidate, branches)
    }
}

// MARK: - Fits

/// The walk of the tokens that maps are fitted on.
struct FitWalk {
    private(set) var walk: Walk
    private let records: Bool
    private let measurement: LayerMeasurement
    private let mapFitter: RunFitter
    private let mergeFitter: RunFitter

    init(_ survey: Survey, _ forward: Forward, _ memory: SurveyMemory) throws(PruningError) {
        let (layout, plan, device) = (survey.corpus.fit.layout, survey.model.plan, survey.device)
        let folds = FoldLayout(layout: layout, foldCount: survey.fit.foldCount)
        let stages = memory.plan.placement != .memory
        let ids = survey.corpus.fit.ids
        let blockSize = survey.candidates.first?.count ?? 1
        walk = try transforming { () throws(TransformerError) in try Walk(forward, tokens: ids, blockSize: blockSize) }
        records = survey.modes.contains(.merge)
        measurement = try transforming { () throws(TransformerError) in
            try LayerMeasurement(
                device: device, layout: layout, folds: folds, skippedTokenCount: 1, width: plan.width,
                stages: stages, extent: .scores)
        }
        // Nobody looks at the scores of these maps: folds are for choosing alpha or K alone.
        func fitter(_ kind: MapKind, hasIntercept: Bool) throws(PruningError) -> RunFitter {
            var settings = survey.fit
            if !kind.isOpen { settings.foldCount = 1 }
            return try RunFitter(
                settings, kind: kind, device: device, layout: layout, width: plan.width, stages: stages,
                hasIntercept: hasIntercept)
        }
        mapFitter = try fitter(survey.fit.kind, hasIntercept: true)
        mergeFitter = try fitter(
            survey.fit.mergedKind,
            hasIntercept: survey.fit.addsBiases || plan.biases.contains(.feedForwardOutput))
    }

    mutating func step() throws(PruningError) {
        let isLast = walk.layer == walk.forward.plan.layerCount - 1
        do { _ = try walk.step(records: records && !isLast) } catch { throw .transformer(error) }
    }

    /// The scores of layers that the walk has just left.
    func scores(of layers: Range<Int>) throws(PruningError) -> Candidate.Scores {
        let (x, y) = (walk.stream(entering: layers.lowerBound), walk.stream)
        let views = try transforming { () throws(TransformerError) in try measurement.measure(x: x, y: y) }
        return Candidate.Scores(all: views[0].figures, rest: views[views.count - 1].figures)
    }

    func map(of layers: Range<Int>) throws(PruningError) -> FittedMap {
        try mapFitter.fit(x: walk.stream(entering: layers.lowerBound), y: walk.stream, of: layers)
    }

    /// The map of what the MLP before the layers adds; nil for the first layers.
    func mergedMap(of layers: Range<Int>) throws(PruningError) -> FittedMap? {
        guard let contribution = walk.contribution(of: layers.lowerBound - 1) else { return nil }
        let (entering, leaving) = (walk.stream(entering: layers.lowerBound), walk.stream)
        let target = try transforming { () throws(TransformerError) in
            try walk.forward.sum(contribution, leaving, minus: entering)
        }
        return try mergeFitter.fit(x: contribution, y: target, of: layers)
    }
}

// MARK: - Memory and progress

/// How a survey uses the memory it may take.
struct SurveyMemory {
    let plan: MemoryPlan
    /// Streams of cut models that are kept at once.
    let branchCount: Int

    init(_ survey: Survey) throws(PruningError) {
        let (plan, fit, heldOut) = (survey.model.plan, survey.corpus.fit.layout, survey.corpus.heldOut.layout)
        let blockSize = survey.candidates.first?.count ?? 1
        let kept = blockSize + 2 + (survey.modes.contains(.merge) ? blockSize + 3 : 0)
        let branch = heldOut.tokenCount * plan.width * 4
        let heldOutStreams = survey.modes.isEmpty ? 0 : (kept + 2 + survey.modes.count) * branch
        let foldCount = FoldLayout(layout: fit, foldCount: survey.fit.foldCount).foldCount
        let measurement = LayerMeasurement.byteCount(
            width: plan.width, foldCount: foldCount, laneCount: survey.device.laneCount, measuresTokenErrors: false)
        let fitting = MapFitter.byteCount(
            width: plan.width, foldCount: foldCount, laneCount: survey.device.laneCount)
        let scoring =
            survey.modes.isEmpty
            ? 0 : Evaluator.byteCount(plan, survey.device, isComparison: true, method: .crossEntropy)
        self.plan = try measuring { () throws(LinearityError) in
            try MemoryPlan(
                plan: plan, layout: fit, streamCount: kept,
                otherByteCount: max(measurement, fitting) + scoring
                    + heldOutStreams + fit.tokenCount * 4 * 8, device: survey.device, computeType: survey.computeType,
                budgetByteCount: survey.memoryByteCount)
        }
        let left = max(0, self.plan.budgetByteCount - self.plan.byteCount)
        let all = survey.candidates.count * survey.modes.count
        branchCount = min(all, survey.modes.count + left / max(1, branch))
    }
}

/// Counts the steps of a survey: a layer on a stream is one, and a head is as much work as some layers.
private struct SurveySteps {
    let count: Int
    private(set) var done = 0

    init(_ survey: Survey) {
        let layerCount = survey.model.plan.layerCount
        let branches = survey.candidates.reduce(0) { $0 + survey.modes.count * (layerCount - $1.upperBound) }
        count = 2 * layerCount + branches + survey.candidates.count * survey.modes.count * SurveySteps.head
    }

    static let head = 6

    mutating func add(_ steps: Int) { done = min(count, done + steps) }
}
