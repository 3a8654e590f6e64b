public import Checkpoints
public import Compute
import LinearAlgebra
import Tensors
import Transformers

/// Measures how nearly one set of vectors is a linear image of another: row i of X belongs to row i of Y.
///
/// The files are read in blocks of rows, and only sums over rows are kept, so that their size does not matter.
public struct EmbeddingComparison: Sendable {
    public let x: StoredMatrix
    public let y: StoredMatrix
    public let device: Device
    public let settings: Settings

    /// How the least-squares fit is computed.
    public enum Method: String, Sendable, CaseIterable {
        /// From X_cᵀX_c and X_cᵀY_c: one pass of matrix products, but the condition number of X enters squared.
        case gram
        /// From the singular values of X_c itself, by a QR factorization of its rows as they are read: several times
        /// the work, and exact where squaring the condition number is not.
        case svd
    }

    public struct Settings: Sendable, Hashable {
        public var method = Method.gram
        /// Folds of the held-out scores, contiguous runs of rows; 1 for none.
        public var foldCount = 5
        /// Whether the maps are wanted too.
        public var keepsMap = false
        /// Bytes of memory to take at most; nil for 80 % of what is available.
        public var memoryByteCount: Int?

        public init() {}
    }

    /// What a comparison reports while it runs.
    public struct Progress: Sendable {
        public enum Stage: String, Sendable {
            case reading, multiplying, factoring, solving
        }

        public let stage: Stage
        /// Rows that have passed through this stage, and all.
        public let completedRowCount: Int
        public let rowCount: Int
        /// Seconds since the stage began.
        public let seconds: Double
    }

    /// What was measured.
    public struct Result: Sendable {
        /// Every figure of a layer's step that has a meaning here; for tokens read rows.
        public var figures: LayerFigures
        /// Linear CKA, which is the RV coefficient; see `MatrixCorrelation`.
        public var linearCKA: Figure
        /// The modified RV coefficient.
        public var modifiedRV: Figure
        public var folds: FoldLayout
        /// nil where it was not asked for.
        public var map: EmbeddingMap?
        /// What a reader should know before the figures are believed; those of the comparison come first.
        public var warnings: [String] = []
        /// Names of the files' exact content; see `FileFingerprint`.
        public var fingerprints: (x: String, y: String)
        /// Bytes that could be taken, and that were planned to be.
        public var memory: (budget: Int, planned: Int)
        public var seconds: Seconds

        /// Seconds by stage.
        public struct Seconds: Sendable {
            /// The first look at all rows, and the files' fingerprints.
            public var reading = 0.0
            /// Products and factors of rows.
            public var multiplying = 0.0
            public var solving = 0.0
        }
    }

    /// - Throws: `LinearityError.rowCounts` where the matrices have different numbers of rows, and `tooFewRows` where
    ///   they have no more rows than X has columns.
    public init(
        x: StoredMatrix, y: StoredMatrix, device: Device, settings: Settings
    ) throws(LinearityError) {
        guard x.rowCount == y.rowCount else {
            throw .rowCounts(x: x.path, count: x.rowCount, y: y.path, otherCount: y.rowCount)
        }
        guard x.rowCount > x.columnCount else { throw .tooFewRows(count: x.rowCount, width: x.columnCount) }
        self.x = x
        self.y = y
        self.device = device
        self.settings = settings
    }

    /// What is to be said of the scores before they are there.
    public var warnings: [String] {
        let (count, width) = (x.rowCount, x.columnCount)
        if count > 5 * width { return [] }
        return [
            "\(count) rows of \(width) columns: the scores of the fit are flattered (see chance_floor), and held-out ones "
                + "uncertain; \(10 * width) rows are better"
        ]
    }

    /// Compares.
    ///
    /// - Parameter progress: Called now and then.
    /// - Throws: `LinearityError`: too little memory, or a number that is not finite, and where.
    public func run(progress: @escaping (Progress) -> Void = { _ in }) throws(LinearityError) -> Result {
        let memory = (budget: try memoryBudget(), planned: plannedByteCount)
        guard memory.planned <= memory.budget else {
            throw .comparisonMemory(needed: memory.planned, budget: memory.budget)
        }
        let rows = EmbeddingRows(x: x, y: y, device: device)
        let folds = FoldLayout(layout: SequenceLayout(lengths: [rows.count]), foldCount: settings.foldCount)
        var seconds = Result.Seconds()
        var stopwatch = Stopwatch()
        let survey = try EmbeddingSurvey.take(rows, progress: report(.reading, progress))
        let target = try comparing { () throws(ComputeError) in try rows.target(survey) }
        seconds.reading = stopwatch.lap()
        let moments = EmbeddingMoments(rows: rows, survey: survey, folds: folds, target: target)
        let solution =
            switch settings.method {
            case .gram:
                try GramSolver(moments: moments, keepsMap: settings.keepsMap).solve(&seconds) { report($0, progress) }
            case .svd:
                try SingularValueSolver(moments: moments, keepsMap: settings.keepsMap).solve(&seconds) {
                    report($0, progress)
                }
            }
        return Result(
            figures: solution.figures(survey), linearCKA: solution.linearCKA, modifiedRV: solution.modifiedRV,
            folds: folds, map: solution.map, warnings: warnings + solution.warnings,
            fingerprints: (survey.fingerprintX, survey.fingerprintY), memory: memory, seconds: seconds)
    }

    private func report(
        _ stage: Progress.Stage, _ progress: @escaping (Progress) -> Void
    ) -> (_ completedRowCount: Int) -> Void {
        let start = ContinuousClock.now
        return { count in
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            progress(
                Progress(
                    stage: stage, completedRowCount: count, rowCount: x.rowCount,
                    seconds: Double(seconds) + Double(attoseconds) * 1e-18))
        }
    }
}

// MARK: - Memory

extension EmbeddingComparison {
    private func memoryBudget() throws(LinearityError) -> Int {
        let available = try comparing { () throws(ComputeError) in try device.availableMemoryByteCount() }
        return settings.memoryByteCount ?? available / 5 * 4
    }

    /// Bytes that are taken at most, besides some 40 MB of the program's own.
    private var plannedByteCount: Int {
        let widths = x.columnCount + y.columnCount
        // Numbers of each row, and a copy of one of them to be sorted.
        let tokens = x.columnCount == y.columnCount ? x.rowCount * 4 * 4 : 0
        // Rows as they stand in the file, decoded, and twice in panels.
        let reading = device.laneCount * 1024 * widths * (8 + 8 + 8)
        let panels =
            switch settings.method {
            case .gram: EmbeddingMoments.panelRowCount * widths * (8 + 8)
            case .svd: device.laneCount * EmbeddingFactors.panelRowCount * (1 + widths) * (8 + 8 + 8)
            }
        return tokens + max(reading, panels) + matrixByteCount
    }

    private var matrixByteCount: Int {
        let (square, oblong) = (8 * x.columnCount * x.columnCount, 8 * x.columnCount * y.columnCount)
        let target = 8 * y.columnCount * y.columnCount
        let foldCount = min(settings.foldCount, x.rowCount)
        let maps = settings.keepsMap ? 3 * (square + oblong) : 0
        switch settings.method {
        case .gram:
            let moments = (foldCount + 1) * (square + oblong + target)
            // Moments of training rows, the scaled problem, its factor, a map and its image; or vectors and workspace.
            return moments + device.laneCount * (5 * square + 3 * oblong) + maps
        case .svd:
            let order = 1 + x.columnCount + y.columnCount
            let runCount = EmbeddingFactors.runCount(
                order: order, foldRowCount: x.rowCount / foldCount, foldCount: foldCount)
            let factors = (foldCount * max(runCount, 2) + 1) * 8 * order * order
            // Of each lane two factors that become one, and the vectors, workspace and map of a fit.
            let solving = device.laneCount * (2 * 8 * order * order + 8 * square + 4 * oblong)
            return factors + solving + square + oblong + target + maps
        }
    }
}
