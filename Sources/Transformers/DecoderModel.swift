public import Checkpoints

/// A checkpoint that has been understood: its plan, and where each weight is.
public struct DecoderModel: Sendable {
    /// What is computed; it may be altered where the tensors still fit it.
    public var plan: DecoderPlan
    public internal(set) var checkpoint: Checkpoint
    var sources: ModelSources

    /// Families that can be read.
    public static let knownFamilies = Family.known.map(\.name)

    /// Decodes the plan from config.json or GGUF metadata, and checks that the tensors are those of the plan.
    ///
    /// - Throws: `TransformerError`: an unknown family, a setting that is not understood, a tensor that is absent, of
    ///   the wrong shape, of an unsupported type, or that has no place.
    public init(_ checkpoint: Checkpoint) throws(TransformerError) {
        self.checkpoint = checkpoint
        let architecture = try Family.read(checkpoint)
        (plan, sources) = (architecture.plan, architecture.sources)
        try checkTensors()
    }

    /// The compute type that follows the checkpoint: that of its matrices, and bfloat16 where they are quantized.
    public var storedComputeType: ComputeType {
        let names = sources.layers.lazy.compactMap { $0.feedForwardOutput.parts.first?.weight }
        return switch names.compactMap({ checkpoint.elementType(of: $0) }).first {
        case .float32, .float64: .f32
        case .float16: .f16
        default: .bf16
        }
    }

    /// Number of weights, a tied head counted once.
    public var parameterCount: Int { DecoderModel.elementCount(sources.tensors(plan)) }

    /// Number of weights in all layers.
    public var layerParameterCount: Int {
        sources.layers.reduce(0) { $0 + DecoderModel.elementCount($1.tensors(plan)) }
    }

    private static func elementCount(_ tensors: [StoredShape]) -> Int {
        Set(tensors).reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    /// The model with its first layer in the place of `count` layers: the work of a deep model with the weights of one
    /// layer, for measurements of speed.
    public func repeatingFirstLayer(count: Int) -> DecoderModel {
        var model = self
        model.plan.layers = Array(repeating: plan.layers[0], count: count)
        model.sources.layers = Array(repeating: sources.layers[0], count: count)
        return model
    }

    /// After this every size of the plan is that of a tensor in the files, and memory for them is justified.
    private func checkTensors() throws(TransformerError) {
        let expected = sources.tensors(plan)
        let known = sources.ignored.union(expected.map(\.name))
        for name in checkpoint.tensorNames where !known.contains(name) {
            throw .unexpectedTensor(path: checkpoint.path, name: name, family: plan.family)
        }
        for tensor in expected {
            try wrappingCheckpoint { () throws(CheckpointError) in
                try checkpoint.requireTensor(tensor.name, shape: tensor.shape)
            }
        }
    }
}
