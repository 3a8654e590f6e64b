public import Checkpoints
import Linearity

extension Profile {
    /// The profile as profile.json holds it. A figure that does not exist is null, with its reason in
    /// `null_reasons` of the same object.
    public func json() -> JSON {
        [
            "schema": .string(Profile.schema),
            "model": model.json(),
            "corpus": corpus.json(),
            "run": runJSON(),
            "views": .array(result.views.indices.map(viewJSON)),
        ]
    }

    private func runJSON() -> JSON {
        let (memory, seconds) = (result.memory, result.seconds)
        return run.json(
            [
                ("folds", .integer(result.folds.foldCount)),
                ("fold_boundaries", .array(result.folds.boundaries.map(JSON.integer))),
                ("settings", .object(settings)), ("resumptions", .integer(resumptionCount)),
                ("tokens_per_second", .number(tokensPerSecond)),
                (
                    "memory",
                    [
                        "budget_bytes": .integer(memory.budgetByteCount), "planned_bytes": .integer(memory.byteCount),
                        "stream_bytes": .integer(memory.streamByteCount),
                        "stream": .string(memory.placement.rawValue), "slab_tokens": .integer(memory.slabTokenCount),
                    ]
                ),
            ],
            seconds: [
                ("forward", .number(seconds.forward)), ("moments", .number(seconds.moments)),
                ("solve", .number(seconds.solve)), ("token_errors", .number(seconds.tokenErrors)),
            ])
    }

    private func viewJSON(_ index: Int) -> JSON {
        let view = result.views[index]
        let rows = view.steps.filter { $0.site != .finalNorm }.map { $0.json(contexts) }
        var object: JSONObject = [
            "name": .string(view.view.name), "skipped_tokens": .integer(view.view.skippedTokenCount),
            "tokens": .integer(view.tokenCount), "layers": .array(rows),
        ]
        if excerpts.indices.contains(index) { object["excerpts"] = .array(excerpts[index].map { $0.json() }) }
        if let step = view.finalNorm {
            object["final_norm"] = step.json(contexts)
        } else {
            object["final_norm"] = .null
            object["null_reasons"] = ["final_norm": "the last layer was not among the layers asked for"]
        }
        return .object(object)
    }
}

extension Profile.Model {
    func json() -> JSON {
        [
            "name": name.map(JSON.string) ?? .null, "path": .string(path),
            "repository": repository.map(JSON.string) ?? .null,
            "revision": revision.map(JSON.string) ?? .null, "family": .string(family),
            "layers": .integer(layerCount),
            "width": .integer(width), "parameters": .integer(parameterCount),
            "fingerprint": .string(fingerprint),
        ]
    }
}

extension Profile.Corpus {
    func json() -> JSON {
        [
            "source": .string(source), "protocol": .string(protocolDescription),
            "sequences": .integer(sequenceCount), "tokens": .integer(tokenCount),
            "tokens_asked": askedTokenCount.map(JSON.integer) ?? .null,
            "fingerprint": .string(fingerprint), "seed": seed.map(JSON.integer) ?? .null,
            "bos": hasBeginningOfSequence.map(JSON.bool) ?? .null,
        ]
    }
}

extension StepResult {
    /// As a row of profile.json.
    func json(_ contexts: [Int: TokenContext]) -> JSON {
        var object: JSONObject = [
            "layer": .integer(layer), "site": .string(site.rawValue), "n": .integer(figures.n),
        ]
        let reasons = figures.write(to: &object)
        if let errors = tokenErrors { object["token_errors"] = errors.json(contexts) }
        if reasons.count > 0 { object["null_reasons"] = .object(reasons) }
        return .object(object)
    }
}

extension LayerFigures {
    /// Writes the figures under their names; one that does not exist is null.
    ///
    /// - Returns: The reasons of those that do not exist, by name.
    func write(to object: inout JSONObject) -> JSONObject {
        var reasons = JSONObject()
        for column in ProfileColumn.all {
            switch column.figure(self) {
            case .value(let value) where column.name == "rank": object[column.name] = .integer(Int(value))
            case .value(let value): object[column.name] = .number(value)
            case .absent(let reason):
                object[column.name] = .null
                reasons[column.name] = .string(reason)
            }
        }
        object["moments"] = .string(momentPrecision)
        object["quantiles"] = quantiles()
        return reasons
    }

    private func quantiles() -> JSON {
        func values(_ distribution: Distribution) -> JSON {
            .array(distribution.quantiles.map { $0.value.map(JSON.number) ?? .null })
        }
        return [
            "probabilities": .array(Distribution.probabilities.map(JSON.number)),
            "contribution": values(contribution), "contribution_to_output": values(contributionToOutput),
            "cosine": values(cosine), "angular_distance": values(angularDistance),
        ]
    }
}
