import Compute
import Tensors

/// Memory of one lane for one slab, reused from layer to layer.
struct SlabWorkspace: Sendable {
    /// (tokens, width) each; `input` and `output` only where streams are staged.
    let input: Tensor?
    let output: Tensor?
    let normed: Tensor
    /// Of the compute type, as all that follow: (tokens, (queryCount + 2·keyCount)·headWidth).
    let queryKeyValue: Tensor
    /// (tokens, queryCount·headWidth).
    let context: Tensor
    /// (block, 2·feedForwardWidth) and (block, feedForwardWidth).
    let gateUp: Tensor
    let gated: Tensor

    init(
        plan: DecoderPlan, capacity: Int, stages: Bool, computeType: ComputeType, device: Device
    ) throws(ComputeError) {
        func make(_ rows: Int, _ columns: Int) throws(ComputeError) -> Tensor {
            try device.makeTensor([rows, columns], computeType.elementType, for: "a slab's activations")
        }
        func makeStaging() throws(ComputeError) -> Tensor {
            try device.makeTensor([capacity, plan.width], .float32, for: "rows of the stream")
        }
        let heads = plan.heads
        let block = min(capacity, device.preferredRowCounts.activations)
        input = try stages ? makeStaging() : nil
        output = try stages ? makeStaging() : nil
        normed = try make(capacity, plan.width)
        queryKeyValue = try make(capacity, (heads.queryCount + 2 * heads.keyCount) * heads.width)
        context = try make(capacity, heads.queryCount * heads.width)
        gateUp = try make(block, 2 * plan.feedForwardWidth)
        gated = try make(block, plan.feedForwardWidth)
    }

    private init(_ whole: SlabWorkspace, tokenCount: Int) {
        input = whole.input
        output = whole.output
        normed = whole.normed.rows(0..<tokenCount)
        queryKeyValue = whole.queryKeyValue.rows(0..<tokenCount)
        context = whole.context.rows(0..<tokenCount)
        gateUp = whole.gateUp
        gated = whole.gated
    }

    func prefix(_ tokenCount: Int) -> SlabWorkspace { SlabWorkspace(self, tokenCount: tokenCount) }

    /// Bytes of workspace that grow with the tokens of a slab, staging included.
    static func byteCountPerToken(_ plan: DecoderPlan, _ computeType: ComputeType) -> Int {
        let heads = (2 * plan.heads.queryCount + 2 * plan.heads.keyCount) * plan.heads.width
        return 4 * 2 * plan.width + computeType.byteCount * (plan.width + heads)
    }
}

/// One layer's step on one slab.
struct LayerStep {
    let plan: DecoderPlan
    let weights: LayerWeights
    let rotary: RotaryTable
    let device: Device
    let workspace: SlabWorkspace
    /// Tokens of each sequence of the slab.
    let lengths: [Int]

    /// output = input + attention(norm(input)); both (tokens, width).
    func attention(_ input: Tensor, into output: Tensor) throws(ComputeError) {
        let heads = plan.heads
        let queryColumns = 0..<heads.queryCount * heads.width
        let keyColumns = queryColumns.upperBound..<queryColumns.upperBound + heads.keyCount * heads.width
        let valueColumns = keyColumns.upperBound..<workspace.queryKeyValue.columns

        try normalize(input, weights.attentionNorm, into: workspace.normed)
        try device.product(
            workspace.normed, weights.queryKeyValue, transposesB: true, into: workspace.queryKeyValue)
        if let bias = weights.queryKeyValueBias { try device.addBias(bias, to: workspace.queryKeyValue) }
        let positions = lengths.flatMap { (0..<Int32($0)) }
        switch plan.positions {
        case .rotary(_, let layout):
            try device.rotate(
                workspace.queryKeyValue.columns(0..<keyColumns.upperBound), cosines: rotary.cosines,
                sines: rotary.sines,
                positions: positions, headWidth: heads.width, layout: layout)
        }
        try device.attention(
            query: workspace.queryKeyValue.columns(queryColumns), key: workspace.queryKeyValue.columns(keyColumns),
            value: workspace.queryKeyValue.columns(valueColumns), lengths: lengths, heads: heads,
            rule: AttentionRule(scale: 1 / Float(heads.width).squareRoot()), into: workspace.context)
        try device.copy(input, to: output)
        try device.product(
            workspace.context, weights.attentionOutput, transposesB: true, accumulates: true, into: output)
        if let bias = weights.attentionOutputBias { try device.addBias(bias, to: output) }
    }

    /// stream += mlp(norm(source)); both (tokens, width), and `source` may be the stream itself.
    func feedForward(_ source: Tensor, addingTo stream: Tensor) throws(ComputeError) {
        try normalize(source, weights.feedForwardNorm, into: workspace.normed)
        let rowCount = max(1, workspace.gated.rows)
        for begin in stride(from: 0, to: stream.rows, by: rowCount) {
            let rows = begin..<min(begin + rowCount, stream.rows)
            let gateUp = workspace.gateUp.rows(0..<rows.count)
            let gated = workspace.gated.rows(0..<rows.count)
            let output = stream.rows(rows)
            try device.product(workspace.normed.rows(rows), weights.gateUp, transposesB: true, into: gateUp)
            if let bias = weights.gateUpBias { try device.addBias(bias, to: gateUp) }
            switch plan.feedForward {
            case .gatedSiLU: try device.activate(gateUp, bias: nil, .silu, isGated: true, into: gated)
            }
            try device.product(gated, weights.down, transposesB: true, accumulates: true, into: output)
            if let bias = weights.downBias { try device.addBias(bias, to: output) }
        }
    }

    private func normalize(_ x: Tensor, _ weight: Tensor, into result: Tensor) throws(ComputeError) {
        switch plan.norm {
        case .rootMeanSquare(let epsilon):
            try device.normalize(
                x, .rootMeanSquare, weight: weight, bias: nil, epsilon: epsilon, groupWidth: nil, accumulates: false,
                into: result)
        }
    }
}
