import Checkpoints
public import Compute

/// A linear map of the stream in contribution form: y = x + x·matrix + bias.
public struct LinearMap: Sendable {
    public let width: Int
    /// (width, width) row-major, (inputs, outputs).
    public let matrix: [Float]
    /// (width).
    public let bias: [Float]

    public init(matrix: [Float], bias: [Float]) {
        precondition(matrix.count == bias.count * bias.count, "\(matrix.count) elements for a width of \(bias.count)")
        width = bias.count
        self.matrix = matrix
        self.bias = bias
    }

    /// The matrix as a projection has it, (outputs, inputs).
    public var weight: [Float] { matrix.transposed(rowCount: width) }
}

/// A projection that takes the place of a stored one.
public struct EditedProjection: Sendable {
    /// (outputs, inputs) row-major, in whatever order the file stores it.
    public var weight: [Float]
    /// (outputs); nil where the model has none there.
    public var bias: [Float]?

    public init(weight: [Float], bias: [Float]?) {
        self.weight = weight
        self.bias = bias
    }
}

/// What becomes of the layers of a model: which stay, which give their place to linear maps, and whose projections change.
public struct ModelEdit: Sendable {
    /// The layers of the edited model, in order.
    public var layers: [Layer]
    /// Whether the MLP's projections get biases that the model does not have: zeros but for those that are given.
    public var addsFeedForwardBiases = false

    public struct Layer: Sendable {
        /// The layer of the model that it was, from 0; for a map in the place of several, the first of them.
        public var source: Int
        /// Linear maps in the place of the layer or of its sublayers.
        public var maps: [Site: LinearMap] = [:]
        /// What becomes of the MLP's last projection.
        public var feedForwardOutput: EditedProjection?

        public init(source: Int, maps: [Site: LinearMap] = [:], feedForwardOutput: EditedProjection? = nil) {
            self.source = source
            self.maps = maps
            self.feedForwardOutput = feedForwardOutput
        }
    }

    public init(layers: [Layer], addsFeedForwardBiases: Bool = false) {
        self.layers = layers
        self.addsFeedForwardBiases = addsFeedForwardBiases
    }

    /// The model's layers but for some.
    public init(keeping layers: some Sequence<Int>) { self.init(layers: layers.map { Layer(source: $0) }) }
}

// MARK: - Stored projections

extension DecoderModel {
    /// The MLP's last projection of a layer, decoded.
    ///
    /// - Throws: `TransformerError` where it is damaged, or without memory.
    public func feedForwardOutput(of layer: Int, on device: Device) throws(TransformerError) -> EditedProjection {
        let source = sources.layers[layer].feedForwardOutput
        let reader = WeightReader(plan: plan, checkpoint: checkpoint, device: device, computeType: .f32)
        let stored = try reader.projection(
            source, inputs: plan.feedForward.width, hasBias: plan.biases.contains(.feedForwardOutput))
        let (weight, bias) = try wrapping { () throws(ComputeError) in
            (
                try device.floats(of: stored.weight),
                try stored.bias.map { bias throws(ComputeError) in try device.floats(of: bias) }
            )
        }
        return EditedProjection(
            weight: stored.isInputMajor ? weight.transposed(rowCount: plan.feedForward.width) : weight, bias: bias)
    }
}

extension [Float] {
    /// Of a row-major matrix of so many rows.
    fileprivate func transposed(rowCount: Int) -> [Float] {
        let columnCount = count / rowCount
        var result = self
        for row in 0..<rowCount {
            for column in 0..<columnCount { result[column * rowCount + row] = self[row * columnCount + column] }
        }
        return result
    }
}

// MARK: - In memory

extension DecoderModel {
    /// The model after an edit, its maps and changed projections in memory, all else where it was.
    ///
    /// - Precondition: layers ascend and are the model's, maps are as wide as the stream, projections have their places'
    ///   shapes, and no sublayer of a layer that is a map gets one.
    /// - Throws: `TransformerError.checkpoint` without memory.
    public func applying(_ edit: ModelEdit) throws(TransformerError) -> DecoderModel {
        precondition(
            !edit.layers.isEmpty && zip(edit.layers, edit.layers.dropFirst()).allSatisfy { $0.source < $1.source }
                && edit.layers.allSatisfy { sources.layers.indices.contains($0.source) }, "layers of another model")
        var model = self
        var tensors: [MemoryTensor] = []
        model.plan.layers = []
        model.sources.layers = []
        for layer in edit.layers {
            var (rule, source) = (plan.layers[layer.source], sources.layers[layer.source])
            // The map of a layer takes the place of those of its sublayers.
            if layer.maps[.layer] != nil { (rule.linearSites, source.maps) = ([], [:]) }
            for (site, map) in layer.maps {
                let name = TensorName.linearMap(site, layerPrefix: source.prefix(layer.source))
                rule.linearSites.insert(site)
                source.maps[site] = ProjectionSource(name, plan.width)
                tensors += try DecoderModel.tensors(name, shape: [plan.width, plan.width], map.weight, map.bias)
            }
            if let projection = layer.feedForwardOutput {
                tensors += try self.tensors(projection, source.feedForwardOutput)
            }
            model.plan.layers.append(rule)
            model.sources.layers.append(source)
        }
        if edit.addsFeedForwardBiases { tensors += try model.addFeedForwardBiases(beside: Set(tensors.map(\.name))) }
        model.checkpoint = checkpoint.adding(tensors)
        return model
    }

    private func tensors(
        _ projection: EditedProjection, _ source: ProjectionSource
    ) throws(TransformerError) -> [MemoryTensor] {
        let (rowCount, columnCount) = (plan.width, plan.feedForward.width)
        return try DecoderModel.tensors(
            source.parts[0].weight, shape: source.isInputMajor ? [columnCount, rowCount] : [rowCount, columnCount],
            source.isInputMajor ? projection.weight.transposed(rowCount: rowCount) : projection.weight, projection.bias)
    }

    private static func tensors(
        _ name: String, shape: [Int], _ weight: [Float], _ bias: [Float]?
    ) throws(TransformerError) -> [MemoryTensor] {
        try wrappingCheckpoint { () throws(CheckpointError) in
            var tensors = [try MemoryTensor(name: name, shape: shape, values: weight)]
            if let bias {
                tensors.append(
                    try MemoryTensor(name: TensorName.bias(of: name), shape: [bias.count], values: bias))
            }
            return tensors
        }
    }

    /// Biases of all MLPs, zeros but for those of the names given, which are there.
    private mutating func addFeedForwardBiases(
        beside given: Set<String>
    ) throws(TransformerError) -> [MemoryTensor] {
        let missing = DecoderPlan.Biases.feedForward.subtracting(plan.biases)
        plan.biases.formUnion(.feedForward)
        var parts: [ProjectionSource.Part] = []
        for layer in sources.layers {
            if missing.contains(.feedForwardInput) { parts += layer.feedForwardInput.parts }
            if missing.contains(.feedForwardOutput) { parts += layer.feedForwardOutput.parts }
        }
        return try wrappingCheckpoint { () throws(CheckpointError) in
            try parts.filter { !given.contains(TensorName.bias(of: $0.weight)) }.map { part throws(CheckpointError) in
                try MemoryTensor(
                    name: TensorName.bias(of: part.weight), shape: [part.rowCount],
                    values: [Float](repeating: 0, count: part.rowCount))
            }
        }
    }
}
