public import Checkpoints
import Linearity
import Transformers

extension Profile {
    /// Reads a profile.json.
    ///
    /// - Parameter path: Its name, for messages.
    /// - Throws: `ProfileError` with the place that is not as `json()` writes it.
    public init(_ json: JSON, path: String) throws(ProfileError) {
        let file = JSONReader(path: path, place: "", value: json)
        let schema = try file.required("schema")
        let name = try schema.string()
        guard name == Profile.schema else {
            if let version = Profile.version(of: name), let known = Profile.version(of: Profile.schema), version > known
            {
                throw ProfileError(
                    description: "\(path): schema is \(name.quoted), which a later straightedge wrote; this one reads "
                        + "\(Profile.schema.quoted): use the later one")
            }
            throw schema.wrong(Profile.schema.quoted, found: name.quoted)
        }
        let views = try file.required("views").elements()
        guard !views.isEmpty else { throw file.wrong("a profile with a view", found: "one without") }
        let run = try file.required("run")
        self.init(
            model: try Model(file.required("model")), corpus: try Corpus(file.required("corpus")),
            run: try Computation(run), resumptionCount: try run.member("resumptions")?.count() ?? 0,
            settings: run.member("settings")?.value.object ?? JSONObject(), result: try Analysis.Result(views, run: run)
        )
        for view in views {
            try readContexts(view)
            excerpts.append(try Profile.excerpts(view))
        }
    }

    /// The number behind a profile's schema; nil where it is another schema.
    private static func version(of schema: String) -> Int? {
        let parts = schema.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == Profile.schema.prefix(while: { $0 != "/" }) else { return nil }
        return Int(parts[1])
    }

    private mutating func readContexts(_ view: JSONReader) throws(ProfileError) {
        for row in try view.required("layers").elements() { try readContexts(ofRow: row) }
        if let row = view.member("final_norm") { try readContexts(ofRow: row) }
    }

    private mutating func readContexts(ofRow row: JSONReader) throws(ProfileError) {
        guard let errors = row.member("token_errors") else { return }
        for kind in ["in_sample", "held_out"] {
            guard let worst = try errors.member(kind)?.required("worst").elements() else { continue }
            for token in worst where token.member("sequence") != nil {
                contexts[try token.required("row").count()] = try TokenContext(token)
            }
        }
    }

    private static func excerpts(_ view: JSONReader) throws(ProfileError) -> [Excerpt] {
        guard let list = view.member("excerpts") else { return [] }
        let layerCount = try view.required("layers").elements().count { $0.value["site"]?.string == "layer" }
        return try list.elements().map { excerpt throws(ProfileError) in
            try Excerpt(excerpt, layerCount: layerCount)
        }
    }
}

extension TokenContext {
    fileprivate init(_ token: JSONReader) throws(ProfileError) {
        guard let id = Int32(exactly: try token.required("id").count()) else {
            throw token.wrong("a token", found: "one with too large an id")
        }
        self.init(
            sequence: try token.required("sequence").count(), position: try token.required("position").count(), id: id,
            text: try token.member("text")?.string(), before: try token.member("before")?.string(),
            after: try token.member("after")?.string())
    }
}

extension Excerpt {
    fileprivate init(_ excerpt: JSONReader, layerCount: Int) throws(ProfileError) {
        let ids = try excerpt.required("ids").counts()
        let texts = try excerpt.required("texts").elements()
        let errors = try excerpt.required("errors").elements()
        guard texts.count == ids.count, errors.count == layerCount else {
            throw excerpt.wrong("an excerpt with a text for each token and errors for each layer", found: "another")
        }
        self.init(
            sequence: try excerpt.required("sequence").count(),
            firstPosition: try excerpt.required("first_position").count(),
            worstPosition: try excerpt.required("worst_position").count(),
            isHeldOut: try excerpt.required("errors_are").string() == "held_out",
            ids: ids.map { Int32(clamping: $0) },
            texts: try texts.map { text throws(ProfileError) in text.value.isNull ? nil : try text.string() },
            errors: try errors.map { row throws(ProfileError) in
                let elements = try row.elements()
                guard elements.count == ids.count else {
                    throw row.wrong("\(ids.count) errors", found: "\(elements.count)")
                }
                return try elements.map { error throws(ProfileError) in
                    error.value.isNull ? .nan : Float(try error.number())
                }
            })
    }
}

extension Analysis.Result {
    fileprivate init(_ views: JSONReader.Elements, run: JSONReader) throws(ProfileError) {
        var results: [Analysis.ViewResult] = []
        for view in views {
            let skipped = try view.required("skipped_tokens").count()
            var result = Analysis.ViewResult(
                view: skipped == 0 ? .allTokens : .withoutFirstTokens(skipping: skipped),
                tokenCount: try view.required("tokens").count())
            for row in try view.required("layers").elements() { result.steps.append(try StepResult(row)) }
            if let row = view.member("final_norm") { result.steps.append(try StepResult(row)) }
            if let first = results.first, first.steps.map(\.place) != result.steps.map(\.place) {
                throw view.wrong("a view with the same steps as the first", found: "one with others")
            }
            results.append(result)
        }
        let boundaries = try run.required("fold_boundaries")
        guard let folds = FoldLayout(boundaries: try boundaries.counts()) else {
            throw boundaries.wrong("at least two ascending row numbers from 0", found: "something else")
        }
        let seconds = try run.required("seconds")
        var stages = Analysis.Seconds()
        stages.forward = try seconds.required("forward").number()
        stages.moments = try seconds.required("moments").number()
        stages.solve = try seconds.required("solve").number()
        stages.tokenErrors = try seconds.member("token_errors")?.number() ?? 0
        let memory = try run.required("memory")
        let placement = try memory.required("stream")
        guard let placement = Stream.PlacementKind(rawValue: try placement.string()) else {
            throw placement.wrong("'memory', 'host memory' or 'scratch file'", found: "something else")
        }
        let planned = try memory.required("planned_bytes").count()
        let streams = try memory.required("stream_bytes").count()
        self.init(
            views: results, folds: folds,
            memory: MemoryPlan(
                budgetByteCount: try memory.required("budget_bytes").count(), streamByteCount: streams,
                workingByteCount: max(0, placement == .memory ? planned - streams : planned),
                slabTokenCount: try memory.required("slab_tokens").count(), placement: placement),
            seconds: stages)
    }
}

extension Profile.Model {
    fileprivate init(_ model: JSONReader) throws(ProfileError) {
        self.init(
            name: try model.member("name")?.string(), path: try model.required("path").string(),
            repository: try model.member("repository")?.string(), revision: try model.member("revision")?.string(),
            family: try model.required("family").string(),
            layerCount: try model.required("layers").count(), width: try model.required("width").count(),
            parameterCount: try model.required("parameters").count(),
            fingerprint: try model.required("fingerprint").string())
    }
}

extension Profile.Corpus {
    fileprivate init(_ corpus: JSONReader) throws(ProfileError) {
        self.init(
            source: try corpus.required("source").string(),
            protocolDescription: try corpus.required("protocol").string(),
            sequenceCount: try corpus.required("sequences").count(), tokenCount: try corpus.required("tokens").count(),
            askedTokenCount: try corpus.member("tokens_asked")?.count(),
            fingerprint: try corpus.required("fingerprint").string(), seed: try corpus.member("seed")?.count(),
            hasBeginningOfSequence: corpus.member("bos")?.value.bool)
    }
}

extension StepResult {
    /// Which step it is.
    fileprivate var place: String { "\(layer) \(site.rawValue)" }
}
