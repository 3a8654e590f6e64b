import Checkpoints
import Compute

/// Granite: LLaMA with factors of the embeddings, the attention, the residual sums and the logits.
extension Family {
    static let granite = Family(
        name: "granite", modelTypes: ["granite"],
        readConfig: { settings, checkpoint throws(TransformerError) in
            let standard = StandardDecoder(
                family: "granite", hasAttentionBiasSetting: true, hasFeedForwardBiasSetting: true)
            var plan = try standard.plan(settings)
            plan.embedding.scale = try settings.positiveFloat("embedding_multiplier", otherwise: 1)
            plan.residualScale = try settings.positiveFloat("residual_multiplier", otherwise: 1)
            plan.logitScale = 1 / (try settings.positiveFloat("logits_scaling", otherwise: 1))
            let scale = try settings.positiveFloat("attention_multiplier", otherwise: 1)
            for index in plan.layers.indices { plan.layers[index].attention.scale = scale }
            try settings.requireWholeHeads(plan)
            try settings.refuseUnread(harmless: Settings.harmlessKeys)
            return Architecture(plan: plan, sources: StandardDecoder.sources(plan, checkpoint))
        },
        architectures: ["granite"],
        readMetadata: { settings, checkpoint throws(TransformerError) in
            // llama.cpp's converter permutes the rows of Q and K into interleaved pairs.
            let standard = StandardGGUF(family: "granite", rotaryLayout: .interleaved)
            var plan = try standard.plan(settings, checkpoint)
            plan.embedding.scale = try settings.positiveFloat("granite.embedding_scale", otherwise: 1)
            plan.residualScale = try settings.positiveFloat("granite.residual_scale", otherwise: 1)
            plan.logitScale = 1 / (try settings.positiveFloat("granite.logit_scale", otherwise: 1))
            if let scale = try settings.positiveFloatIfPresent("granite.attention.scale") {
                for index in plan.layers.indices { plan.layers[index].attention.scale = scale }
            }
            try settings.refuseUnread(prefix: "granite.")
            return Architecture(plan: plan, sources: standard.sources(plan))
        })
}
