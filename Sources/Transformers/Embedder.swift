import Checkpoints
import Compute
import Tensors

/// The stream entering layer 0, from tokens and their positions.
struct Embedder: Sendable {
    private let plan: DecoderPlan
    private let device: Device
    private let table: StoredTensor
    private let positions: StoredTensor?
    /// (width, table's width) float32, where the table is of another width than the stream.
    private let projection: Tensor?
    private let norm: NormWeights?

    init(reader: WeightReader, sources: ModelSources, longest: Int) throws(TransformerError) {
        let plan = reader.plan
        (self.plan, device) = (plan, reader.device)
        let tableWidth = plan.embedding.projectedWidth ?? plan.width
        (table, positions) = try wrappingCheckpoint { () throws(CheckpointError) in
            let positions = try sources.positions.map { name throws(CheckpointError) in
                try reader.checkpoint.tensor(name)
            }
            return (
                try reader.checkpoint.tensor(sources.embedding, shape: [plan.vocabularySize, tableWidth]), positions
            )
        }
        projection = try sources.embeddingProjection.map { name throws(TransformerError) in
            try reader.matrix(ProjectionSource(name, plan.width), inputs: tableWidth, .float32)
        }
        norm =
            try plan.embedding.norm.map { norm throws(TransformerError) in
                try reader.outerNorm(sources.embeddingNorm, norm)
            } ?? nil
    }

    /// norm(scale · table[token] (projected) + positions[position]), into (tokens, width).
    func embed(_ tokens: ArraySlice<Int32>, positions rows: [Int32], into output: Tensor) throws(TransformerError) {
        try wrapping { () throws(ComputeError) in
            let gathered = try projection.map { projection throws(ComputeError) in
                try device.makeTensor([tokens.count, projection.columns], .float32, for: "embeddings")
            }
            try gatherRows(of: table, Array(tokens), into: gathered ?? output)
            if let projection, let gathered {
                try device.product(gathered, projection, transposesB: true, into: output)
            }
            if plan.embedding.scale != 1 { try device.scale(output, by: plan.embedding.scale) }
            if let positions, let offset = plan.embedding.learnedPositionOffset {
                let places = try device.makeTensor(output.shape, .float32, for: "position embeddings")
                try gatherRows(of: positions, rows.map { $0 + Int32(offset) }, into: places)
                try device.add(output, places, into: output)
            }
            if let norm { try device.normalize(output, norm, into: output) }
        }
    }

    private func gatherRows(of table: StoredTensor, _ rows: [Int32], into result: Tensor) throws(ComputeError) {
        try unsafe table.withBytes { (bytes) throws(ComputeError) in
            try unsafe device.gatherRows(bytes.bytes, elementType: table.elementType, rows: rows, into: result)
        }
    }
}
