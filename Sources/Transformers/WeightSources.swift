/// Where a norm's vectors lie in a checkpoint.
struct NormSource: Sendable {
    var weight: String
    var bias: String { TensorName.bias(of: weight) }

    init(_ weight: String) { self.weight = weight }
}

/// Where the rows of a projection lie: tensors (outputs, inputs), or parts of them, one below the other.
struct ProjectionSource: Sendable {
    var parts: [Part]
    /// Whether the one tensor is stored (inputs, outputs), as GPT-2's.
    var isInputMajor = false

    struct Part: Sendable {
        var weight: String
        /// Rows of the stored tensor.
        var rowCount: Int
        /// Those that are wanted, in their order.
        var rows: [Range<Int>]
    }

    init(parts: [Part]) { self.parts = parts }

    /// A whole tensor of `rowCount` outputs.
    init(_ weight: String, _ rowCount: Int, isInputMajor: Bool = false) {
        parts = [Part(weight: weight, rowCount: rowCount, rows: [0..<rowCount])]
        self.isInputMajor = isInputMajor
    }

    /// Whole tensors, one below the other.
    static func stacked(_ tensors: [(weight: String, rowCount: Int)]) -> ProjectionSource {
        ProjectionSource(parts: tensors.map { Part(weight: $0.weight, rowCount: $0.rowCount, rows: [0..<$0.rowCount]) })
    }

    /// Queries, keys and values of each group of heads stored together: `queries` rows, then `keys` and as many values.
    static func grouped(_ weight: String, groupCount: Int, queries: Int, keys: Int) -> ProjectionSource {
        let stride = queries + 2 * keys
        let ranges = [0..<queries, queries..<queries + keys, queries + keys..<stride]
        let rows = ranges.flatMap { range in
            (0..<groupCount).map { $0 * stride + range.lowerBound..<$0 * stride + range.upperBound }
        }
        return ProjectionSource(parts: [Part(weight: weight, rowCount: groupCount * stride, rows: rows)])
    }

    /// Outputs.
    var rowCount: Int { parts.reduce(0) { $0 + $1.rows.reduce(0) { $0 + $1.count } } }

    /// Weights with their shapes, and biases where there are.
    func tensors(inputs: Int, hasBias: Bool) -> [StoredShape] {
        parts.map { StoredShape($0.weight, isInputMajor ? [inputs, $0.rowCount] : [$0.rowCount, inputs]) }
            + (hasBias ? parts.map { StoredShape(TensorName.bias(of: $0.weight), [$0.rowCount]) } : [])
    }
}

/// A tensor that a checkpoint must hold.
struct StoredShape: Sendable, Hashable {
    let name: String
    let shape: [Int]

    init(_ name: String, _ shape: [Int]) {
        self.name = name
        self.shape = shape
    }
}

package enum TensorName {
    /// The name of a linear map's matrix in a layer.
    package static func linearMap(_ site: Site, layerPrefix: String) -> String {
        site == .layer ? "\(layerPrefix).linear.weight" : "\(layerPrefix).linear_\(site.rawValue).weight"
    }

    /// The name of the bias that belongs to a weight.
    package static func bias(of weight: String) -> String {
        weight.hasSuffix(".weight") ? weight.dropLast("weight".count) + "bias" : weight + ".bias"
    }
}

// MARK: - A layer

/// Where one layer's tensors lie in a checkpoint.
struct LayerSources: Sendable {
    /// nil where the plan has no norm there.
    var attentionNorm: NormSource?
    var attentionOutputNorm: NormSource?
    /// Query, key, value.
    var queryKeyValue: ProjectionSource
    /// One for all heads, or one for each head.
    var queryNorm: [NormSource] = []
    var keyNorm: [NormSource] = []
    var attentionOutput: ProjectionSource
    var feedForwardNorm: NormSource?
    var feedForwardOutputNorm: NormSource?
    /// Gate and up, or up alone.
    var feedForwardInput: ProjectionSource
    var feedForwardOutput: ProjectionSource
    /// Linear maps, (width, width) and with a bias, in the place of the layer or of its sublayers.
    var maps: [Site: ProjectionSource] = [:]

    /// All tensors of the layer with their shapes; one that two parts share occurs twice.
    func tensors(_ plan: DecoderPlan) -> [StoredShape] {
        let linear = Site.allCases.flatMap { maps[$0]?.tensors(inputs: plan.width, hasBias: true) ?? [] }
        if maps[.layer] != nil { return linear }
        return linear + (maps[.attention] == nil ? attentionTensors(plan) : [])
            + (maps[.feedForward] == nil ? feedForwardTensors(plan) : [])
    }

    private func attentionTensors(_ plan: DecoderPlan) -> [StoredShape] {
        let norms = [attentionNorm, attentionOutputNorm].compactMap(\.self)
        var tensors: [StoredShape] = norms.flatMap { $0.tensors(plan.norm, [plan.width]) }
        if let queryKeyNorm = plan.queryKeyNorm {
            for (sources, headCount) in [(queryNorm, plan.heads.queryCount), (keyNorm, plan.heads.keyCount)] {
                let shape = queryKeyNorm.shape(headCount, plan.heads.width, sourceCount: sources.count)
                tensors += sources.flatMap { $0.tensors(queryKeyNorm.norm, shape) }
            }
        }
        let queryWidth = plan.heads.queryCount * plan.heads.width
        tensors += queryKeyValue.tensors(inputs: plan.width, hasBias: plan.biases.contains(.queryKeyValue))
        tensors += attentionOutput.tensors(inputs: queryWidth, hasBias: plan.biases.contains(.attentionOutput))
        return tensors
    }

    private func feedForwardTensors(_ plan: DecoderPlan) -> [StoredShape] {
        let norms = [feedForwardNorm, feedForwardOutputNorm].compactMap(\.self)
        return norms.flatMap { $0.tensors(plan.norm, [plan.width]) }
            + feedForwardInput.tensors(inputs: plan.width, hasBias: plan.biases.contains(.feedForwardInput))
            + feedForwardOutput.tensors(
                inputs: plan.feedForward.width, hasBias: plan.biases.contains(.feedForwardOutput))
    }

    /// What the names of the layer's tensors begin with, for instance `model.layers.7`.
    ///
    /// - Parameter index: The layer's own.
    func prefix(_ index: Int) -> String {
        var parts: [Substring] = []
        for part in feedForwardOutput.parts[0].weight.split(separator: ".") {
            parts.append(part)
            if part == "\(index)" { break }
        }
        return parts.joined(separator: ".")
    }
}

extension NormSource {
    func tensors(_ norm: DecoderPlan.Norm, _ shape: [Int]) -> [StoredShape] {
        (norm.hasWeight ? [StoredShape(weight, shape)] : []) + (norm.hasBias ? [StoredShape(bias, shape)] : [])
    }
}

extension DecoderPlan.QueryKeyNorm {
    /// Of each stored vector.
    func shape(_ headCount: Int, _ headWidth: Int, sourceCount: Int) -> [Int] {
        switch scope {
        case .head: [headWidth]
        case .headWithOwnWeights: sourceCount > 1 ? [headWidth] : [headCount, headWidth]
        case .projection: [headCount * headWidth]
        }
    }
}

// MARK: - A model

/// Where a model's tensors lie in a checkpoint: what a family file maps.
struct ModelSources: Sendable {
    var embedding: String
    /// From the embedding's width to the stream's, and from the stream's to the head's.
    var embeddingProjection: String?
    var headProjection: String?
    var positions: String?
    var embeddingNorm: NormSource?
    /// nil where the plan has none.
    var finalNorm: NormSource?
    /// The output head; the embedding's name where the head is tied.
    var head: String
    /// nil: the one that belongs to the head by name.
    var headBias: String?
    var layers: [LayerSources]
    /// Tensors that carry nothing the plan does not know: tables that are computed, a copy of a tied head.
    var ignored: Set<String> = []

    var headBiasName: String { headBias ?? TensorName.bias(of: head) }

    /// Tensors outside the layers.
    func outerTensors(_ plan: DecoderPlan) -> [StoredShape] {
        let tableWidth = plan.embedding.projectedWidth ?? plan.width
        var tensors = [
            StoredShape(embedding, [plan.vocabularySize, tableWidth]),
            StoredShape(head, [plan.vocabularySize, tableWidth]),
        ]
        if plan.biases.contains(.head) { tensors.append(StoredShape(headBiasName, [plan.vocabularySize])) }
        if let embeddingProjection { tensors.append(StoredShape(embeddingProjection, [plan.width, tableWidth])) }
        if let headProjection { tensors.append(StoredShape(headProjection, [tableWidth, plan.width])) }
        if let positions, let offset = plan.embedding.learnedPositionOffset {
            tensors.append(StoredShape(positions, [plan.maximumPositions + offset, plan.width]))
        }
        if let embeddingNorm, let norm = plan.embedding.norm { tensors += embeddingNorm.tensors(norm, [plan.width]) }
        if let finalNorm { tensors += finalNorm.tensors(plan.norm, [plan.width]) }
        return tensors
    }

    /// All tensors with their shapes; one that has two parts to play occurs twice.
    func tensors(_ plan: DecoderPlan) -> [StoredShape] {
        outerTensors(plan) + layers.flatMap { $0.tensors(plan) }
    }
}
