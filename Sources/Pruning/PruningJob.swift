import Checkpoints
public import Compute
public import Evaluation
import Linearity
public import Transformers

/// Cuts layers out of a model, writes what is left, and judges what was written.
public struct PruningJob {
    public let model: DecoderModel
    public let device: Device
    public let pruner: Pruner
    public let corpus: CalibrationCorpus

    /// What is written.
    public enum Format: String, Sendable, CaseIterable {
        case huggingFace = "huggingface"
        case gguf
    }

    /// A model as it is before or after.
    public struct Figures: Sendable {
        public let layerCount: Int
        public let parameterCount: Int
        /// Of the files that hold the weights.
        public let byteCount: Int
        public let evaluation: Evaluation
        /// Tokens a second through the layers.
        public let tokensPerSecond: Double
    }

    public struct Outcome: Sendable {
        public let layers: CutLayers
        public let pruning: Pruner.Result
        public let before: Figures
        public let after: Figures
        /// Of the pruned model against the whole one.
        public let judgement: ModelJudge.Judgement
        /// With `merge`, of the model with separate maps instead, in memory; nil otherwise.
        public let separate: Evaluation?
        /// In `merge` the model whose merged projections have biases as well, where that was not asked for and they have
        /// none of their own: what leaving them out costs.
        public let withBiases: Evaluation?
        public let curve: [CurvePoint]
        /// Modes in which no map for the curve could be fitted, and why.
        public let curveGaps: [PruningMode: String]
    }

    /// A model with some of the layers cut.
    public struct CurvePoint: Sendable {
        public let mode: PruningMode
        public let layers: CutLayers
        public let evaluation: Evaluation
    }

    /// What is being done, and the share of it that is.
    public typealias Progress = (_ stage: String, _ share: Double?) -> Void

    public init(model: DecoderModel, device: Device, pruner: Pruner, corpus: CalibrationCorpus) {
        self.model = model
        self.device = device
        self.pruner = pruner
        self.corpus = corpus
    }

    /// Does it.
    ///
    /// - Parameters:
    ///   - layers: Which layers to cut.
    ///   - curve: Sets of layers, of which each is cut in each mode that this model can be cut in, and evaluated in memory.
    ///   - write: Writes what an edit makes of the model, and gives it as it was opened again; nil to write nothing, and to
    ///     judge the model in memory.
    /// - Throws: `PruningError`, and what `write` throws.
    public func run(
        _ layers: CutLayers, curve: [CutLayers], progress: Progress,
        write: ((ModelEdit) throws -> DecoderModel)?
    ) throws -> Outcome {
        // Before anything is computed: is there enough to fit on, and the memory for it?
        try pruner.check(layers, tokens: corpus.fit)
        progress("the whole model on held-out tokens", nil)
        let judge = try ModelJudge(
            model, device: device, tokens: corpus.heldOut, computeType: pruner.computeType,
            memoryByteCount: pruner.memoryByteCount)
        let pruning = try pruner.run(layers, tokens: corpus.fit) { progress("fitting", Double($0) / Double($1)) }
        let pruned: DecoderModel
        if let write {
            progress("writing", nil)
            pruned = try write(pruning.edit)
        } else {
            pruned = try model.applying(pruning.edit)
        }
        progress("the pruned model on held-out tokens", nil)
        let judgement = try judge.judge(pruned)
        let separate = try separateMaps(pruning, judge)
        let withBiases = try mergedWithBiases(layers, judge)
        let (points, gaps) = try self.curve(curve, known: (layers, judgement.evaluation), judge, progress)
        progress("measuring the speed", nil)
        let speeds = try judge.speeds(model, pruned)
        return Outcome(
            layers: layers, pruning: pruning,
            before: figures(model, model.checkpoint.byteCount, judge.base, speeds.0),
            after: figures(
                pruned, write == nil ? 0 : pruned.checkpoint.byteCount, judgement.evaluation, speeds.1),
            judgement: judgement, separate: separate, withBiases: withBiases, curve: points, curveGaps: gaps)
    }

    private func figures(
        _ model: DecoderModel, _ byteCount: Int, _ evaluation: Evaluation, _ speed: Double
    ) -> Figures {
        Figures(
            layerCount: model.plan.layerCount, parameterCount: model.parameterCount, byteCount: byteCount,
            evaluation: evaluation, tokensPerSecond: speed)
    }

    /// What separate maps in the place of merged layers would do.
    private func separateMaps(_ pruning: Pruner.Result, _ judge: ModelJudge) throws -> Evaluation? {
        guard pruner.mode == .merge, pruning.fits.allSatisfy({ $0.separate != nil }) else { return nil }
        let replacing = pruner.with(mode: .replace)
        let layers = try CutLayers(pruning.fits.map(\.layers), layerCount: model.plan.layerCount)
        let result = try replacing.run(layers, tokens: corpus.fit)
        return try judge.judge(model.applying(result.edit)).evaluation
    }

    /// What merged projections with biases would do, where they have none.
    private func mergedWithBiases(_ layers: CutLayers, _ judge: ModelJudge) throws -> Evaluation? {
        guard pruner.mode == .merge, !pruner.fit.addsBiases, !model.plan.biases.contains(.feedForwardOutput) else {
            return nil
        }
        var fit = pruner.fit
        fit.addsBiases = true
        let result = try pruner.with(mode: .merge, fit: fit).run(layers, tokens: corpus.fit)
        return try judge.judge(model.applying(result.edit)).evaluation
    }

    // MARK: Curve

    private func curve(
        _ sets: [CutLayers], known: (layers: CutLayers, evaluation: Evaluation), _ judge: ModelJudge,
        _ progress: Progress
    ) throws -> (points: [CurvePoint], gaps: [PruningMode: String]) {
        let modes = PruningMode.allCases
        var (points, gaps): ([CurvePoint], [PruningMode: String]) = ([], [:])
        for (index, layers) in sets.enumerated() {
            for (place, mode) in modes.enumerated() {
                progress(
                    "perplexity by layers cut", Double(index * modes.count + place) / Double(sets.count * modes.count))
                if mode == pruner.mode, layers == known.layers {
                    points.append(CurvePoint(mode: mode, layers: layers, evaluation: known.evaluation))
                    continue
                }
                let pruner = pruner.with(mode: mode)
                do {
                    let result = try pruner.run(layers, tokens: corpus.fit)
                    let evaluation = try judge.judge(model.applying(result.edit)).evaluation
                    points.append(CurvePoint(mode: mode, layers: layers, evaluation: evaluation))
                } catch PruningError.normBehind, PruningError.nothingBefore {
                    // There is no such model: the curve of this mode has no point here.
                } catch let error as PruningError where error.isOfFit {
                    // The model that was asked for is not to be lost for want of one to compare it with.
                    gaps[mode] = "\(error)"
                }
            }
        }
        return (points, gaps)
    }
}

extension Pruner {
    /// The same in another mode; other modes cut whole layers.
    func with(mode: PruningMode, fit: FitSettings? = nil) -> Pruner {
        Pruner(
            model: model, device: device, mode: mode, fit: fit ?? self.fit, site: mode == self.mode ? site : .layer,
            computeType: computeType, memoryByteCount: memoryByteCount)
    }
}
