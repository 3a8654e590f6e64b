import Checkpoints
import Linearity

/// What a sweep has measured: its page and its tables.
public struct SweepReport: Sendable {
    let checkpoints: [SweepCheckpoint]
    let comparison: Comparison
    let axis: SweepAxis
    /// Checkpoints that could not be measured, and why.
    let failures: [(checkpoint: SweepCheckpoint, reason: String)]

    struct Measured {
        let checkpoint: SweepCheckpoint
        let profile: Profile
    }

    /// - Parameter measured: In any order; not empty.
    /// - Throws: `ProfileError` for a profile that has no row of a whole layer.
    init(_ measured: [Measured], failures: [(checkpoint: SweepCheckpoint, reason: String)]) throws(ProfileError) {
        let given = measured.map(\.checkpoint)
        // Those that failed may have been all that told no step.
        axis = SweepAxis(given)
        checkpoints = axis.order(given)
        let measured = checkpoints.compactMap { checkpoint in measured.first { $0.checkpoint == checkpoint } }
        comparison = try Comparison(
            measured.map { (label: $0.checkpoint.name, path: $0.checkpoint.name, profile: $0.profile) })
        self.failures = failures
    }

    /// Where the checkpoints stand on the axis.
    var places: [LineChart.Place] {
        checkpoints.enumerated().map { index, checkpoint in
            LineChart.Place(position: Double(axis.value(checkpoint) ?? index + 1), name: checkpoint.name)
        }
    }
}

// MARK: - CSV

extension SweepReport {
    /// A row for each checkpoint and view: the means of the scores over layers, and their ends.
    public func csv() -> String {
        let scores = ComparedScore.all.flatMap { score in
            ComparedScore.Judgement.allCases.map { (score: score, judgement: $0) }
        }
        let names = scores.map { $0.score.name + $0.judgement.suffix }
        let head =
            ["checkpoint", "step", "training_tokens", "view", "tokens", "layers"]
            + names.flatMap { ["\($0)_mean", "\($0)_min", "\($0)_max", "\($0)_slope"] } + ["chance_floor_mean"]
        var lines = [CSV.line(head)]
        for (checkpoint, run) in zip(checkpoints, comparison.runs) {
            for view in run.profile.result.views {
                let front = [
                    checkpoint.name, checkpoint.training.step.map(String.init) ?? "",
                    checkpoint.training.tokenCount.map(String.init) ?? "", view.view.name, String(view.tokenCount),
                    String(view.layers.count),
                ]
                let figures = scores.flatMap { score, judgement -> [Double?] in
                    let summary = run.summary(view.view, score, judgement)
                    return [summary?.mean, summary?.smallest.value, summary?.largest.value, summary?.slope]
                }
                lines.append(CSV.line(front + (figures + [run.floor(view.view)]).map { $0.map { String($0) } ?? "" }))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

// MARK: - Table

extension SweepReport {
    /// The means over the training for a terminal, what is not comparable, and what the axis is.
    public func table() -> String {
        let table = comparison.table()
        guard case .order(let reason) = axis.quantity, checkpoints.count > 1 else { return table }
        return table + "\nCheckpoints stand in the order given: \(reason)."
    }

    /// The means of a checkpoint in a few words.
    public static func line(_ profile: Profile) -> String {
        guard let view = profile.result.views.last else { return "" }
        let run = Comparison.Run(label: "", profile: profile, differences: [])
        let means = ComparedScore.all.map { score in
            "\(Text.plain(run.summary(view.view, score, .fit)?.mean)) \(score.title)"
        }
        return "\(means.joined(separator: ", ")), \(view.view.label)"
    }
}
