import LinearAlgebra
import Pruning
import Reports
import Transformers

/// Fitted maps as a terminal shows them.
struct MapTable {
    let rows: [Row]
    /// As it was asked for.
    let kind: MapKind

    /// What there is to say of a map.
    struct Row {
        let place: String
        let tokenCount: Int
        let kind: MapKind
        let inSample: MapScores
        let heldOut: MapScores?
        let heldOutReason: String
        let rank: Int?
        let conditionNumber: Double?

        init(_ map: LayerFitting.PlacedMap) {
            let site = map.site == .layer ? "" : " \(map.site.rawValue)"
            place = LayerSelection.text(map.layers) + site
            tokenCount = map.fitted.tokenCount
            kind = map.fitted.kind
            inSample = map.fitted.inSample
            heldOut = map.fitted.heldOut
            heldOutReason = map.fitted.heldOutReason
            rank = map.fitted.rank
            conditionNumber = map.fitted.conditionNumber
        }

        fileprivate var parameter: String {
            kind.alpha.map { Text.scientific($0) } ?? kind.rank.map(String.init) ?? ""
        }
    }

    func text() -> String {
        let places = max(5, rows.map(\.place.count).max() ?? 0)
        let tokens = max(6, rows.map { Text.count($0.tokenCount).count }.max() ?? 0)
        let parameter =
            switch kind {
            case .ridge: "alpha"
            case .lowRank: "K"
            case .leastSquares, .diagonal, .orthogonal: ""
            }
        let parameters = parameter.isEmpty ? 0 : max(5, rows.map(\.parameter.count).max() ?? 0) + 2
        let margin = String(repeating: " ", count: places + 2 + tokens + 2 + parameters)
        var lines = ["\(kind.name)\(String(repeating: " ", count: max(0, margin.count - kind.name.count)))"]
        lines[0] += "with residual     without"
        lines.append(
            Text.padded("layer", places) + "  " + Text.aligned("tokens", tokens) + Text.aligned(parameter, parameters)
                + "     fit  held-out    fit  held-out  condition")
        for row in rows {
            let scores = [
                row.inSample.withResidual, row.heldOut?.withResidual, row.inSample.withoutResidual,
                row.heldOut?.withoutResidual,
            ].map { Text.aligned(Text.plain($0), 7) }
            lines.append(
                Text.padded(row.place, places) + "  " + Text.aligned(Text.count(row.tokenCount), tokens)
                    + Text.aligned(row.parameter, parameters) + " " + scores[0] + "   " + scores[1] + scores[2] + "   "
                    + scores[3] + "  "
                    + Text.aligned(row.conditionNumber.map { Text.scientific($0) } ?? "–", 9))
        }
        lines.append("")
        lines.append(
            "fit: share of the stream, or of what the layer adds to it, that the map explains on its own tokens;")
        lines.append("held-out: on tokens that maps of the same kind were not fitted to.")
        if kind.isOpen {
            lines.append("\(parameter) was chosen by held-out errors, which are a little too small therefore.")
        }
        if let reason = rows.first(where: { !$0.heldOutReason.isEmpty })?.heldOutReason {
            lines.append("Held-out scores are missing: \(reason).")
        }
        return lines.joined(separator: "\n")
    }
}
