import Checkpoints
import Compute

/// Mistral 7B: LLaMA with a sliding window on every layer, where the settings have one (Jiang et al. 2023).
extension Family {
    static let mistral = Family(
        name: "mistral", modelTypes: ["mistral"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "mistral", keyHeadCount: 8, hasKeyHeadDefault: true, maximumPositions: 131072)
            var plan = try standard.plan(settings)
            let silent = settings.isPresent("sliding_window") ? nil : 4096
            let window = try settings.countIfPresent("sliding_window") ?? silent
            plan.setWindow(window)
            try settings.requireWholeHeads(plan)
            // The class does not read it.
            try settings.refuseUnread(harmless: Settings.harmlessKeys.union(["layer_types"]))
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        })
}
