public import Checkpoints

/// A checkpoint that has been understood: its plan, and where each weight is.
public struct DecoderModel: Sendable {
    /// What is computed; it may be altered where the tensors still fit it.
    public var plan: DecoderPlan
    public let checkpoint: Checkpoint
    private(set) var names: TensorNames

    /// Families that can be read.
    public static let knownFamilies = ["llama"]

    /// Decodes the plan from config.json or GGUF metadata, and checks that the tensors are those of the plan.
    ///
    /// - Throws: `TransformerError`: an unknown family, a setting that is not understood, a tensor that is absent, of
    ///   the wrong shape, of an unsupported type, or that has no place.
    public init(_ checkpoint: Checkpoint) throws(TransformerError) {
        self.checkpoint = checkpoint
        switch checkpoint.format {
        case .gguf(let file): (plan, names) = try Llama.read(file, checkpoint: checkpoint)
        case .huggingFace(let folder): (plan, names) = try Llama.read(folder.config, checkpoint: checkpoint)
        }
        try checkTensors()
    }

    /// The compute type that follows the checkpoint: that of its matrices, and bfloat16 where they are quantized.
    public var storedComputeType: ComputeType {
        let matrix = names.layers.first.flatMap { try? checkpoint.tensor($0.down) }
        return switch matrix?.elementType {
        case .float32, .float64: .f32
        case .float16: .f16
        default: .bf16
        }
    }

    /// The model with its first layer in the place of `count` layers: the work of a deep model with the weights of one
    /// layer, for measurements of speed.
    public func repeatingFirstLayer(count: Int) -> DecoderModel {
        var model = self
        model.plan.layerCount = count
        model.names.layers = Array(repeating: names.layers[0], count: count)
        return model
    }

    /// After this every size of the plan is that of a tensor in the files, and memory for them is justified.
    private func checkTensors() throws(TransformerError) {
        var expected = names.ignored.union([names.embedding, names.finalNorm, names.head])
        for layer in names.layers { expected.formUnion(layer.tensors(plan).map(\.name)) }
        for name in checkpoint.tensorNames where !expected.contains(name) {
            throw .unexpectedTensor(path: checkpoint.path, name: name, family: plan.family)
        }
        try wrappingCheckpoint { () throws(CheckpointError) in
            _ = try checkpoint.tensor(names.embedding, shape: [plan.vocabularySize, plan.width])
            _ = try checkpoint.tensor(names.head, shape: [plan.vocabularySize, plan.width])
            _ = try checkpoint.tensor(names.finalNorm, shape: [plan.width])
        }
        for layer in names.layers {
            for (name, shape) in layer.tensors(plan) {
                try wrappingCheckpoint { () throws(CheckpointError) in _ = try checkpoint.tensor(name, shape: shape) }
            }
        }
    }
}
