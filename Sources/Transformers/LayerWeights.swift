import Checkpoints
import Compute
import Tensors

/// The names of a layer's tensors in a checkpoint; biases are nil where the plan has none.
struct LayerNames: Sendable {
    var attentionNorm: String
    var query: String
    var key: String
    var value: String
    var attentionOutput: String
    var feedForwardNorm: String
    var gate: String
    var up: String
    var down: String

    /// All weights with their shapes, and all biases where the plan has them.
    func tensors(_ plan: DecoderPlan) -> [(name: String, shape: [Int])] {
        let (width, inner) = (plan.width, plan.feedForwardWidth)
        let queryRows = plan.heads.queryCount * plan.heads.width
        let keyRows = plan.heads.keyCount * plan.heads.width
        let attention: [(name: String, shape: [Int])] = [
            (query, [queryRows, width]), (key, [keyRows, width]), (value, [keyRows, width]),
            (attentionOutput, [width, queryRows]),
        ]
        let feedForward: [(name: String, shape: [Int])] = [
            (gate, [inner, width]), (up, [inner, width]), (down, [width, inner]),
        ]
        var tensors: [(name: String, shape: [Int])] = [(attentionNorm, [width]), (feedForwardNorm, [width])]
        tensors += attention
        tensors += feedForward
        let biased = (plan.hasAttentionBias ? attention : []) + (plan.hasFeedForwardBias ? feedForward : [])
        for (name, shape) in biased { tensors.append((LayerNames.bias(name), [shape[0]])) }
        return tensors
    }

    /// The name of the bias that belongs to a weight.
    static func bias(_ weight: String) -> String {
        weight.hasSuffix(".weight") ? weight.dropLast("weight".count) + "bias" : weight + ".bias"
    }
}

/// The names of a model's tensors in a checkpoint: what a family file maps.
struct TensorNames: Sendable {
    var embedding: String
    var finalNorm: String
    /// The output head; the embedding's name where the head is tied.
    var head: String
    var layers: [LayerNames]
    /// Tensors that carry nothing the plan does not know: tables that are computed, a copy of a tied head.
    var ignored: Set<String>
}

/// One layer's weights: matrices of the compute type, vectors of float32; projections that share an input are stacked.
struct LayerWeights: Sendable {
    let attentionNorm: Tensor
    /// ((queryCount + 2·keyCount)·headWidth, width): query, key, value.
    let queryKeyValue: Tensor
    let queryKeyValueBias: Tensor?
    /// (width, queryCount·headWidth).
    let attentionOutput: Tensor
    let attentionOutputBias: Tensor?
    let feedForwardNorm: Tensor
    /// (2·feedForwardWidth, width): gate, up.
    let gateUp: Tensor
    let gateUpBias: Tensor?
    /// (width, feedForwardWidth).
    let down: Tensor
    let downBias: Tensor?
}

/// Reads weights out of a checkpoint, decodes and checks them.
struct WeightReader: Sendable {
    let plan: DecoderPlan
    let checkpoint: Checkpoint
    let device: Device
    let computeType: ComputeType

    func layer(_ names: LayerNames) throws(TransformerError) -> LayerWeights {
        let headWidth = plan.heads.width
        let (queryRows, keyRows) = (plan.heads.queryCount * headWidth, plan.heads.keyCount * headWidth)
        let stack = [(names.query, queryRows), (names.key, keyRows), (names.value, keyRows)]
        let inner = plan.feedForwardWidth
        let gateUp = [(names.gate, inner), (names.up, inner)]
        return LayerWeights(
            attentionNorm: try vector(names.attentionNorm, plan.width),
            queryKeyValue: try matrix(stack, columns: plan.width, computeType),
            queryKeyValueBias: try plan.hasAttentionBias ? bias(stack) : nil,
            attentionOutput: try matrix([(names.attentionOutput, plan.width)], columns: queryRows, computeType),
            attentionOutputBias: try plan.hasAttentionBias ? bias([(names.attentionOutput, plan.width)]) : nil,
            feedForwardNorm: try vector(names.feedForwardNorm, plan.width),
            gateUp: try matrix(gateUp, columns: plan.width, computeType),
            gateUpBias: try plan.hasFeedForwardBias ? bias(gateUp) : nil,
            down: try matrix([(names.down, plan.width)], columns: inner, computeType),
            downBias: try plan.hasFeedForwardBias ? bias([(names.down, plan.width)]) : nil)
    }

    /// A vector of `count` elements.
    func vector(_ name: String, _ count: Int) throws(TransformerError) -> Tensor {
        let tensor = try make([count])
        try decode(name, shape: [count], into: tensor)
        return tensor
    }

    /// Matrices (rows, columns) stacked one below the other.
    func matrix(
        _ parts: [(name: String, rows: Int)], columns: Int, _ computeType: ComputeType
    ) throws(TransformerError) -> Tensor {
        let tensor = try make([parts.reduce(0) { $0 + $1.rows }, columns], computeType.elementType)
        var begin = 0
        for part in parts {
            try decode(part.name, shape: [part.rows, columns], into: tensor.rows(begin..<begin + part.rows))
            begin += part.rows
        }
        return tensor
    }

    private func bias(_ parts: [(name: String, rows: Int)]) throws(TransformerError) -> Tensor {
        let tensor = try make([parts.reduce(0) { $0 + $1.rows }])
        var begin = 0
        for part in parts {
            let slice = tensor.columns(begin..<begin + part.rows)
            try decode(LayerNames.bias(part.name), shape: [part.rows], into: slice)
            begin += part.rows
        }
        return tensor
    }

    private func make(_ shape: Shape, _ type: ElementType = .float32) throws(TransformerError) -> Tensor {
        try wrapping { () throws(ComputeError) in try device.makeTensor(shape, type, for: "a layer's weights") }
    }

    private func decode(_ name: String, shape: [Int], into tensor: Tensor) throws(TransformerError) {
        let stored = try wrappingCheckpoint { () throws(CheckpointError) in
            try checkpoint.tensor(name, shape: shape)
        }
        let badRow = try wrapping { () throws(ComputeError) in
            try unsafe device.decode(stored.bytes.bytes, elementType: stored.elementType, into: tensor)
            return try device.firstNonFiniteRow(tensor)
        }
        if let badRow { throw .nonFiniteWeight(path: checkpoint.path, tensor: name, row: badRow) }
    }
}
