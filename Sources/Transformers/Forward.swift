import Checkpoints
public import Compute
public import Tensors

/// The forward pass of a decoder, driven layer by layer: the caller owns the stream, and each layer's weights are read
/// and decoded once for a whole corpus.
public final class Forward: Sendable {
    public let model: DecoderModel
    public let device: Device
    public let layout: SequenceLayout
    private let reader: WeightReader
    private let prefetch: WeightPrefetch
    private let rotaries: [RotaryTable]
    private let slabs: [Range<Int>]
    private let workspaces: [SlabWorkspace]
    private let placement: Stream.PlacementKind
    private let slabTokenCount: Int

    public var plan: DecoderPlan { model.plan }

    /// Prepares a pass over sequences of these lengths.
    ///
    /// - Parameters:
    ///   - model: The model; its weights stay in the file until a layer is applied.
    ///   - device: Where to compute.
    ///   - layout: The sequences.
    ///   - slabTokenCount: Tokens computed at once on each lane, at most; a longer sequence is a slab of its own. nil for what
    ///     the device prefers.
    ///   - placement: Where streams are kept.
    ///   - computeType: Of the operands of matrix products.
    ///   - layersReadAhead: Layers that will be applied in this order, so that the next one's weights are read while one
    ///     computes, which takes the memory of two (`workingByteCount`); empty to read each layer when it is applied.
    /// - Throws: `TransformerError.sequence` for an empty sequence or one beyond the model's positions.
    public init(
        model: DecoderModel, device: Device, layout: SequenceLayout, slabTokenCount: Int? = nil,
        placement: Stream.PlacementKind = .memory, computeType: ComputeType = .f32,
        layersReadAhead: Range<Int> = 0..<0
    ) throws(TransformerError) {
        self.model = model
        self.device = device
        self.layout = layout
        self.placement = placement
        self.slabTokenCount = slabTokenCount ?? device.preferredRowCounts.slab
        reader = WeightReader(plan: model.plan, checkpoint: model.checkpoint, device: device, computeType: computeType)
        prefetch = WeightPrefetch(
            reader: reader, sources: model.sources.layers,
            layers: layersReadAhead.clamped(to: 0..<model.plan.layerCount))
        for (index, length) in layout.lengths.enumerated() where !(1...model.plan.maximumPositions).contains(length) {
            throw .sequence(index: index, length: length, maximum: model.plan.maximumPositions)
        }
        slabs = layout.slabs(tokenCount: self.slabTokenCount)
        let capacity = slabs.map { layout.rows(of: $0).count }.max() ?? 0
        let plan = model.plan
        let laneCount = min(device.laneCount, slabs.count)
        (rotaries, workspaces) = try wrapping { () throws(ComputeError) in
            let rotaries = try plan.rotaries.map { embedding throws(ComputeError) in
                try RotaryTable(embedding, lengths: layout.lengths, device: device)
            }
            var workspaces: [SlabWorkspace] = []
            for _ in 0..<laneCount {
                workspaces.append(
                    try SlabWorkspace(
                        plan: plan, capacity: capacity, stages: placement != .memory, computeType: computeType,
                        device: device))
            }
            return (rotaries, workspaces)
        }
    }

    /// A pass of another model over the same sequences, its layers read as they are applied.
    public func replacingModel(_ model: DecoderModel) throws(TransformerError) -> Forward {
        try Forward(
            model: model, device: device, layout: layout, slabTokenCount: slabTokenCount, placement: placement,
            computeType: reader.computeType)
    }

    /// Bytes that a pass takes besides its streams: one layer's weights, each lane's slab, rotary tables; on a device of its
    /// own memory also a matrix that is decoded, and where layers are read ahead another one's weights.
    public static func workingByteCount(
        plan: DecoderPlan, slabTokenCount: Int, device: Device, computeType: ComputeType, longest: Int,
        readsAhead: Bool = false
    ) -> Int {
        let rows = min(slabTokenCount, device.preferredRowCounts.activations)
        let lane =
            SlabWorkspace.byteCountPerToken(plan, computeType) * slabTokenCount
            + SlabWorkspace.byteCountPerActivationRow(plan, computeType) * rows + (1 << 20)
        let layerCount = readsAhead && device.overlapsTransfers ? 2 : 1
        let weights = layerCount * computeType.byteCount * plan.matrixElementCount + decodingByteCount(plan, device)
        return weights + device.laneCount * lane + RotaryTable.byteCount(plan, longest: longest)
    }

    /// Bytes in which a device with memory of its own holds a stored matrix while it is decoded: the largest, of float32.
    private static func decodingByteCount(_ plan: DecoderPlan, _ device: Device) -> Int {
        let heads = (plan.heads.queryCount + 2 * plan.heads.keyCount) * plan.heads.width
        let rows = max(plan.feedForward.projectionCount * plan.feedForward.width, heads)
        return device.hasOwnMemory ? 4 * rows * plan.width : 0
    }
}

// MARK: Steps

extension Forward {
    /// The stream entering layer 0: the embeddings of the tokens.
    ///
    /// - Parameter tokens: The ids of all sequences, packed.
    /// - Throws: `TransformerError.token` for an id outside the vocabulary, `.nonFiniteActivation`.
    public func embed(_ tokens: [Int32]) throws(TransformerError) -> Stream {
        precondition(tokens.count == layout.tokenCount, "\(tokens.count) ids for \(layout.tokenCount) places")
        if let row = tokens.firstIndex(where: { $0 < 0 || Int($0) >= plan.vocabularySize }) {
            let sequence = layout.sequence(ofRow: row)
            throw .token(
                id: tokens[row], sequence: sequence, position: row - layout.offsets[sequence],
                vocabularySize: plan.vocabularySize)
        }
        let embedder = try Embedder(reader: reader, sources: model.sources, longest: layout.lengths.max() ?? 0)
        return try newStream(stage: "in the embeddings") { rows, _, output throws(TransformerError) in
            try embedder.embed(tokens[rows], positions: rows.map { position(ofRow: $0) }, into: output)
        }
    }

    /// The stream leaving layer `index`; the given one is left as it is.
    ///
    /// - Parameters:
    ///   - index: The layer, from 0.
    ///   - stream: The stream entering the layer.
    ///   - observer: Receives slabs of the sites it wants.
    /// - Throws: `TransformerError`: weights that are damaged, activations that are not finite, memory, disk.
    public func apply(
        _ index: Int, to stream: Stream, observer: (any Observer)? = nil
    ) throws(TransformerError) -> Stream {
        try withWeights(of: index) { weights throws(TransformerError) in
            try apply(weights, of: index, to: stream, observer: observer)
        }
    }

    /// The streams leaving layer `index`, of several that enter it: its weights are read once for all. A stream is let go
    /// when it has been used, unless the caller keeps it.
    ///
    /// - Parameter observer: Watches the first stream.
    public func apply(
        _ index: Int, to streams: consuming [Stream], observer: (any Observer)? = nil
    ) throws(TransformerError) -> [Stream] {
        var streams = streams
        if streams.isEmpty { return [] }
        return try withWeights(of: index) { weights throws(TransformerError) in
            for position in streams.indices {
                streams[position] = try apply(
                    weights, of: index, to: streams[position], observer: position == 0 ? observer : nil)
            }
            return streams
        }
    }

    private func withWeights<Value>(
        of index: Int, _ body: (LayerWeights) throws(TransformerError) -> Value
    ) throws(TransformerError) -> Value {
        let layer = try prefetch.layer(index)
        let result: Result<Value, TransformerError>
        do throws(TransformerError) {
            result = .success(try body(layer.weights))
        } catch {
            result = .failure(error)
        }
        // A weight that is not finite is why activations are not.
        try layer.check()
        return try result.get()
    }

    private func apply(
        _ weights: LayerWeights, of index: Int, to stream: Stream, observer: (any Observer)?
    ) throws(TransformerError) -> Stream {
        let sites = Set(Site.allCases.filter { observer?.wants($0, layer: index) ?? false })
        let next = try makeStream()
        try device.concurrently(slabs.count) { slab, lane throws(TransformerError) in
            let workspace = workspaces[lane]
            let rows = layout.rows(of: slabs[slab])
            let step = LayerStep(
                plan: plan, layer: plan.layers[index], rotation: plan.layers[index].rotary.map { rotaries[$0] },
                device: device, workspace: workspace.prefix(rows.count), layout: layout, sequences: slabs[slab])
            let input = try stream.rows(rows, staging: workspace.input)
            let output = try next.destination(rows, staging: workspace.output)
            switch weights {
            case .linear(let map):
                try wrapping { () throws(ComputeError) in
                    try device.copy(input, to: output)
                    try step.add(map, of: input, to: output)
                }
            case .transformer(let attention, let feedForward):
                try apply(attention, feedForward, of: index, step, rows, input, output, sites, observer)
            }
            try checkFinite(output, rows, stage: "after layer \(index)")
            if sites.contains(.layer) {
                try observe(.layer, index, rows, before: input, after: output, observer)
            }
            try next.commit(output, at: rows)
        }
        return next
    }

    private func apply(
        _ attention: SublayerWeights<AttentionWeights>, _ feedForward: SublayerWeights<FeedForwardWeights>,
        of index: Int, _ step: LayerStep, _ rows: Range<Int>, _ input: Tensor, _ output: Tensor, _ sites: Set<Site>,
        _ observer: (any Observer)?
    ) throws(TransformerError) {
        try wrapping { () throws(ComputeError) in try step.attention(input, attention, into: output) }
        if sites.contains(.attention) {
            try observe(.attention, index, rows, before: input, after: output, observer)
        }
        let middle = try sites.contains(.feedForward) ? snapshot(output) : nil
        let source = plan.residual == .parallel ? input : output
        try wrapping { () throws(ComputeError) in try step.feedForward(source, feedForward, addingTo: output) }
        if let middle {
            let x = plan.residual == .parallel ? input : middle
            try observe(.feedForward, index, rows, x: x, before: middle, after: output, observer)
        }
    }

    /// stream + source·matrix + bias, in float32.
    ///
    /// - Parameter source: nil for the stream itself.
    public func apply(
        _ map: LinearMap, to stream: Stream, of source: Stream? = nil
    ) throws(TransformerError) -> Stream {
        let (matrix, bias) = try wrapping { () throws(ComputeError) in
            (
                try device.makeTensor(map.matrix, [map.width, map.width], for: "a linear map"),
                try device.makeTensor(map.bias, [map.width], for: "a linear map's bias")
            )
        }
        return try newStream(stage: "after a linear map") { rows, lane, output throws(TransformerError) in
            let workspace = workspaces[lane]
            let input = try stream.rows(rows, staging: workspace.input)
            try wrapping { () throws(ComputeError) in try device.copy(input, to: output) }
            let mapped = try source.map { source throws(TransformerError) in
                try source.rows(rows, staging: workspace.input)
            }
            try wrapping { () throws(ComputeError) in
                try device.product(mapped ?? input, matrix, accumulates: true, into: output)
                try device.addBias(bias, to: output)
            }
        }
    }

    /// a + b - c of streams.
    public func sum(_ a: Stream, _ b: Stream, minus c: Stream) throws(TransformerError) -> Stream {
        try newStream(stage: "in a sum of streams") { rows, lane, output throws(TransformerError) in
            let workspace = workspaces[lane]
            let first = try b.rows(rows, staging: workspace.input)
            try wrapping { () throws(ComputeError) in try device.copy(first, to: output) }
            let second = try c.rows(rows, staging: workspace.input)
            try wrapping { () throws(ComputeError) in try device.subtract(output, second, into: output) }
            let third = try a.rows(rows, staging: workspace.input)
            try wrapping { () throws(ComputeError) in try device.add(output, third, into: output) }
        }
    }

    /// The stream after the final norm, which the output head reads.
    ///
    /// - Parameter destination: Where to put it, `stream` itself if it is no longer needed; nil for a new stream.
    public func finalNorm(_ stream: Stream, into destination: Stream? = nil) throws(TransformerError) -> Stream {
        let norm = try plan.hasFinalNorm ? reader.outerNorm(model.sources.finalNorm, plan.norm) : nil
        return try newStream(destination, stage: "after the final norm") {
            rows, lane, output throws(TransformerError) in
            let input = try stream.rows(rows, staging: workspaces[lane].input)
            try wrapping { () throws(ComputeError) in
                if let norm {
                    try device.normalize(input, norm, into: output)
                } else if destination !== stream {
                    try device.copy(input, to: output)
                }
            }
        }
    }

    /// The output head, for `logits(of:rows:head:)`.
    public func outputHead() throws(TransformerError) -> OutputHead { try reader.head(model.sources) }

    /// Logits of some tokens, (rows.count, vocabulary) float32; ask for few rows at a time.
    ///
    /// - Parameters:
    ///   - normed: The stream after the final norm.
    ///   - rows: Packed rows.
    ///   - head: From `outputHead()`.
    public func logits(of normed: Stream, rows: Range<Int>, head: OutputHead) throws(TransformerError) -> Tensor {
        let staging = try wrapping { () throws(ComputeError) in
            try device.makeTensor([rows.count, plan.width], .float32, for: "rows of the stream")
        }
        let input = try normed.rows(rows, staging: staging)
        return try wrapping { () throws(ComputeError) in try head.logits(of: input, plan: plan, device: device) }
    }
}

// MARK: Slabs

extension Forward {
    private func makeStream() throws(TransformerError) -> Stream {
        try Stream(layout: layout, width: plan.width, device: device, placement: placement)
    }

    /// A stream, new unless given, whose slabs `body(rows, lane, output)` computes.
    private func newStream(
        _ destination: Stream? = nil, stage: String,
        _ body: @Sendable (_ rows: Range<Int>, _ lane: Int, _ output: Tensor) throws(TransformerError) -> Void
    ) throws(TransformerError) -> Stream {
        let next = if let destination { destination } else { try makeStream() }
        try device.concurrently(slabs.count) { slab, lane throws(TransformerError) in
            let rows = layout.rows(of: slabs[slab])
            let output = try next.destination(rows, staging: workspaces[lane].output)
            try body(rows, lane, output)
            try checkFinite(output, rows, stage: stage)
            try next.commit(output, at: rows)
        }
        return next
    }

    private func observe(
        _ site: Site, _ layer: Int, _ rows: Range<Int>, x: Tensor? = nil, before: Tensor, after: Tensor,
        _ observer: (any Observer)?
    ) throws(TransformerError) {
        let contribution = try wrapping { () throws(ComputeError) in
            let contribution = try device.makeTensor(before.shape, .float32, for: "an observed contribution")
            try device.subtract(after, before, into: contribution)
            return contribution
        }
        try observer?.observe(site, layer: layer, rows: rows, x: x ?? before, contribution: contribution)
    }

    private func snapshot(_ tensor: Tensor) throws(TransformerError) -> Tensor {
        try wrapping { () throws(ComputeError) in
            let copy = try device.makeTensor(tensor.shape, .float32, for: "an observed stream")
            try device.copy(tensor, to: copy)
            return copy
        }
    }

    private func position(ofRow row: Int) -> Int32 { Int32(row - layout.offsets[layout.sequence(ofRow: row)]) }

    private func checkFinite(_ slab: Tensor, _ rows: Range<Int>, stage: String) throws(TransformerError) {
        let badRow = try wrapping { () throws(ComputeError) in try device.firstNonFiniteRow(slab) }
        guard let badRow else { return }
        let row = rows.lowerBound + badRow
        let sequence = layout.sequence(ofRow: row)
        throw .nonFiniteActivation(stage: stage, sequence: sequence, position: row - layout.offsets[sequence])
    }
}
