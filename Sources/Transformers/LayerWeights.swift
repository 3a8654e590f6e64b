import Checkpoints
import Compute
import Tensors

/// A norm's vectors, float32.
struct NormWeights: Sendable {
    let norm: DecoderPlan.Norm
    /// (columns); ones where the norm has no weights.
    let weight: Tensor
    let bias: Tensor?
}

/// A projection: a matrix of the compute type and a bias of float32.
struct Projection: Sendable {
    /// (outputs, inputs), or (inputs, outputs) where it is stored so.
    let weight: Tensor
    let isInputMajor: Bool
    let bias: Tensor?
}

/// One layer's weights.
enum LayerWeights: Sendable {
    case transformer(attention: SublayerWeights<AttentionWeights>, feedForward: SublayerWeights<FeedForwardWeights>)
    /// y = x + x · weightᵀ + bias.
    case linear(Projection)
}

/// A sublayer's weights, or a linear map of the stream in its place.
enum SublayerWeights<Own: Sendable>: Sendable {
    case own(Own)
    /// stream += x · weightᵀ + bias.
    case linear(Projection)

    var own: Own? { if case .own(let weights) = self { weights } else { nil } }
}

/// Of attention; projections that share an input are stacked.
struct AttentionWeights: Sendable {
    let norm: NormWeights?
    let outputNorm: NormWeights?
    /// Outputs: query, key, value of all heads.
    let queryKeyValue: Projection
    let queryNorm: NormWeights?
    let keyNorm: NormWeights?
    let output: Projection
}

struct FeedForwardWeights: Sendable {
    let norm: NormWeights?
    let outputNorm: NormWeights?
    /// Outputs: gate and up, or up alone.
    let input: Projection
    let output: Projection
}

/// Reads weights out of a checkpoint, decodes and checks them.
struct WeightReader: Sendable {
    let plan: DecoderPlan
    let checkpoint: Checkpoint
    let device: Device
    let computeType: ComputeType
    /// What brings tensors in beside the computing, and checks them then; nil where the device decodes in turn.
    var transfer: WeightTransfer?

    /// The weights as they are stored; see `complete`.
    func layer(_ sources: LayerSources) throws(TransformerError) -> LayerWeights {
        if let map = sources.maps[.layer] { return .linear(try linearMap(map)) }
        let attention: SublayerWeights<AttentionWeights>
        if let map = sources.maps[.attention] {
            attention = .linear(try linearMap(map))
        } else {
            attention = .own(try self.attention(sources))
        }
        if let map = sources.maps[.feedForward] {
            return .transformer(attention: attention, feedForward: .linear(try linearMap(map)))
        }
        return .transformer(attention: attention, feedForward: .own(try feedForward(sources)))
    }

    func linearMap(_ source: ProjectionSource) throws(TransformerError) -> Projection {
        try projection(source, inputs: plan.width, hasBias: true)
    }

    private func attention(_ sources: LayerSources) throws(TransformerError) -> AttentionWeights {
        let (heads, biases) = (plan.heads, plan.biases)
        return AttentionWeights(
            norm: try norm(sources.attentionNorm), outputNorm: try norm(sources.attentionOutputNorm),
            queryKeyValue: try projection(
                sources.queryKeyValue, inputs: plan.width, hasBias: biases.contains(.queryKeyValue)),
            queryNorm: try headNorm(sources.queryNorm, heads.queryCount),
            keyNorm: try headNorm(sources.keyNorm, heads.keyCount),
            output: try projection(
                sources.attentionOutput, inputs: heads.queryCount * heads.width,
                hasBias: biases.contains(.attentionOutput)))
    }

    private func feedForward(_ sources: LayerSources) throws(TransformerError) -> FeedForwardWeights {
        FeedForwardWeights(
            norm: try norm(sources.feedForwardNorm), outputNorm: try norm(sources.feedForwardOutputNorm),
            input: try projection(
                sources.feedForwardInput, inputs: plan.width, hasBias: plan.biases.contains(.feedForwardInput)),
            output: try projection(
                sources.feedForwardOutput, inputs: plan.feedForward.width,
                hasBias: plan.biases.contains(.feedForwardOutput)))
    }

    /// Makes of stored weights, once they are there, what is computed with: norms have their offset added, and biases that
    /// are added to the stream are scaled like the products.
    func complete(_ weights: LayerWeights) throws(TransformerError) {
        guard case .transformer(let attention, let feedForward) = weights else { return }
        let (attended, fed) = (attention.own, feedForward.own)
        let norms = [
            attended?.norm, attended?.outputNorm, attended?.queryNorm, attended?.keyNorm, fed?.norm, fed?.outputNorm,
        ]
        for norm in norms { try complete(norm ?? nil) }
        for bias in [attended?.output.bias, fed?.output.bias] where plan.residualScale != 1 {
            guard let bias else { continue }
            try wrapping { () throws(ComputeError) in try device.scale(bias, by: plan.residualScale) }
        }
    }

    private func complete(_ norm: NormWeights?) throws(TransformerError) {
        guard let norm, norm.norm.weightOffset != 0 else { return }
        let offset = try constant(norm.norm.weightOffset, norm.weight.columns)
        try wrapping { () throws(ComputeError) in try device.addBias(offset, to: norm.weight) }
    }

    /// The head of the logits, float32, with its bias, and the norm before it.
    func head(_ sources: ModelSources) throws(TransformerError) -> OutputHead {
        let tableWidth = plan.embedding.projectedWidth ?? plan.width
        let source = ProjectionSource(sources.head, plan.vocabularySize)
        let projection = try sources.headProjection.map { name throws(TransformerError) in
            try matrix(ProjectionSource(name, tableWidth), inputs: plan.width, .float32)
        }
        return OutputHead(
            projection: projection, weight: try matrix(source, inputs: tableWidth, .float32),
            bias: try plan.biases.contains(.head) ? vector(sources.headBiasName, plan.vocabularySize) : nil,
            norm: try plan.hasFinalNorm ? outerNorm(sources.finalNorm, plan.norm) : nil)
    }

    // MARK: Norms

    /// A norm over the stream's width outside the layers.
    func outerNorm(_ source: NormSource?, _ norm: DecoderPlan.Norm) throws(TransformerError) -> NormWeights? {
        guard let source else { return nil }
        let weights = try norms([source], norm, shape: [plan.width], copies: 1)
        try complete(weights)
        return weights
    }

    private func norm(_ source: NormSource?) throws(TransformerError) -> NormWeights? {
        guard let source else { return nil }
        return try norms([source], plan.norm, shape: [plan.width], copies: 1)
    }

    /// A norm over heads, or over a whole projection, with weights for all its columns.
    private func headNorm(_ sources: [NormSource], _ headCount: Int) throws(TransformerError) -> NormWeights? {
        guard let queryKeyNorm = plan.queryKeyNorm else { return nil }
        let shape = queryKeyNorm.shape(headCount, plan.heads.width, sourceCount: sources.count)
        return try norms(
            sources, queryKeyNorm.norm, shape: shape, copies: queryKeyNorm.scope == .head ? headCount : 1)
    }

    /// Vectors stored one after another, and all of them `copies` times.
    private func norms(
        _ sources: [NormSource], _ norm: DecoderPlan.Norm, shape: [Int], copies: Int
    ) throws(TransformerError) -> NormWeights {
        let count = shape.reduce(1, *)
        func vector(_ name: (NormSource) -> String) throws(TransformerError) -> Tensor {
            let vector = try make([copies * sources.count * count])
            for copy in 0..<copies {
                for (i, source) in sources.enumerated() {
                    let begin = (copy * sources.count + i) * count
                    try decode(name(source), shape: shape, into: vector.columns(begin..<begin + count))
                }
            }
            return vector
        }
        let weight = try norm.hasWeight ? vector(\.weight) : constant(1, copies * sources.count * count)
        return NormWeights(norm: norm, weight: weight, bias: try norm.hasBias ? vector(\.bias) : nil)
    }

    private func constant(_ value: Float, _ count: Int) throws(TransformerError) -> Tensor {
        try wrapping { () throws(ComputeError) in
            try device.makeTensor([Float](repeating: value, count: count), [count], for: "a norm's weights")
        }
    }

    // MARK: Projections

    func projection(
        _ source: ProjectionSource, inputs: Int, hasBias: Bool
    ) throws(TransformerError) -> Projection {
        let weight = try matrix(source, inputs: inputs, computeType.elementType)
        let bias = try hasBias ? bias(source) : nil
        return Projection(weight: weight, isInputMajor: source.isInputMajor, bias: bias)
    }

    func matrix(
        _ source: ProjectionSource, inputs: Int, _ type: ElementType
    ) throws(TransformerError) -> Tensor {
        if source.isInputMajor {
            let tensor = try make([inputs, source.rowCount], type)
            try decode(source.parts[0].weight, shape: [inputs, source.rowCount], into: tensor)
            return tensor
        }
        let tensor = try make([source.rowCount, inputs], type)
        var begin = 0
        for part in source.parts {
            let stored = try stored(part.weight, [part.rowCount, inputs])
            try decode(stored, part, rows: { tensor.rows($0) }, from: &begin)
        }
        return tensor
    }

    private func bias(_ source: ProjectionSource) throws(TransformerError) -> Tensor {
        let tensor = try make([source.rowCount])
        var begin = 0
        for part in source.parts {
            let stored = try stored(TensorName.bias(of: part.weight), [part.rowCount])
            try decode(stored, part, rows: { tensor.columns($0) }, from: &begin)
        }
        return tensor
    }

    // MARK: Decoding

    private func vector(_ name: String, _ count: Int) throws(TransformerError) -> Tensor {
        let tensor = try make([count])
        try decode(name, shape: [count], into: tensor)
        return tensor
    }

    private func make(_ shape: Shape, _ type: ElementType = .float32) throws(TransformerError) -> Tensor {
        try wrapping { () throws(ComputeError) in
            let purpose = "a layer's weights"
            if let transfer { return try transfer.makeTensor(shape, type, for: purpose) }
            return try device.makeTensor(shape, type, for: purpose)
        }
    }

    private func stored(_ name: String, _ shape: [Int]) throws(TransformerError) -> StoredTensor {
        try wrappingCheckpoint { () throws(CheckpointError) in try checkpoint.tensor(name, shape: shape) }
    }

    private func decode(_ name: String, shape: [Int], into tensor: Tensor) throws(TransformerError) {
        let stored = try stored(name, shape)
        try decode(stored, rows: 0..<(shape.first ?? 1), of: shape.first ?? 1, into: tensor)
    }

    /// Decodes the wanted rows of a stored tensor to the rows from `begin` of what `rows` gives, and checks them.
    private func decode(
        _ stored: StoredTensor, _ part: ProjectionSource.Part, rows: (Range<Int>) -> Tensor, from begin: inout Int
    ) throws(TransformerError) {
        for range in part.rows {
            try decode(stored, rows: range, of: part.rowCount, into: rows(begin..<begin + range.count))
            begin += range.count
        }
    }

    private func decode(
        _ stored: StoredTensor, rows: Range<Int>, of rowCount: Int, into tensor: Tensor
    ) throws(TransformerError) {
        let rowByteCount = stored.byteCount / max(1, rowCount)
        // A part of a vector of blocks would begin within one; no writer cuts such vectors.
        guard rows == 0..<rowCount || stored.byteCount.isMultiple(of: rowCount) else {
            throw .checkpoint(
                .unsupportedElementType(
                    path: checkpoint.path, name: stored.name, type: stored.elementType.rawValue))
        }
        let badRow: Int? = try wrapping { () throws(ComputeError) in
            try unsafe stored.withBytes { (bytes) throws(ComputeError) in
                let isWhole = rows == 0..<rowCount
                let piece = unsafe UnsafeRawBufferPointer(
                    rebasing: isWhole
                        ? bytes[...] : bytes[rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount])
                if let transfer {
                    try unsafe transfer.decode(piece, of: stored, firstRow: rows.lowerBound, into: tensor)
                    return nil
                }
                try unsafe device.decode(piece.bytes, elementType: stored.elementType, into: tensor)
                return try device.firstNonFiniteRow(tensor)
            }
        }
        guard let badRow else { return }
        throw .nonFiniteWeight(path: checkpoint.path, tensor: stored.name, row: rows.lowerBound + badRow)
    }
}
