public import Compute

/// How large the cases are: as the program meets them on a GPU, smaller where a whole run is to take under a minute.
public struct BenchmarkScale: Sendable, Hashable {
    /// Sides of the square matrix products.
    var cube: Int
    /// The model whose decoder layer gives the shapes.
    var shape: ModelShape
    /// Tokens that a layer's products take.
    var tokenCount: Int
    /// Tokens of the rows that are normalized, rotated, gated and added.
    var rowCount: Int
    /// Width of those rows.
    var width: Int
    var heads: AttentionHeads
    /// Tokens of the one long sequence.
    var sequenceLength: Int
    /// Sequences of 165 tokens.
    var raggedCount: Int
    /// Of a weight that is decoded.
    var decoded: Extent
    /// Of a panel.
    var panel: Extent
    var cholesky: Int
    var eigen: Int
    var singular: [Int]
    /// Bytes of a copy.
    var copyByteCount: Int
    /// Of the largest cache between the memory and the arithmetic.
    var cacheByteCount: Int

    struct Extent: Sendable, Hashable {
        var rows: Int
        var width: Int
    }

    /// The scale that suits a device and what memory it has free.
    public init(for device: Device) throws(ComputeError) {
        let free = try device.availableMemoryByteCount()
        switch device.name {
        case "host": self = .host
        case "emulated": self = .emulated
        default: self = .gpu
        }
        // Three matrices of float64, and half of the memory for others.
        while cube > 64, 3 * 8 * cube * cube * device.laneCount > free / 2 { cube /= 2 }
        while copyByteCount > 1 << 16, 2 * copyByteCount * device.laneCount > free / 4 { copyByteCount /= 2 }
    }

    private init(
        cube: Int, shape: ModelShape, tokenCount: Int, rowCount: Int, width: Int, heads: AttentionHeads,
        sequenceLength: Int, raggedCount: Int, decoded: Extent, panel: Extent, cholesky: Int, eigen: Int,
        singular: [Int], copyByteCount: Int, cacheByteCount: Int
    ) {
        self.cube = cube
        self.shape = shape
        self.tokenCount = tokenCount
        self.rowCount = rowCount
        self.width = width
        self.heads = heads
        self.sequenceLength = sequenceLength
        self.raggedCount = raggedCount
        self.decoded = decoded
        self.panel = panel
        self.cholesky = cholesky
        self.eigen = eigen
        self.singular = singular
        self.copyByteCount = copyByteCount
        self.cacheByteCount = cacheByteCount
    }

    /// No GPU of today has more than 126 MiB of second-level cache.
    static let gpu = BenchmarkScale(
        cube: 8192, shape: .llama2With7B, tokenCount: 2048, rowCount: 8192, width: 4096,
        heads: AttentionHeads(queryCount: 32, keyCount: 32, width: 128), sequenceLength: 2048, raggedCount: 92,
        decoded: Extent(rows: 11008, width: 4096), panel: Extent(rows: 2048, width: 4096), cholesky: 4096, eigen: 1024,
        singular: [4096, 1024],
        copyByteCount: 1 << 30, cacheByteCount: 128 << 20)

    private static let host = BenchmarkScale(
        cube: 1024, shape: .smolLM2With135M, tokenCount: 512, rowCount: 2048, width: 1024,
        heads: AttentionHeads(queryCount: 4, keyCount: 4, width: 128), sequenceLength: 2048, raggedCount: 8,
        decoded: Extent(rows: 4096, width: 2048), panel: Extent(rows: 2048, width: 576), cholesky: 1024, eigen: 256,
        singular: [512, 256],
        copyByteCount: 1 << 27, cacheByteCount: HostResources.lastLevelCacheByteCount())

    /// Speeds of the emulation mean nothing; its answers do.
    static let emulated = BenchmarkScale(
        cube: 256, shape: .tiny, tokenCount: 64, rowCount: 64, width: 256,
        heads: AttentionHeads(queryCount: 2, keyCount: 2, width: 128), sequenceLength: 128, raggedCount: 1,
        decoded: Extent(rows: 160, width: 64), panel: Extent(rows: 600, width: 64), cholesky: 128, eigen: 64,
        singular: [96, 64],
        copyByteCount: 1 << 22, cacheByteCount: 1 << 20)
}
