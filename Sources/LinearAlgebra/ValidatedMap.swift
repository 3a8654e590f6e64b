import Compute
import Synchronization
import Tensors

/// A map of all rows, and what maps of the same kind do on rows that they were not fitted to.
public struct ValidatedMap: Sendable {
    /// Fitted to all rows, with the alpha or K that was chosen.
    public let fit: MapFit
    /// One for each fold: of the map that the other folds give. Where alpha or K was chosen by them, they are the smallest
    /// of a few, and by so much too small. Empty where they are not defined.
    public let heldOut: [HeldOutErrors]
    /// Why `heldOut` is empty.
    public let heldOutReason: String
    /// What was tried where alpha or K was to be chosen, in ascending order.
    public let trials: [Trial]

    /// An alpha or a K, and the sum of its squared held-out residuals.
    public struct Trial: Sendable, Hashable {
        public let kind: MapKind
        public let residualSquares: Double
    }
}

/// How much of Y, and of B = Y - X, a map explains: 1 less the share that is left over.
public struct MapScores: Sendable, Hashable {
    /// nil where Y does not vary.
    public let withResidual: Double?
    /// nil where B does not vary.
    public let withoutResidual: Double?

    init(residualSquares: Double, outputSquares: Double, contributionSquares: Double?) {
        func score(_ squares: Double?) -> Double? {
            guard let squares, squares > 0 else { return nil }
            return 1 - residualSquares / squares
        }
        withResidual = score(outputSquares)
        withoutResidual = score(contributionSquares)
    }
}

extension ValidatedMap {
    /// On the rows that were fitted.
    public var inSampleScores: MapScores {
        MapScores(
            residualSquares: fit.residualSquares, outputSquares: fit.norms.outputSquares,
            contributionSquares: fit.norms.contributionSquares)
    }

    /// On rows that were not fitted, over all folds; nil where they are not defined.
    public var heldOutScores: MapScores? {
        if heldOut.isEmpty { return nil }
        return MapScores(
            residualSquares: heldOut.reduce(0) { $0 + $1.residualSquares },
            outputSquares: heldOut.reduce(0) { $0 + $1.outputSquares },
            contributionSquares: heldOut.reduce(0) { $0 + ($1.contributionSquares ?? 0) })
    }
}

// MARK: - Fitting

extension ValidatedMap {
    /// Fits a map of this kind to all folds together, and one to the others of each fold. Alpha and K of an open kind are
    /// those of smallest held-out error: of alphas 10^-10 to 10^2 times the mean of S_xx's diagonal, of ranks the powers of
    /// two and the width.
    ///
    /// - Parameters:
    ///   - folds: Moments of disjoint rows; at least one.
    /// - Returns: nil where `.float32Blocks` moments do not resolve the data, or may move a held-out score by more than
    ///   1e-6: the caller forms them in float64.
    /// - Throws: `MapError`.
    public static func fit(folds: [Moments], kind: MapKind) throws(MapError) -> ValidatedMap? {
        let total = try mapping { () throws(ComputeError) in try Moments.sum(folds) }
        try MapFit.check(total, kind)
        guard try total.isInRange() else { return nil }
        let reason = reasonAgainstHeldOut(folds, kind, width: total.width)
        if kind.isOpen, let reason { throw .choice(kind, reason: reason) }
        if let reason {
            guard let fit = try MapFit.fit(total, kind: kind) else { return nil }
            return ValidatedMap(fit: fit, heldOut: [], heldOutReason: reason, trials: [])
        }
        return try FoldedFit(folds: folds, total: total).fit(kind)
    }

    private static func reasonAgainstHeldOut(_ folds: [Moments], _ kind: MapKind, width: Int) -> String? {
        if folds.count < 2 { return "held-out scores need at least 2 folds" }
        let count = folds.reduce(0) { $0 + $1.count }
        for (index, fold) in folds.enumerated() where count - fold.count < kind.smallestRowCount(width: width) {
            return "\(count - fold.count) training tokens without fold \(index) are too few for a \(kind) map of width "
                + "\(width)"
        }
        return nil
    }
}

/// Maps of each fold's others, fold by fold over the device's lanes.
private struct FoldedFit {
    let folds: [Moments]
    let total: Moments

    /// A held-out score that float32 products may move by more than this is measured again in float64.
    private static let roundingLimit = 1e-6

    /// A fold's errors under the maps of some ranks, or of the one kind there is.
    private struct Outcome: Sendable {
        var errors: [HeldOutErrors]
        var rounding: Double
    }

    func fit(_ kind: MapKind) throws(MapError) -> ValidatedMap? {
        switch kind {
        case .ridge(nil):
            guard let trials = try ridgeTrials() else { return nil }
            guard let chosen = FoldedFit.smallest(trials.reversed()),
                let map = try fit(chosen.kind, ranks: [])
            else { return nil }
            return ValidatedMap(fit: map.fit, heldOut: map.heldOut, heldOutReason: "", trials: trials)
        case .lowRank(let rank):
            let ranks = rank.map { [$0] } ?? FoldedFit.ranks(width: total.width)
            return try fit(kind, ranks: ranks)
        case .leastSquares, .ridge, .diagonal, .orthogonal: return try fit(kind, ranks: [])
        }
    }

    private func fit(_ kind: MapKind, ranks: [Int]) throws(MapError) -> ValidatedMap? {
        let outcomes = try eachFold { fold throws(MapError) in try outcome(fold, kind, ranks) }
        guard let outcomes, areResolved(outcomes) else { return nil }
        var (kind, choice, trials): (MapKind, Int, [ValidatedMap.Trial]) = (kind, 0, [])
        if kind.isOpen {
            trials = ranks.indices.map { index in
                let squares = outcomes.reduce(0) { $0 + $1.errors[index].residualSquares }
                return ValidatedMap.Trial(kind: .lowRank(ranks[index]), residualSquares: squares)
            }
            guard let smallest = FoldedFit.smallest(trials) else { throw .notFinite(what: "the \(kind) map") }
            kind = smallest.kind
            choice = trials.firstIndex(of: smallest) ?? 0
        }
        guard let fit = try MapFit.fit(total, kind: kind) else { return nil }
        return ValidatedMap(fit: fit, heldOut: outcomes.map { $0.errors[choice] }, heldOutReason: "", trials: trials)
    }

    private func outcome(_ fold: Int, _ kind: MapKind, _ ranks: [Int]) throws(MapError) -> Outcome? {
        let (training, heldOut) = (try training(without: fold), folds[fold])
        func errors(_ matrix: Tensor) throws(MapError) -> [HeldOutErrors] {
            try mapping { () throws(ComputeError) in
                [try heldOut.heldOutErrors(of: MapFit.targetMap(matrix, heldOut), fittedOn: training)]
            }
        }
        func rounding(_ map: LeastSquaresMap) throws(MapError) -> Double {
            try mapping { () throws(ComputeError) in try map.roundingError(on: heldOut) }
        }
        switch kind {
        case .leastSquares, .ridge:
            let alpha = if case .ridge(let alpha?) = kind { alpha } else { 0.0 }
            guard let map = try LeastSquaresMap(training, alpha: alpha) else { return nil }
            return Outcome(errors: try errors(map.matrix), rounding: try rounding(map))
        case .lowRank:
            guard let solution = try ReducedRankSolution(training) else { return nil }
            let errors = try mapping { () throws(ComputeError) in
                try solution.heldOutErrors(on: heldOut, ranks: ranks)
            }
            return Outcome(errors: errors, rounding: try rounding(solution.leastSquares))
        case .diagonal, .orthogonal:
            guard let fit = try MapFit.fit(training, kind: kind) else { return nil }
            return Outcome(errors: try errors(fit.matrix), rounding: 0)
        }
    }

    /// Every alpha's held-out errors; nil where the moments do not resolve the smallest one's maps.
    private func ridgeTrials() throws(MapError) -> [ValidatedMap.Trial]? {
        let alphas = try mapping { () throws(ComputeError) in try RidgeSolution.alphas(total) }
        let squares = try eachFold { fold throws(MapError) -> [Double]? in
            let training = try training(without: fold)
            if training.precision == .float32Blocks, try LeastSquaresMap(training, alpha: alphas[0]) == nil {
                return nil
            }
            return try mapping { () throws(ComputeError) in
                try RidgeSolution(training).residualSquares(on: folds[fold], alphas: alphas)
            }
        }
        guard let squares else { return nil }
        return alphas.enumerated().map { index, alpha in
            ValidatedMap.Trial(
                kind: .ridge(alpha: alpha), residualSquares: squares.reduce(0) { $0 + $1[index] })
        }
    }

    private func training(without fold: Int) throws(MapError) -> Moments {
        try mapping { () throws(ComputeError) in
            try Moments.sum(folds.indices.filter { $0 != fold }.map { folds[$0] })
        }
    }

    /// What `body` gives for each fold; nil where it gives nil for one.
    private func eachFold<Result: Sendable>(
        _ body: @Sendable (_ fold: Int) throws(MapError) -> Result?
    ) throws(MapError) -> [Result]? {
        let results = Mutex<(found: [Int: Result], isUnresolved: Bool)>(([:], false))
        try total.device.concurrently(folds.count) { fold, _ throws(MapError) in
            // Once one is not resolved, all are formed again.
            if results.withLock({ $0.isUnresolved }) { return }
            let result = try body(fold)
            results.withLock {
                $0.found[fold] = result
                $0.isUnresolved = $0.isUnresolved || result == nil
            }
        }
        let found = results.withLock { $0.found }
        let ordered = folds.indices.compactMap { found[$0] }
        return ordered.count == folds.count ? ordered : nil
    }

    private func areResolved(_ outcomes: [Outcome]) -> Bool {
        let rounding = outcomes.reduce(0) { $0 + $1.rounding * $1.rounding }.squareRoot()
        if rounding == 0 { return true }
        let output = outcomes.reduce(0) { $0 + $1.errors[0].outputSquares }
        let contribution = outcomes.reduce(0) { $0 + ($1.errors[0].contributionSquares ?? 0) }
        return rounding <= FoldedFit.roundingLimit * (contribution > 0 ? min(output, contribution) : output)
    }

    /// The first of the smallest; none where all are NaN.
    private static func smallest(_ trials: some Sequence<ValidatedMap.Trial>) -> ValidatedMap.Trial? {
        trials.reduce(nil) { best, trial in
            guard trial.residualSquares.isFinite else { return best }
            guard let best, !(trial.residualSquares < best.residualSquares) else { return trial }
            return best
        }
    }

    private static func ranks(width: Int) -> [Int] {
        var ranks: [Int] = []
        var rank = 1
        while rank < width {
            ranks.append(rank)
            rank *= 2
        }
        return ranks + [width]
    }
}
