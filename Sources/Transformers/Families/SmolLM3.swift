import Checkpoints
import Compute

/// SmolLM3: LLaMA with every fourth layer without positions.
extension Family {
    static let smolLM3 = Family(
        name: "smollm3", modelTypes: ["smollm3"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "smollm3", keyHeadCount: 4, hasKeyHeadDefault: true, maximumPositions: 32768, isTied: true,
                hasAttentionBiasSetting: true, hasFeedForwardBiasSetting: true,
                rotary: RotaryDefaults(base: 2_000_000))
            var plan = try standard.plan(settings)
            let areRotated = try SmolLM3.rotatedLayers(plan, settings)
            for index in plan.layers.indices where !areRotated[index] { plan.layers[index].rotary = nil }
            let window = try settings.countIfPresent("sliding_window")
            let areSliding = try settings.slidingLayers(plan) { !areRotated[$0] }
            if try settings.flag("use_sliding_window", otherwise: false) { plan.setWindow(window, on: areSliding) }
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["smollm3"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            let standard = StandardGGUF(family: "smollm3", rotaryLayout: .interleaved)
            var plan = try standard.plan(settings, checkpoint)
            for index in plan.layers.indices where (index + 1).isMultiple(of: 4) { plan.layers[index].rotary = nil }
            try settings.refuseUnread(prefix: "smollm3.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

private enum SmolLM3 {
    /// `no_rope_layers` has a 1 for each layer with rotary positions.
    static func rotatedLayers(_ plan: DecoderPlan, _ settings: Settings) throws(TransformerError) -> [Bool] {
        let interval = try settings.count("no_rope_layer_interval", otherwise: 4)
        guard let list = try settings.json("no_rope_layers") else {
            return plan.layers.indices.map { !($0 + 1).isMultiple(of: interval) }
        }
        let flags = (list.array ?? []).compactMap(\.integer)
        guard flags.count == plan.layerCount, flags.count == list.array?.count,
            flags.allSatisfy({ $0 == 0 || $0 == 1 })
        else { throw settings.problem("no_rope_layers", "is not a list of \(plan.layerCount) zeros and ones") }
        return flags.map { $0 == 1 }
    }
}
