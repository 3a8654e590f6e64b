public import Checkpoints
public import Linearity

/// A comparison of two matrices with everything needed to trust and repeat it: what `procrustes` writes.
public struct EmbeddingReport: Sendable {
    public var x: StoredMatrix
    public var y: StoredMatrix
    public var settings: EmbeddingComparison.Settings
    public var result: EmbeddingComparison.Result
    public var run: Run

    /// The name and version of the format.
    public static let schema = "straightedge.procrustes/1"

    public struct Run: Sendable {
        public var device: String
        public var laneCount: Int
        /// The matrix library and the kernel set it chose.
        public var library: String
        public var totalSeconds: Double
        public var peakResidentByteCount: Int
        public var version: String
        public var gitRevision: String?

        public init(
            device: String, laneCount: Int, library: String, totalSeconds: Double, peakResidentByteCount: Int,
            version: String, gitRevision: String?
        ) {
            self.device = device
            self.laneCount = laneCount
            self.library = library
            self.totalSeconds = totalSeconds
            self.peakResidentByteCount = peakResidentByteCount
            self.version = version
            self.gitRevision = gitRevision
        }
    }

    public init(
        x: StoredMatrix, y: StoredMatrix, settings: EmbeddingComparison.Settings, result: EmbeddingComparison.Result,
        run: Run
    ) {
        self.x = x
        self.y = y
        self.settings = settings
        self.result = result
        self.run = run
    }
}

// MARK: - JSON

extension EmbeddingReport {
    /// The report as JSON. A figure that does not exist is null, with its reason in `null_reasons` of the same object.
    public func json() -> JSON {
        [
            "schema": .string(EmbeddingReport.schema),
            "x": EmbeddingReport.json(x, result.fingerprints.x), "y": EmbeddingReport.json(y, result.fingerprints.y),
            "run": runJSON(), "figures": figuresJSON(), "warnings": .array(result.warnings.map(JSON.string)),
        ]
    }

    private static func json(_ matrix: StoredMatrix, _ fingerprint: String) -> JSON {
        [
            "path": .string(matrix.path), "format": .string(matrix.format.rawValue),
            "tensor": matrix.name.map(JSON.string) ?? .null,
            "shape": [.integer(matrix.rowCount), .integer(matrix.columnCount)],
            "type": .string(matrix.elementType.rawValue),
            "byte_order": matrix.isBigEndian ? "big" : "little", "order": matrix.isColumnMajor ? "columns" : "rows",
            "fingerprint": .string(fingerprint),
        ]
    }

    private func runJSON() -> JSON {
        [
            "device": .string(run.device), "method": .string(settings.method.rawValue),
            "folds": .integer(result.folds.foldCount),
            "fold_boundaries": .array(result.folds.boundaries.map(JSON.integer)),
            "seconds": [
                "total": .number(run.totalSeconds), "reading": .number(result.seconds.reading),
                "multiplying": .number(result.seconds.multiplying), "solving": .number(result.seconds.solving),
            ],
            "peak_resident_bytes": .integer(run.peakResidentByteCount),
            "memory": [
                "budget_bytes": .integer(result.memory.budget), "planned_bytes": .integer(result.memory.planned),
            ],
            "lanes": .integer(run.laneCount), "library": .string(run.library), "version": .string(run.version),
            "git_revision": run.gitRevision.map(JSON.string) ?? .null,
        ]
    }

    private func figuresJSON() -> JSON {
        var object: JSONObject = ["n": .integer(result.figures.n)]
        var reasons = result.figures.write(to: &object)
        for (name, figure) in [
            ("linear_cka", result.linearCKA), ("rv", result.linearCKA), ("rv_modified", result.modifiedRV),
        ] {
            object[name] = figure.value.map(JSON.number) ?? .null
            if let reason = figure.reason { reasons[name] = .string(reason) }
        }
        if reasons.count > 0 { object["null_reasons"] = .object(reasons) }
        return .object(object)
    }
}

// MARK: - Table

extension EmbeddingReport {
    /// The figures for a terminal.
    public func table() -> String {
        let figures = result.figures
        var lines = [
            "X  \(EmbeddingReport.describe(x))", "Y  \(EmbeddingReport.describe(y))", "",
            row("", "fit", "held-out", "adjusted"),
            row(
                "linearity", figures.linearity, figures.linearityHeldOut, figures.linearityHeldOutStandardError,
                figures.linearityAdjusted),
        ]
        if figures.linearityWithoutResidual.value != nil {
            lines.append(
                row(
                    "  without residual", figures.linearityWithoutResidual, figures.linearityWithoutResidualHeldOut,
                    figures.linearityWithoutResidualHeldOutStandardError, figures.linearityWithoutResidualAdjusted))
        }
        lines += [
            line("  of unrelated data", figures.chanceFloor),
            line("orthogonal Procrustes", figures.orthogonalProcrustes),
            line("linear CKA, or RV", result.linearCKA), line("  modified RV", result.modifiedRV), "",
        ]
        return (lines + notes()).joined(separator: "\n")
    }

    private static func describe(_ matrix: StoredMatrix) -> String {
        matrix.path.legible + (matrix.name.map { ", \($0.quoted)" } ?? "")
            + ": \(Text.count(matrix.rowCount)) rows of \(matrix.columnCount), \(matrix.elementType.rawValue)"
    }

    private func row(_ name: String, _ fit: String, _ heldOut: String, _ adjusted: String) -> String {
        Text.padded(name, 24) + Text.padded(fit, 10) + Text.padded(heldOut, 20) + adjusted
    }

    private func row(
        _ name: String, _ fit: Figure, _ heldOut: Figure, _ standardError: Figure, _ adjusted: Figure
    ) -> String {
        let deviation = standardError.value.map { " ± \(Text.fixed($0, 4))" } ?? ""
        return row(name, Text.plain(fit.value), Text.plain(heldOut.value) + deviation, Text.plain(adjusted.value))
    }

    private func line(_ name: String, _ figure: Figure) -> String {
        Text.padded(name, 24) + Text.plain(figure.value) + (figure.reason.map { "  (\($0))" } ?? "")
    }

    private func notes() -> [String] {
        let figures = result.figures
        var notes = ["linearity: 1 - ‖E‖²/‖Y_c‖², E the residual of Y ≈ X·A + b; on the rows of the fit, and held out."]
        if let reason = figures.linearityHeldOut.reason { notes.append("held-out: none, \(reason).") }
        if let rank = figures.rank.value, let cutoff = figures.rankCutoff.value {
            let condition = figures.conditionNumber.value.map { ", condition number \(Text.scientific($0))" } ?? ""
            notes.append(
                "X: rank \(Int(rank)) of \(x.columnCount) at the cut-off \(Text.scientific(cutoff))\(condition); "
                    + "\(figures.momentPrecision) products.")
        }
        return notes
    }
}
