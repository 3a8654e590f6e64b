import Linearity

extension Comparison {
    /// The rows of all runs as layers.csv holds them, with the run in front; a figure that does not exist is empty.
    public func csv() -> String {
        let head =
            ["run", "model", "corpus", "corpus_fingerprint", "tokens", "compute_type", "folds", "view", "depth"]
            + ["layer", "site", "n"] + ProfileColumn.all.map(\.name)
        var lines = [CSV.line(head)]
        for run in runs {
            let profile = run.profile
            let front = [
                run.label, profile.model.path, profile.corpus.source, profile.corpus.fingerprint,
                String(profile.corpus.tokenCount), profile.run.computeType, String(profile.result.folds.foldCount),
            ]
            for view in profile.result.views {
                for step in view.steps {
                    let depth = DepthSummary.depth(step.layer, of: profile.model.layerCount)
                    lines.append(
                        CSV.line(
                            front + [view.view.name, String(depth), String(step.layer), step.site.rawValue]
                                + [String(step.figures.n)] + ProfileColumn.all.map { $0.text(step.figures) }))
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Comma-separated values (RFC 4180).
enum CSV {
    /// Fields as a line; those that hold commas, quotes or line ends are quoted.
    static func line(_ fields: [String]) -> String { fields.map(field).joined(separator: ",") }

    private static func field(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            byte != UInt8(ascii: ",") && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\n")
                && byte != UInt8(ascii: "\r")
        }
        return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
