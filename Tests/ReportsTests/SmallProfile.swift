import Checkpoints
import Linearity
import Transformers

@testable import Reports

/// A profile of invented numbers: two views, three layers.
enum SmallProfile {
    static func make(
        viewCount: Int = 2, hasTokenErrors: Bool = true, hasHeldOut: Bool = true, name: String = "model.gguf",
        token: String = "word"
    ) -> Profile {
        let layout = SequenceLayout(lengths: [4, 6])
        var views = [Analysis.ViewResult(view: .allTokens, tokenCount: 10)]
        if viewCount > 1 { views.append(Analysis.ViewResult(view: .withoutFirstTokens(skipping: 1), tokenCount: 8)) }
        for index in views.indices {
            for layer in 0..<3 {
                for site in layer == 2 ? [StepSite.layer, .finalNorm] : [.layer] {
                    var figures = LayerFigures(n: 10, momentPrecision: "float64", absentReason: "there is none")
                    figures.linearity = .value(0.9 + 0.01 * Double(layer))
                    figures.linearityWithoutResidual = .value(0.5 + 1 / 3.0 * Double(layer) / 3)
                    if hasHeldOut { figures.linearityHeldOut = .value(layer == 1 ? -7 : 0.8) }
                    figures.chanceFloor = .value(0.1)
                    figures.rank = .value(7)
                    figures.contribution.mean = .value(0.25)
                    figures.contribution.quantiles = [0.1, 0.2, 0.3, 0.4, 0.5].map { .value($0) }
                    let errors = errors(layer, skipsFirst: index == 1, hasHeldOut: hasHeldOut, layout)
                    views[index].steps.append(
                        StepResult(
                            layer: layer, site: site, figures: figures,
                            tokenErrors: hasTokenErrors ? TokenErrorFigures(errors) : nil))
                    views[index].tokenErrors.append(hasTokenErrors ? errors : nil)
                }
            }
        }
        return Profile(
            model: .init(
                name: name, path: "/models/\(name)", repository: "maker/\(name)", revision: "0123", family: "llama",
                layerCount: 3, width: 8, parameterCount: 1000,
                fingerprint: "f0"),
            corpus: .init(
                source: "text.txt", protocolDescription: "windows of 5", sequenceCount: 2, tokenCount: 10,
                askedTokenCount: nil, fingerprint: "c0", seed: nil, hasBeginningOfSequence: false),
            run: .init(
                device: "host", computeType: "f32", laneCount: 2, library: "OpenBLAS", totalSeconds: 1.5,
                loadSeconds: 0.25, peakResidentByteCount: 1 << 20, program: .init(version: "1", gitRevision: nil)),
            settings: ["folds": 5, "site": "layer"],
            result: Analysis.Result(
                views: views, folds: FoldLayout(layout: layout, foldCount: 2),
                memory: MemoryPlan(
                    budgetByteCount: 1 << 30, streamByteCount: 640, workingByteCount: 5000, slabTokenCount: 1024,
                    placement: .memory),
                seconds: .init()),
            texts: hasTokenErrors
                ? TokenTexts(layout: layout, ids: Array(0..<10)) { ids in
                    String(repeating: token, count: ids.count)
                } : nil)
    }

    private static func errors(
        _ layer: Int, skipsFirst: Bool, hasHeldOut: Bool, _ layout: SequenceLayout
    ) -> TokenErrors {
        var values = (0..<10).map { Float(1 + ($0 * 7 + layer) % 5) }
        values[6] = 100
        if skipsFirst { for offset in layout.offsets.dropLast() { values[offset] = .nan } }
        return TokenErrors(
            inSample: values, heldOut: hasHeldOut ? values.map { 2 * $0 } : [],
            heldOutReason: hasHeldOut ? "" : "held-out scores need at least 2 folds")
    }
}
