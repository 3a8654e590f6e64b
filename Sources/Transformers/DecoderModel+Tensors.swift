public import Checkpoints

/// The names of a model's tensors, for what writes models.
extension DecoderModel {
    /// Tensors outside the layers, each once.
    public var outerTensorNames: [String] { distinctNames(sources.outerTensors(plan)) }

    /// Tensors of a layer, each once.
    public func tensorNames(ofLayer index: Int) -> [String] { distinctNames(sources.layers[index].tensors(plan)) }

    /// What the names of a layer's tensors begin with, for instance `model.layers.7`.
    ///
    /// - Parameter index: Of a layer of the model as it is stored.
    public func prefix(ofLayer index: Int) -> String { sources.layers[index].prefix(index) }

    /// The matrix of the MLP's last projection.
    public func feedForwardOutputName(ofLayer index: Int) -> String {
        sources.layers[index].feedForwardOutput.parts[0].weight
    }

    /// Whether the layer has LLaMA's modules: `input_layernorm`, `self_attn`, `post_attention_layernorm` and `mlp`, each
    /// sublayer x + f(norm(x)).
    public func hasStandardModules(layer index: Int) -> Bool {
        let (layer, prefix) = (sources.layers[index], sources.layers[index].prefix(index))
        let attention = [layer.attentionOutput] + [layer.queryKeyValue]
        let feedForward = [layer.feedForwardInput, layer.feedForwardOutput]
        return plan.normPlacement == .before && plan.residual == .sequential && plan.residualScale == 1
            && layer.attentionNorm?.weight == "\(prefix).input_layernorm.weight"
            && layer.feedForwardNorm?.weight == "\(prefix).post_attention_layernorm.weight"
            && attention.allSatisfy { $0.parts.allSatisfy { $0.weight.hasPrefix("\(prefix).self_attn.") } }
            && feedForward.allSatisfy { $0.parts.allSatisfy { $0.weight.hasPrefix("\(prefix).mlp.") } }
    }

    /// The plan that another config.json would give the model's tensors.
    ///
    /// - Throws: `TransformerError`: a setting that is not understood.
    public func plan(configuration: JSON) throws(TransformerError) -> DecoderPlan {
        try Family.read(checkpoint, configuration: configuration).plan
    }

    private func distinctNames(_ tensors: [StoredShape]) -> [String] {
        var seen: Set<String> = []
        return tensors.map(\.name).filter { seen.insert($0).inserted }
    }
}
