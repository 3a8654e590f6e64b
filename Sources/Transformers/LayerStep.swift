import Compute
import Tensors

/// Memory of one lane for one slab, reused from layer to layer.
struct SlabWorkspace: Sendable {
    /// (tokens, width) each; `input` and `output` only where streams are staged.
    let input: Tensor?
    let output: Tensor?
    /// (tokens, width) float32: what a sublayer gave, where a norm stands behind it.
    let sublayer: Tensor?
    /// Of the compute type, as all that follow: (tokens, width).
    let normed: Tensor
    /// (tokens, (queryCount + 2·keyCount)·headWidth).
    let queryKeyValue: Tensor
    /// (tokens, queryCount·headWidth).
    let context: Tensor
    /// (block, feedForward.width), twice as wide where it is gated.
    let inner: Tensor
    /// (block, feedForward.width); `inner` where it is not gated.
    let activated: Tensor

    init(
        plan: DecoderPlan, capacity: Int, stages: Bool, computeType: ComputeType, device: Device
    ) throws(ComputeError) {
        func make(_ rows: Int, _ columns: Int) throws(ComputeError) -> Tensor {
            try device.makeTensor([rows, columns], computeType.elementType, for: "a slab's activations")
        }
        func makeStream() throws(ComputeError) -> Tensor {
            try device.makeTensor([capacity, plan.width], .float32, for: "rows of the stream")
        }
        let heads = plan.heads
        let block = min(capacity, device.preferredRowCounts.activations)
        input = try stages ? makeStream() : nil
        output = try stages ? makeStream() : nil
        sublayer = try plan.hasNormBehindSublayers ? makeStream() : nil
        normed = try make(capacity, plan.width)
        queryKeyValue = try make(capacity, (heads.queryCount + 2 * heads.keyCount) * heads.width)
        context = try make(capacity, heads.queryCount * heads.width)
        inner = try make(block, plan.feedForward.projectionCount * plan.feedForward.width)
        activated = try plan.feedForward.isGated ? make(block, plan.feedForward.width) : inner
    }

    private init(_ whole: SlabWorkspace, tokenCount: Int) {
        input = whole.input
        output = whole.output
        sublayer = whole.sublayer.map { $0.rows(0..<tokenCount) }
        normed = whole.normed.rows(0..<tokenCount)
        queryKeyValue = whole.queryKeyValue.rows(0..<tokenCount)
        context = whole.context.rows(0..<tokenCount)
        inner = whole.inner
        activated = whole.activated
    }

    func prefix(_ tokenCount: Int) -> SlabWorkspace { SlabWorkspace(self, tokenCount: tokenCount) }

    /// Bytes of workspace that grow with the tokens of a slab, staging included.
    static func byteCountPerToken(_ plan: DecoderPlan, _ computeType: ComputeType) -> Int {
        let heads = (2 * plan.heads.queryCount + 2 * plan.heads.keyCount) * plan.heads.width
        let streams = plan.hasNormBehindSublayers ? 3 : 2
        return 4 * streams * plan.width + computeType.byteCount * (plan.width + heads)
    }

    /// Bytes of a row of the MLP's activations.
    static func byteCountPerActivationRow(_ plan: DecoderPlan, _ computeType: ComputeType) -> Int {
        computeType.byteCount * (plan.feedForward.isGated ? 3 : 1) * plan.feedForward.width
    }
}

extension DecoderPlan {
    /// Whether what a sublayer gives is normalized before it is added.
    var hasNormBehindSublayers: Bool { normPlacement == .after || normPlacement == .beforeAndAfter }
}

extension Device {
    func normalize(
        _ x: Tensor, _ weights: NormWeights, groupWidth: Int? = nil, accumulates: Bool = false, into result: Tensor
    ) throws(ComputeError) {
        try normalize(
            x, weights.norm.kind, weight: weights.weight, bias: weights.bias, epsilon: weights.norm.epsilon,
            groupWidth: groupWidth, accumulates: accumulates, into: result)
    }
}

/// One layer's step on one slab.
struct LayerStep {
    let plan: DecoderPlan
    let layer: DecoderPlan.Layer
    let rotation: RotaryTable?
    let device: Device
    let workspace: SlabWorkspace
    let layout: SequenceLayout
    /// Of the slab.
    let sequences: Range<Int>

    /// output = input + attention(input); both (tokens, width).
    func attention(
        _ input: Tensor, _ weights: SublayerWeights<AttentionWeights>, into output: Tensor
    ) throws(ComputeError) {
        try device.copy(input, to: output)
        switch weights {
        case .linear(let map): try add(map, of: input, to: output)
        case .own(let weights): try attention(input, weights, addingTo: output)
        }
    }

    private func attention(
        _ input: Tensor, _ weights: AttentionWeights, addingTo output: Tensor
    ) throws(ComputeError) {
        let heads = plan.heads
        let queryColumns = 0..<heads.queryCount * heads.width
        let keyColumns = queryColumns.upperBound..<queryColumns.upperBound + heads.keyCount * heads.width
        let valueColumns = keyColumns.upperBound..<workspace.queryKeyValue.columns
        let (query, key) = (
            workspace.queryKeyValue.columns(queryColumns), workspace.queryKeyValue.columns(keyColumns)
        )

        try project(try entering(input, weights.norm), weights.queryKeyValue, into: workspace.queryKeyValue)
        if let limit = plan.queryKeyValueLimit { try device.clamp(workspace.queryKeyValue, to: limit) }
        if let scope = plan.queryKeyNorm?.scope, let queryNorm = weights.queryNorm, let keyNorm = weights.keyNorm {
            let groupWidth = scope == .projection ? nil : heads.width
            try device.normalize(query, queryNorm, groupWidth: groupWidth, into: query)
            try device.normalize(key, keyNorm, groupWidth: groupWidth, into: key)
        }
        if let rotation, let index = layer.rotary {
            try device.rotate(
                workspace.queryKeyValue.columns(0..<keyColumns.upperBound), cosines: rotation.cosines,
                sines: rotation.sines, positions: rotation.rows(of: sequences, lengths: layout.lengths),
                headWidth: heads.width, layout: plan.rotaries[index].layout)
        }
        try device.attention(
            query: query, key: key, value: workspace.queryKeyValue.columns(valueColumns),
            lengths: Array(layout.lengths[sequences]), heads: heads, rule: layer.attention, into: workspace.context)
        try add(workspace.context, weights.output, weights.outputNorm, staging: workspace.sublayer, to: output)
        if plan.normPlacement == .afterResidual, let norm = weights.outputNorm {
            try device.normalize(output, norm, into: output)
        }
    }

    /// stream += mlp(source); both (tokens, width), and `source` may be the stream itself.
    func feedForward(
        _ source: Tensor, _ weights: SublayerWeights<FeedForwardWeights>, addingTo stream: Tensor
    ) throws(ComputeError) {
        switch weights {
        case .linear(let map): try add(map, of: source, to: stream)
        case .own(let weights): try feedForward(source, weights, addingTo: stream)
        }
    }

    private func feedForward(
        _ source: Tensor, _ weights: FeedForwardWeights, addingTo stream: Tensor
    ) throws(ComputeError) {
        let entering = try entering(source, weights.norm)
        let blockRowCount = max(1, workspace.activated.rows)
        for begin in stride(from: 0, to: stream.rows, by: blockRowCount) {
            let rows = begin..<min(begin + blockRowCount, stream.rows)
            let inner = workspace.inner.rows(0..<rows.count)
            let activated = workspace.activated.rows(0..<rows.count)
            try multiply(entering.rows(rows), weights.input, into: inner)
            try device.activate(
                inner, bias: weights.input.bias, plan.feedForward.activation,
                isGated: plan.feedForward.isGated, into: activated)
            try add(
                activated, weights.output, weights.outputNorm, staging: workspace.sublayer?.rows(rows),
                to: stream.rows(rows))
        }
        if plan.normPlacement == .afterResidual, let norm = weights.outputNorm {
            try device.normalize(stream, norm, into: stream)
        }
    }
}

// MARK: - Parts of a sublayer

extension LayerStep {
    /// stream += x · weightᵀ + bias; `x` may be the stream itself.
    func add(_ map: Projection, of x: Tensor, to stream: Tensor) throws(ComputeError) {
        // A product may not read what it adds to, and `normed` is of the compute type.
        try device.convert(x, into: workspace.normed)
        try device.product(
            workspace.normed, map.weight, transposesB: !map.isInputMajor, accumulates: true, into: stream)
        if let bias = map.bias { try device.addBias(bias, to: stream) }
    }

    /// What a sublayer reads of the stream, in the compute type.
    private func entering(_ x: Tensor, _ norm: NormWeights?) throws(ComputeError) -> Tensor {
        if let norm {
            try device.normalize(x, norm, into: workspace.normed)
        } else if workspace.normed.elementType == x.elementType {
            return x
        } else {
            try device.convert(x, into: workspace.normed)
        }
        return workspace.normed
    }

    /// result = x · weightᵀ.
    private func multiply(_ x: Tensor, _ projection: Projection, into result: Tensor) throws(ComputeError) {
        try device.product(x, projection.weight, transposesB: !projection.isInputMajor, into: result)
    }

    /// result = x · weightᵀ + bias.
    private func project(_ x: Tensor, _ projection: Projection, into result: Tensor) throws(ComputeError) {
        try multiply(x, projection, into: result)
        if let bias = projection.bias { try device.addBias(bias, to: result) }
    }

    /// stream += residualScale · (x · weightᵀ + bias), normalized first where a norm stands behind the sublayer.
    private func add(
        _ x: Tensor, _ projection: Projection, _ norm: NormWeights?, staging: Tensor?, to stream: Tensor
    ) throws(ComputeError) {
        if plan.hasNormBehindSublayers, let norm, let staging {
            try project(x, projection, into: staging)
            try device.normalize(staging, norm, accumulates: true, into: stream)
            return
        }
        try device.product(
            x, projection.weight, transposesB: !projection.isInputMajor, scale: Double(plan.residualScale),
            accumulates: true, into: stream)
        if let bias = projection.bias { try device.addBias(bias, to: stream) }
    }
}
