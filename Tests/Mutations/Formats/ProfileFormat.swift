import Checkpoints
import Linearity
import Reports
import Transformers

/// A profile.json, as `straightedge report` reads it.
struct ProfileFormat: InputFormat {
    let name = "profile"

    private static let fileName = "profile.json"

    func base(_ random: inout RandomSource) -> CaseFiles {
        CaseFiles(Self.fileName, JSONTree(Self.profile(&random).json()).bytes)
    }

    func mutated(_ random: inout RandomSource) -> CaseFiles {
        let isBlind = random.once(in: 3)
        var tree = JSONTree(Self.profile(&random).json())
        if !isBlind { for _ in 0...random.index(3) { tree.mutate(&random) } }
        var files = CaseFiles(Self.fileName, tree.bytes)
        if isBlind || random.once(in: 4) { files.mutateBytes(&random) }
        return files
    }

    func exercise(_ path: String, _ exercise: inout Exercise) {
        guard let profile = exercise.attempt({ try Profile(JSON.read(path), path: path) }) else { return }
        // A page holds a value several times over as text, which is more than the bound for reading allows for.
        guard (try? MappedFile(path).byteCount) ?? 0 <= 1 << 16 else { return }
        let page = profile.page()
        if !page.hasSuffix("</html>\n") || page.split(separator: "<script").count != 2 {
            exercise.complain("the page is not whole, or has another script than its own")
        }
        for figure in profile.figureFiles() where figure.text.contains("nan") || figure.text.contains("<script") {
            exercise.complain("\(figure.name) has a coordinate that is no number, or a script")
        }
        _ = (profile.table(), profile.csv(), profile.summary())
        guard let comparison = exercise.attempt({ try Comparison([(path, profile), (path, profile)]) }) else { return }
        let compared = comparison.page()
        if !compared.hasSuffix("</html>\n") || compared.split(separator: "<script").count != 2 {
            exercise.complain("the page of a comparison is not whole, or has another script than its own")
        }
        _ = (comparison.table(), comparison.csv())
    }

    /// Two views of a few layers, with and without errors of tokens.
    private static func profile(_ random: inout RandomSource) -> Profile {
        let layout = SequenceLayout(lengths: [3, 5])
        let hasErrors = !random.once(in: 4)
        var views = [
            Analysis.ViewResult(view: .allTokens, tokenCount: 8),
            Analysis.ViewResult(view: .withoutFirstTokens(skipping: 1), tokenCount: 6),
        ]
        for index in views.indices {
            for layer in 0..<2 {
                var figures = LayerFigures(n: 8, momentPrecision: "float64", absentReason: "there is none")
                figures.linearity = .value(0.9)
                figures.linearityHeldOut = .value(-2.5)
                figures.linearityWithoutResidual = .value(0.4)
                figures.rank = .value(7)
                figures.contribution.mean = .value(0.25)
                figures.contribution.quantiles = [0.1, 0.2, 0.3, 0.4, 0.5].map { .value($0) }
                let errors = TokenErrors(
                    inSample: (0..<8).map { Float(1 + $0 % 4) }, heldOut: (0..<8).map { Float(2 + $0 % 3) },
                    heldOutReason: "")
                views[index].steps.append(
                    StepResult(
                        layer: layer, site: .layer, figures: figures,
                        tokenErrors: hasErrors ? TokenErrorFigures(errors) : nil))
                views[index].tokenErrors.append(hasErrors ? errors : nil)
            }
        }
        let memory = MemoryPlan(
            budgetByteCount: 1 << 30, streamByteCount: 640, workingByteCount: 5000, slabTokenCount: 64,
            placement: .memory)
        return Profile(
            model: .init(
                path: "/m/a.gguf", family: "llama", layerCount: 2, width: 4, parameterCount: 9, fingerprint: "f"),
            corpus: .init(
                source: "a.txt", protocolDescription: "windows", sequenceCount: 2, tokenCount: 8, askedTokenCount: 8,
                fingerprint: "c", seed: 0, hasBeginningOfSequence: true),
            run: .init(
                device: "host", computeType: "f32", laneCount: 2, library: "OpenBLAS", totalSeconds: 1,
                loadSeconds: 0.5, peakResidentByteCount: 1 << 20, program: .init(version: "1", gitRevision: "0")),
            settings: ["folds": 5],
            result: Analysis.Result(
                views: views, folds: FoldLayout(layout: layout, foldCount: 2), memory: memory, seconds: .init()),
            texts: hasErrors ? TokenTexts(layout: layout, ids: Array(0..<8)) { "<\($0.count)>" } : nil)
    }
}
