import Compute
import LinearAlgebra
import Synchronization

/// Everything that one view's moments give: fits, held-out errors, spectra.
struct ViewSolution: Sendable {
    var count = 0
    /// What is counted, in the words of reasons.
    var noun = "tokens"
    var norms: CentredNorms?
    var fit: LinearFit?
    var orthogonalProcrustes: Double?
    /// What was asked for.
    var extent = LayerMeasurement.Extent.everything
    var anisotropy: Double?
    /// The map of all tokens of the view; nil where it was not asked for, or nothing could be fitted.
    var map: AffineMap?
    /// One for each fold; empty where held-out scores are not defined.
    var heldOut: [HeldOutErrors] = []
    /// For each fold the map of the others; empty where `heldOut` is.
    var heldOutMaps: [AffineMap] = []
    /// Why `heldOut` is empty.
    var heldOutReason = ""
    /// Why there is no contribution Y - X; nil where there is.
    var contributionReason: String?
}

extension ViewSolution {
    /// Solves all views of one layer, task by task over the device's lanes.
    ///
    /// - Parameters:
    ///   - views: For each view the moments of its folds.
    ///   - keepsMaps: Whether the maps are wanted too.
    ///   - noun: What is counted, in the words of reasons.
    ///   - extent: Which of the figures that take long are wanted.
    /// - Returns: nil where float32 products do not resolve the data: then the moments are to be formed in float64.
    static func solve(
        views: [[Moments]], keepsMaps: Bool, noun: String = "tokens",
        extent: LayerMeasurement.Extent = .everything, device: Device
    ) throws(ComputeError) -> [ViewSolution]? {
        let totals = Mutex<[Int: Moments]>([:])
        try device.concurrently(views.count) { view, _ throws(ComputeError) in
            let total = try Moments.sum(views[view])
            totals.withLock { $0[view] = total }
        }
        let sums = totals.withLock { $0 }
        var tasks: [Task] = []
        // The longest tasks first, so that no lane waits for one in the end.
        if extent == .everything {
            for (view, total) in sums where total.count > total.width { tasks.append(.procrustes(view)) }
        }
        for view in views.indices { tasks.append(.fit(view)) }
        for (view, folds) in views.enumerated() where folds.count > 1 {
            if extent == .scores, view < views.count - 1 { continue }
            for fold in folds.indices { tasks.append(.heldOut(view, fold)) }
        }
        tasks.sort { $0.order < $1.order }

        let results = Mutex<Results>(Results())
        try device.concurrently(tasks.count) { [tasks] index, _ throws(ComputeError) in
            if results.withLock({ $0.needsFloat64 }) { return }
            switch tasks[index] {
            case .procrustes(let view):
                guard let total = sums[view] else { return }
                let value = try total.orthogonalProcrustes()
                results.withLock { $0.procrustes[view] = value }
            case .fit(let view):
                guard let total = sums[view] else { return }
                let fit = try LinearFit.fit(
                    total, extras: keepsMaps ? [.conditionNumber, .map] : .conditionNumber)
                let map = if keepsMaps, let fit { try AffineMap(fit, of: total) } else { nil as AffineMap? }
                let anisotropy = try total.anisotropy()
                results.withLock {
                    $0.needsFloat64 = $0.needsFloat64 || fit == nil
                    $0.fits[view] = fit
                    $0.maps[view] = map
                    $0.anisotropies[view] = anisotropy
                }
            case .heldOut(let view, let fold):
                let outcome = try heldOut(views[view], fold, keepsMaps: keepsMaps)
                results.withLock {
                    $0.needsFloat64 = $0.needsFloat64 || outcome == nil
                    $0.heldOut[HeldOutKey(view: view, fold: fold)] = outcome
                }
            }
        }
        let found = results.withLock { $0 }
        if found.needsFloat64 || views.indices.contains(where: { found.rounding(view: $0) > roundingLimit }) {
            return nil
        }
        return try views.indices.map { view throws(ComputeError) in
            var solution = try solution(view, folds: views[view], total: sums[view], found, noun)
            solution.extent = extent
            return solution
        }
    }

    /// A held-out score that float32 products may move by more than this is measured again in float64.
    private static let roundingLimit = 1e-6

    private enum Task: Sendable {
        case procrustes(_ view: Int)
        case fit(_ view: Int)
        case heldOut(_ view: Int, _ fold: Int)

        var order: Int {
            switch self {
            case .procrustes(let view): view
            case .fit(let view): 100 + view
            case .heldOut(let view, let fold): 1000 * (view + 1) + fold
            }
        }
    }

    private struct HeldOutKey: Hashable {
        let view: Int
        let fold: Int
    }

    /// A held-out fold's errors, or how many training rows were too few for the rank.
    private enum HeldOutOutcome: Sendable {
        case errors(HeldOutErrors, rounding: Double, AffineMap?)
        case tooFewRows(Int, rank: Int)
    }

    private struct Results: Sendable {
        var needsFloat64 = false
        var procrustes: [Int: Double] = [:]
        var fits: [Int: LinearFit] = [:]
        var maps: [Int: AffineMap] = [:]
        var anisotropies: [Int: Double] = [:]
        var heldOut: [HeldOutKey: HeldOutOutcome] = [:]

        /// One standard deviation of a view's held-out score, that without residual where there is one, as float32
        /// products may move it.
        func rounding(view: Int) -> Double {
            var (errors, total) = (0.0, 0.0)
            for (key, outcome) in heldOut where key.view == view {
                guard case .errors(let sums, let rounding, _) = outcome else { continue }
                errors += rounding * rounding
                total += sums.contributionSquares ?? sums.outputSquares
            }
            return total > 0 ? errors.squareRoot() / total : 0
        }
    }

    /// Fits all folds but one, and looks at that one; nil where float32 products do not resolve the training rows.
    private static func heldOut(
        _ folds: [Moments], _ fold: Int, keepsMaps: Bool
    ) throws(ComputeError) -> HeldOutOutcome? {
        var others = folds
        others.remove(at: fold)
        let training = try Moments.sum(others)
        // More unknowns than rows: the fit is exact, and says nothing of other rows.
        if training.count <= training.width { return .tooFewRows(training.count, rank: training.width) }
        guard let fit = try LinearFit.fit(training, extras: .map) else { return nil }
        guard let map = fit.map, training.count > fit.rank + 1 else {
            return .tooFewRows(training.count, rank: fit.rank)
        }
        return .errors(
            try folds[fold].heldOutErrors(of: map, fittedOn: training),
            rounding: try fit.roundingError(on: folds[fold], fittedOn: training),
            try keepsMaps ? AffineMap(fit, of: training) : nil)
    }

    private static func solution(
        _ view: Int, folds: [Moments], total: Moments?, _ found: Results, _ noun: String
    ) throws(ComputeError) -> ViewSolution {
        var solution = ViewSolution()
        solution.noun = noun
        solution.count = total?.count ?? 0
        solution.norms = try total?.centredNorms()
        solution.fit = found.fits[view]
        solution.map = found.maps[view]
        solution.orthogonalProcrustes = found.procrustes[view]
        solution.anisotropy = found.anisotropies[view]
        if folds.count < 2 { solution.heldOutReason = tooFewFolds }
        for fold in folds.indices where folds.count > 1 {
            switch found.heldOut[HeldOutKey(view: view, fold: fold)] {
            case .errors(let errors, _, let map):
                solution.heldOut.append(errors)
                if let map { solution.heldOutMaps.append(map) }
            case .tooFewRows(let count, let rank):
                solution.heldOutReason = tooFewRows(count, noun, withoutFold: fold, rank: rank)
            case nil: solution.heldOutReason = "fold \(fold) was not measured"
            }
        }
        if !solution.heldOutReason.isEmpty { (solution.heldOut, solution.heldOutMaps) = ([], []) }
        return solution
    }

    static let tooFewFolds = "held-out scores need at least 2 folds"

    static func tooFewRows(_ count: Int, _ noun: String, withoutFold fold: Int, rank: Int) -> String {
        "\(count) training \(noun) without fold \(fold) are too few for a map of rank \(rank)"
    }
}
