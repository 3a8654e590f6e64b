import Checkpoints
import Compute

/// LLaMA 1 to 3.2 and what is built like it, TinyLlama and SmolLM2 among them: RMSNorm before each sublayer, rotary
/// positions, grouped-query attention, SwiGLU (Touvron et al. 2023).
extension Family {
    static let llama = Family(
        name: "llama", modelTypes: ["llama"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "llama", hasAttentionBiasSetting: true, hasFeedForwardBiasSetting: true)
            let plan = try standard.plan(settings)
            try settings.require("rope_interleaved", equals: false)
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(
                harmless: Settings.harmlessKeys.union(["is_llama_config"]))
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["llama"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            // llama.cpp's converter permutes the rows of Q and K into interleaved pairs.
            let standard = StandardGGUF(family: "llama", rotaryLayout: .interleaved)
            let plan = try standard.plan(settings, checkpoint)
            try settings.refuseUnread(prefix: "llama.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}

extension Settings {
    /// For families whose heads are turned whole.
    func requireWholeHeads(_ plan: DecoderPlan) throws(TransformerError) {
        for rotary in plan.rotaries where rotary.width != plan.heads.width {
            throw problem("partial_rotary_factor", "is not 1; \(plan.family) turns whole heads")
        }
    }
}
