import Checkpoints
import Linearity

extension TokenErrorFigures {
    /// As `token_errors` of a row of profile.json.
    func json(_ contexts: [Int: TokenContext]) -> JSON {
        var object: JSONObject = [
            "probabilities": .array(TokenErrorFigures.probabilities.map(JSON.number)),
            "in_sample": inSample.json(contexts),
            "held_out": heldOut?.json(contexts) ?? .null,
            "histogram": [
                "edges": .array(histogram.edges.map(JSON.number)),
                "in_sample": .array(histogram.inSample.map(JSON.integer)),
                "held_out": heldOut == nil ? .null : .array(histogram.heldOut.map(JSON.integer)),
            ],
        ]
        if heldOut == nil { object["null_reasons"] = ["held_out": .string(heldOutReason)] }
        return .object(object)
    }
}

extension TokenErrorFigures.Spread {
    func json(_ contexts: [Int: TokenContext]) -> JSON {
        [
            "mean": .number(mean), "quantiles": .array(quantiles.map(JSON.number)),
            "share_of_tokens_with_half_of_squared_error": .number(shareOfTokensWithHalf),
            "worst": .array(
                worst.map { token in
                    var object: JSONObject = ["row": .integer(token.row), "error": .number(token.error)]
                    if let context = contexts[token.row] {
                        object["sequence"] = .integer(context.sequence)
                        object["position"] = .integer(context.position)
                        object["id"] = .integer(Int(context.id))
                        object["text"] = context.text.map(JSON.string) ?? .null
                        object["before"] = context.before.map(JSON.string) ?? .null
                        object["after"] = context.after.map(JSON.string) ?? .null
                    }
                    return .object(object)
                }),
        ]
    }
}

extension Excerpt {
    func json() -> JSON {
        [
            "sequence": .integer(sequence), "first_position": .integer(firstPosition),
            "worst_position": .integer(worstPosition), "errors_are": .string(isHeldOut ? "held_out" : "in_sample"),
            "ids": .array(ids.map { .integer(Int($0)) }), "texts": .array(texts.map { $0.map(JSON.string) ?? .null }),
            "errors": .array(
                errors.map { row in .array(row.map { $0.isFinite ? .number(Double($0)) : .null }) }),
        ]
    }
}
