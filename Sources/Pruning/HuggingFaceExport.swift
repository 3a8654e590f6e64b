public import Checkpoints
public import Tensors
public import Transformers

/// An edited model as a Hugging Face folder: weights as they were stored, bit for bit but for what the edit changes,
/// config.json, and the files that go with them.
///
/// Layers that are left out and layers whose projections change need nothing but the model's own code. Linear maps in the
/// place of layers come with a small file of Python, which `transformers` runs with `trust_remote_code=True`.
///
/// A GGUF file of the architectures `llama` and `qwen2` becomes such a folder, too: its weights are decoded and rounded to
/// one float type, and the tokenizer's files are made of its metadata.
public struct HuggingFaceExport {
    private let model: DecoderModel
    private let edited: DecoderModel
    private let edit: ModelEdit
    private let origin: Origin
    private let configuration: ExportedConfiguration

    /// What the model comes from.
    private enum Origin {
        case folder(HuggingFaceFolder)
        case gguf(GGUFConversion)
    }

    /// Prepares the export of what an edit makes of a model; nothing is written.
    ///
    /// - Parameters:
    ///   - model: Of a Hugging Face folder, or of a GGUF file of the architectures `llama` or `qwen2`.
    ///   - elementType: What the weights of a GGUF file are rounded to: F32, F16 or BF16. nil: that of its matrices where
    ///     all have the same; F32 where they are of several, one of them wider than F16; F16 for quantized weights, whose
    ///     float16 scales and small integers it holds better than BF16.
    /// - Throws: `ExportError`: an edit that does not fit the model; what the family's files cannot say.
    public init(
        _ model: DecoderModel, _ edit: ModelEdit, elementType: ElementType? = nil
    ) throws(ExportError) {
        try HuggingFaceExport.check(edit, of: model)
        let sites = edit.layers.map { (source: $0.source, sites: Set($0.maps.keys)) }
        origin = try HuggingFaceExport.origin(model, elementType)
        configuration = try HuggingFaceExport.settings(
            model, origin, sites, addsFeedForwardBiases: edit.addsFeedForwardBiases)
        self.model = if case .gguf(let conversion) = origin { conversion.model } else { model }
        self.edit = edit
        let whole = self.model
        edited = try wrappingTransformer { () throws(TransformerError) in try whole.applying(edit) }
    }

    /// Looks whether a model with some layers, some of them replaced, can be exported, before its maps are there.
    ///
    /// - Parameters:
    ///   - layers: The layers of the edited model: which of the model's each was, and where it has maps.
    ///   - elementType: What the weights of a GGUF file are to be rounded to.
    /// - Throws: `ExportError`: what the family's files cannot say.
    public static func check(
        _ model: DecoderModel, layers: [(source: Int, sites: Set<Site>)], addsFeedForwardBiases: Bool = false,
        elementType: ElementType? = nil
    ) throws(ExportError) {
        try check(layers.map(\.source), of: model)
        _ = try settings(model, origin(model, elementType), layers, addsFeedForwardBiases: addsFeedForwardBiases)
    }

    /// Writes the folder; it appears under its name when it is whole, and was read again as the edited model.
    ///
    /// - Parameters:
    ///   - path: A folder that does not exist.
    ///   - shardByteCount: Bytes of weights in a file, if it holds more than one tensor.
    public func write(
        to path: String, shardByteCount: Int = SafetensorsShards.defaultByteCount
    ) throws(ExportError) {
        let output = try wrappingOutput { () throws(OutputError) in try OutputFolder(path) }
        try write(into: output, shardByteCount: shardByteCount)
        try wrappingOutput { () throws(OutputError) in try output.finish() }
    }

    /// Writes the files of a folder that others are to be written to, and reads them again as the edited model.
    ///
    /// - Parameters:
    ///   - output: Not finished afterwards.
    ///   - shardByteCount: Bytes of weights in a file, if it holds more than one tensor.
    public func write(
        into output: OutputFolder, shardByteCount: Int = SafetensorsShards.defaultByteCount
    ) throws(ExportError) {
        try SafetensorsShards(try tensors(), shardByteCount: shardByteCount).write(to: output)
        try wrappingOutput { () throws(OutputError) in
            try output.write(configuration.json.serialized(indented: true), to: "config.json")
            if edited.plan.layers.contains(where: { !$0.linearSites.isEmpty }) {
                let modelType = configuration.json["model_type"]?.string ?? ""
                try output.write(LinearModelCode.text(modelType: modelType), to: "\(LinearModelCode.moduleName).py")
            }
            switch origin {
            case .folder(let folder): try AccompanyingFiles.copy(from: folder, to: output)
            case .gguf(let conversion): try conversion.writeTokenizer(to: output)
            }
        }
        try output.check { path throws(ExportError) in try readAgain(path) }
    }

    /// Holds what was written to be the edited model.
    private func readAgain(_ path: String) throws(ExportError) {
        let checkpoint = try wrappingCheckpoint { () throws(CheckpointError) in try Checkpoint.open(path) }
        let written = try wrappingTransformer { () throws(TransformerError) in try DecoderModel(checkpoint) }
        var plan = edited.plan
        if case .gguf(let conversion) = origin { plan.rotaries = conversion.rotaries }
        if let difference = ExportedConfiguration.difference(written.plan, plan, edit.layers.map(\.source)) {
            throw .inexpressible(path: model.checkpoint.path, problem: difference)
        }
    }
}

// MARK: - Tensors

extension HuggingFaceExport {
    /// All tensors under their new names: those outside the layers, then layer by layer.
    private func tensors() throws(ExportError) -> [ExportTensor] {
        var tensors: [ExportTensor] = []
        for name in edited.outerTensorNames {
            switch origin {
            case .folder: tensors.append(try ExportTensor(name, copying: name, of: model.checkpoint))
            case .gguf(let conversion): tensors.append(try conversion.outerTensor(name, of: model.checkpoint))
            }
        }
        for (index, layer) in edit.layers.enumerated() { tensors += try self.tensors(of: layer, at: index) }
        return tensors
    }

    private func tensors(of layer: ModelEdit.Layer, at index: Int) throws(ExportError) -> [ExportTensor] {
        let prefix = model.prefix(ofLayer: layer.source)
        if case .gguf(let conversion) = origin {
            return try edited.tensorNames(ofLayer: index).map { name throws(ExportError) in
                try conversion.tensor(name, prefix: prefix, layer: index, of: edited.checkpoint)
            }
        }
        let newPrefix = String(prefix.dropLast("\(layer.source)".count)) + "\(index)"
        let projection = model.feedForwardOutputName(ofLayer: layer.source)
        let maps = layer.maps.keys.map { TensorName.linearMap($0, layerPrefix: prefix) }
        let changed = ((layer.feedForwardOutput == nil ? [] : [projection]) + maps)
            .flatMap { [$0, TensorName.bias(of: $0)] }
        // New tensors are of the type of the layer's matrices.
        let newType = model.checkpoint.elementType(of: projection) ?? .float32
        var tensors: [ExportTensor] = []
        for name in edited.tensorNames(ofLayer: index) {
            let newName = newPrefix + name.dropFirst(prefix.count)
            if model.checkpoint.contains(name), !changed.contains(name) {
                tensors.append(try ExportTensor(newName, copying: name, of: model.checkpoint))
            } else {
                let type = model.checkpoint.elementType(of: name) ?? newType
                tensors.append(try ExportTensor(newName, type, rounding: name, of: edited.checkpoint))
            }
        }
        return tensors
    }
}

// MARK: - Checks

extension HuggingFaceExport {
    private static func origin(_ model: DecoderModel, _ elementType: ElementType?) throws(ExportError) -> Origin {
        switch model.checkpoint.format {
        case .gguf(let file): return .gguf(try GGUFConversion(model, file, elementType))
        case .huggingFace(let folder):
            guard elementType == nil else {
                throw problem("the weights of a Hugging Face folder keep the types that they have", model)
            }
            return .folder(folder)
        }
    }

    /// The settings of the edited model.
    private static func settings(
        _ model: DecoderModel, _ origin: Origin, _ layers: [(source: Int, sites: Set<Site>)],
        addsFeedForwardBiases: Bool
    ) throws(ExportError) -> ExportedConfiguration {
        var (model, original, isStandard) = (model, JSONObject(), false)
        switch origin {
        case .folder(let folder): original = folder.config.object ?? original
        case .gguf(let conversion):
            (model, original, isStandard) = (conversion.model, conversion.configuration, true)
            model.plan.rotaries = conversion.rotaries
        }
        var plan = model.plan
        plan.layers = layers.map { layer in
            var rule = model.plan.layers[layer.source]
            rule.linearSites = layer.sites.contains(.layer) ? [.layer] : rule.linearSites.union(layer.sites)
            return rule
        }
        if addsFeedForwardBiases { plan.biases.formUnion(.feedForward) }
        for layer in layers where !layer.sites.isSubset(of: [.layer]) && !isStandard {
            try checkSublayers(of: layer.source, model)
        }
        return try ExportedConfiguration(original, of: model, sources: layers.map(\.source), plan: plan)
    }

    private static func checkSublayers(of layer: Int, _ model: DecoderModel) throws(ExportError) {
        guard !model.hasStandardModules(layer: layer) else { return }
        throw .inexpressible(
            path: model.checkpoint.path,
            problem: "a map in the place of a sublayer can be exported where layers have LLaMA's modules "
                + "(input_layernorm, self_attn, post_attention_layernorm, mlp), which a \(model.plan.family) model has "
                + "not; replace whole layers")
    }

    /// Holds an edit to be one of the model.
    static func check(_ edit: ModelEdit, of model: DecoderModel) throws(ExportError) {
        try check(edit.layers.map(\.source), of: model)
        let (width, inner) = (model.plan.width, model.plan.feedForward.width)
        for layer in edit.layers {
            guard layer.maps.values.allSatisfy({ $0.width == width }) else {
                throw problem("the map of layer \(layer.source) is not \(width) wide, as the stream is", model)
            }
            guard let projection = layer.feedForwardOutput else { continue }
            let hasBias = edit.addsFeedForwardBiases || model.plan.biases.contains(.feedForwardOutput)
            guard projection.weight.count == width * inner, (projection.bias?.count ?? width) == width,
                (projection.bias != nil) == hasBias
            else {
                throw problem(
                    "the changed projection of layer \(layer.source) is not (\(width), \(inner)) "
                        + (hasBias ? "with a bias" : "without bias"), model)
            }
        }
    }

    private static func check(_ layers: [Int], of model: DecoderModel) throws(ExportError) {
        guard !layers.isEmpty else { throw problem("no layer would be left", model) }
        guard layers.allSatisfy(model.plan.layers.indices.contains),
            zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw problem("the layers \(layers) do not ascend among its \(model.plan.layerCount)", model)
        }
    }

    private static func problem(_ problem: String, _ model: DecoderModel) -> ExportError {
        .edit(path: model.checkpoint.path, problem: problem)
    }
}
