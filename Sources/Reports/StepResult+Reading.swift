import Checkpoints
import Linearity

extension StepResult {
    /// Reads a row of profile.json.
    init(_ row: JSONReader) throws(ProfileError) {
        let siteName = try row.required("site")
        guard let site = StepSite(rawValue: try siteName.string()) else {
            throw siteName.wrong(
                StepSite.allCases.map(\.rawValue).joined(separator: ", "), found: try siteName.string().quoted)
        }
        self.init(
            layer: try row.required("layer").count(), site: site, figures: try LayerFigures(row),
            tokenErrors: try row.member("token_errors").map { errors throws(ProfileError) in
                try TokenErrorFigures(errors)
            })
    }
}

extension LayerFigures {
    init(_ row: JSONReader) throws(ProfileError) {
        let precision = try row.member("moments")?.string() ?? ""
        self.init(n: try row.required("n").count(), momentPrecision: precision, absentReason: "not in the file")
        let reasons = row.member("null_reasons")
        for column in ProfileColumn.all {
            if let value = row.member(column.name) {
                let number = try column.name == "rank" ? Double(value.count()) : value.number()
                column.set(.value(number), in: &self)
            } else if let reason = reasons?.member(column.name) {
                column.set(.absent(reason: try reason.string()), in: &self)
            }
        }
        guard let quantiles = row.member("quantiles") else { return }
        try contribution.readQuantiles(quantiles.member("contribution"))
        try contributionToOutput.readQuantiles(quantiles.member("contribution_to_output"))
        try cosine.readQuantiles(quantiles.member("cosine"))
        try angularDistance.readQuantiles(quantiles.member("angular_distance"))
    }
}

extension Distribution {
    fileprivate mutating func readQuantiles(_ reader: JSONReader?) throws(ProfileError) {
        guard let elements = try reader?.elements(), elements.count == quantiles.count else { return }
        for (index, element) in elements.enumerated() {
            quantiles[index] =
                element.value.isNull
                ? .absent(reason: mean.reason ?? "not in the file") : .value(try element.number())
        }
    }
}

extension TokenErrorFigures {
    init(_ errors: JSONReader) throws(ProfileError) {
        let histogram = try errors.required("histogram")
        let edges = try histogram.required("edges").numbers()
        let binCount = max(0, edges.count - 1)
        func counts(_ key: String) throws(ProfileError) -> [Int] {
            guard let counts = try histogram.member(key)?.counts() else { return [] }
            guard counts.count == binCount else {
                throw histogram.wrong("\(binCount) counts in '\(key)'", found: "\(counts.count)")
            }
            return counts
        }
        guard zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 }), edges.first ?? 1 > 1e-300,
            edges.last ?? 1 < 1e300
        else {
            throw histogram.wrong("edges above zero that ascend", found: "something else")
        }
        self.init(
            inSample: try Spread(errors.required("in_sample")),
            heldOut: try errors.member("held_out").map { spread throws(ProfileError) in try Spread(spread) },
            heldOutReason: try errors.member("null_reasons")?.member("held_out")?.string() ?? "",
            histogram: Histogram(edges: edges, inSample: try counts("in_sample"), heldOut: try counts("held_out")))
    }
}

extension TokenErrorFigures.Spread {
    fileprivate init(_ spread: JSONReader) throws(ProfileError) {
        let quantiles = try spread.required("quantiles")
        let values = try quantiles.numbers()
        guard values.count == TokenErrorFigures.probabilities.count else {
            throw quantiles.wrong("\(TokenErrorFigures.probabilities.count) numbers", found: "\(values.count)")
        }
        self.init(
            mean: try spread.required("mean").number(), quantiles: values,
            shareOfTokensWithHalf: try spread.required("share_of_tokens_with_half_of_squared_error").number(),
            worst: try spread.required("worst").elements().map { token throws(ProfileError) in
                TokenErrorFigures.RankedToken(
                    row: try token.required("row").count(), error: try token.required("error").number())
            })
    }
}
