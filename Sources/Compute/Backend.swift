public import Tensors

/// What a device can do: the contract between the checked front (`Device`) and the arithmetic behind it.
///
/// A backend trusts its arguments: shapes, element types, owners and empties have been checked. Matrices are
/// row-major; `(rows, columns)` names the shape of an argument. Operations may be called from several lanes at once.
package protocol Backend: Sendable {
    var identifier: DeviceIdentifier { get }

    /// The matrix library and the kernel set it chose.
    var libraryDescription: String { get }

    // MARK: Lanes

    /// Tokens of a slab, and rows of an MLP's activations, that are worth computing at once.
    var preferredRowCounts: (slab: Int, activations: Int) { get }
    /// Whether products are so much faster than singular value decompositions that an iteration made of them is too.
    var prefersProducts: Bool { get }
    /// How many slabs are worked on at the same time.
    var laneCount: Int { get }
    /// Calls `body(task, lane)` for every task; at any moment a lane works on one task only.
    func concurrently(_ taskCount: Int, _ body: @Sendable (_ task: Int, _ lane: Int) -> Void)

    /// Waits until all that was asked for has been done.
    func synchronize() throws(ComputeError)

    // MARK: Memory

    /// Bytes that are free now.
    func availableMemoryByteCount() throws(ComputeError) -> Int
    func allocate(byteCount: Int, purpose: String) throws(ComputeError) -> Storage
    /// Whether tensors are elsewhere than the host's memory.
    var hasOwnMemory: Bool { get }
    /// Memory of the host that `write` and `read` copy from and to fast.
    func allocateHost(byteCount: Int, purpose: String) throws(ComputeError) -> Storage
    /// Copies host memory into a contiguous tensor.
    func write(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) throws(ComputeError)
    /// Copies a contiguous tensor into host memory.
    func read(_ tensor: Tensor, into bytes: UnsafeMutableRawBufferPointer) throws(ComputeError)
    func copy(_ source: Tensor, to destination: Tensor) throws(ComputeError)
    func fillZero(_ tensor: Tensor) throws(ComputeError)

    // MARK: Forward pass

    /// Decodes `bytes`, whole blocks of `elementType`, to float32 or float64; `result` is contiguous.
    func decode(_ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor) throws(ComputeError)
    /// result[i, :] = decoded row `rows[i]` of a table of `elementType` with `result.columns` columns.
    func gatherRows(_ table: UnsafeRawBufferPointer, elementType: ElementType, rows: [Int32], into result: Tensor)
        throws(ComputeError)
    /// Normalizes every row in groups of `groupWidth` columns, then ⊙ weight + bias; added to result where `accumulates`.
    func normalize(
        _ x: Tensor, _ kind: NormKind, weight: Tensor, bias: Tensor?, epsilon: Float, groupWidth: Int?,
        accumulates: Bool, into result: Tensor) throws(ComputeError)
    /// result = a · b (or a · bᵀ), added to result where `accumulates`.
    func product(
        _ a: Tensor, _ b: Tensor, transposesA: Bool, transposesB: Bool, scale: Double, accumulates: Bool,
        into result: Tensor) throws(ComputeError)
    /// x += bias, row by row.
    func addBias(_ bias: Tensor, to x: Tensor) throws(ComputeError)
    /// Rotates the first `2·rotation.columns` elements of every head of x (tokens, heads · headWidth) in place.
    func rotate(_ x: Tensor, cosines: Tensor, sines: Tensor, positions: [Int32], headWidth: Int, layout: RotaryLayout)
        throws(ComputeError)
    /// Causal softmax attention over packed sequences.
    func attention(
        query: Tensor, key: Tensor, value: Tensor, lengths: [Int], heads: AttentionHeads, rule: AttentionRule,
        into result: Tensor) throws(ComputeError)
    /// result = activation(x + bias), or the activation of the first half of the columns ⊙ the second where `isGated`.
    func activate(_ x: Tensor, bias: Tensor?, _ activation: Activation, isGated: Bool, into result: Tensor)
        throws(ComputeError)
    /// x ← factor · x.
    func scale(_ x: Tensor, by factor: Float) throws(ComputeError)
    /// result = x, rounded from float32 to the result's type.
    func convert(_ x: Tensor, into result: Tensor) throws(ComputeError)
    /// x ← min(max(x, -limit), limit).
    func clamp(_ x: Tensor, to limit: Float) throws(ComputeError)
    /// x ← cap · tanh(x / cap).
    func softCap(_ x: Tensor, at cap: Float) throws(ComputeError)
    /// result = a + b.
    func add(_ a: Tensor, _ b: Tensor, into result: Tensor) throws(ComputeError)
    /// result = a - b.
    func subtract(_ a: Tensor, _ b: Tensor, into result: Tensor) throws(ComputeError)
    /// result[i] = (log Σ exp, the target's logit, the index of the largest) of row i, in float64.
    func tokenScores(_ logits: Tensor, targets: [Int32], into result: Tensor) throws(ComputeError)
    /// result[i] = KL(softmax of row i of the reference || softmax of row i of the logits), in float64.
    func tokenDivergences(reference: Tensor, logits: Tensor, into result: Tensor) throws(ComputeError)
    /// Row i of the result = exp(row i of x) / Σ exp.
    func softmax(_ x: Tensor, into result: Tensor) throws(ComputeError)
    /// The first row that holds a NaN or an infinity.
    func firstNonFiniteRow(_ x: Tensor) throws(ComputeError) -> Int?

    // MARK: Transfers

    /// Whether tensors are brought in while the device computes.
    var overlapsTransfers: Bool { get }
    func makeTransfer() throws(ComputeError) -> any BackendTransfer

    // MARK: Moments

    /// Gathers the rows of x and of the target, shifted, into panels, and adds their column sums and squares.
    func gatherPanels(_ pair: StreamPair, rows: [Int32], shifts: PanelShifts, into panels: Panels) throws(ComputeError)
    /// gram += xᵀx (upper triangle), cross += xᵀt and targetGram += tᵀt (upper triangle) in float64; see
    /// `Device.addCrossProducts`.
    func addCrossProducts(_ panels: Panels, rowCount: Int, gram: Tensor, cross: Tensor, targetGram: Tensor?)
        throws(ComputeError)
    /// result[i] = (‖x‖, ‖y‖, ‖y - x‖, x·y) of row i, in float64.
    func rowStatistics(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError)
    /// result[i] = x·y of row i, in float64.
    func rowProducts(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError)
    /// result[i] = ‖xᵢ - center‖², in float64.
    func squaredDistances(_ x: Tensor, from center: Tensor, into result: Tensor) throws(ComputeError)
    /// Per row, with e = prediction + bias - target: (‖e‖, √Σ x²·inputWeights, √Σ e²·outputWeights).
    func predictionErrors(
        _ prediction: Tensor, bias: Tensor, target: Tensor, x: Tensor, inputWeights: Tensor, outputWeights: Tensor,
        into result: Tensor) throws(ComputeError)

    // MARK: Dense linear algebra in float64

    /// a += scale · x·yᵀ.
    func addOuterProduct(_ x: Tensor, _ y: Tensor, scale: Double, to a: Tensor) throws(ComputeError)
    /// a[i, j] ← rows[i] · a[i, j] · columns[j]; a nil factor is 1.
    func scale(_ a: Tensor, rows: Tensor?, columns: Tensor?) throws(ComputeError)
    /// a[i, i] for all i.
    func diagonal(of a: Tensor) throws(ComputeError) -> [Double]
    /// a[i, i] ← value.
    func fillDiagonal(of a: Tensor, with value: Double) throws(ComputeError)
    /// Copies the upper triangle of a square matrix into its lower one.
    func mirrorUpperTriangle(_ a: Tensor) throws(ComputeError)
    /// Σ aᵢⱼ · bᵢⱼ.
    func innerProduct(_ a: Tensor, _ b: Tensor) throws(ComputeError) -> Double
    /// y += scale · x, element by element.
    func addScaled(_ x: Tensor, scale: Double, to y: Tensor) throws(ComputeError)
    /// Factors a symmetric positive definite matrix a = L·Lᵀ in place (lower triangle); returns the order of the first
    /// leading minor that is not positive definite, counted from 1, or 0.
    func choleskyFactor(_ a: Tensor) throws(ComputeError) -> Int
    /// result = aᵀ.
    func transpose(_ a: Tensor, into result: Tensor) throws(ComputeError)
    /// L ← L' with L'·L'ᵀ = L·Lᵀ + rowsᵀ·rows; see `Device.updateTriangularFactor`.
    func updateTriangularFactor(_ factor: Tensor, with rows: Tensor, transposesRows: Bool) throws(ComputeError)
    /// b ← L⁻¹·b, or L⁻ᵀ·b where `transposes`, with L from `choleskyFactor`.
    func solveTriangular(_ factor: Tensor, transposes: Bool, _ b: Tensor) throws(ComputeError)
    /// Eigenvalues of the symmetric matrix a, ascending; a is overwritten, its row i by eigenvector i.
    func symmetricEigen(_ a: Tensor) throws(ComputeError) -> [Double]
    /// Singular values, descending; a is overwritten.
    func singularValues(_ a: Tensor) throws(ComputeError) -> [Double]
    /// a = left·diag(values)·right with the singular values descending; a is overwritten, left and right are contiguous.
    func singularDecomposition(_ a: Tensor, left: Tensor, right: Tensor) throws(ComputeError) -> [Double]
    /// y = a·x with the symmetric matrix a, of which the upper triangle is read.
    func symmetricProduct(_ a: Tensor, _ x: Tensor, into y: Tensor) throws(ComputeError)
}

/// What is behind a `Transfer`, which says what each does; one thread at a time uses it.
package protocol BackendTransfer: Sendable {
    func allocate(byteCount: Int, purpose: String) throws(ComputeError) -> Storage
    func decode(_ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor) throws(ComputeError)
    func finish() throws(ComputeError)
    /// What is computed from here on comes after the transfer.
    func precedeComputing() throws(ComputeError)
    /// The first row that is not finite of each tensor that was decoded, in their order.
    func nonFiniteRows() throws(ComputeError) -> [Int?]
}

/// How the pairs of a rotary embedding lie in a head of width w.
public enum RotaryLayout: Sendable, Hashable {
    /// Element i is paired with i + w/2 (Hugging Face's LLaMA).
    case halves
    /// Element 2i is paired with 2i + 1 (GGUF's `llama` files, GPT-J).
    case interleaved
}

/// The heads of grouped-query attention: query head h reads key head h / (queries / keys).
public struct AttentionHeads: Sendable, Hashable {
    public let queryCount: Int
    public let keyCount: Int
    public let width: Int

    public init(queryCount: Int, keyCount: Int, width: Int) {
        self.queryCount = queryCount
        self.keyCount = keyCount
        self.width = width
    }

    /// Query heads that share one key head.
    public var groupCount: Int { queryCount / keyCount }
}

/// How queries meet keys: what a score is, and which keys a query sees.
public struct AttentionRule: Sendable, Hashable {
    /// score = scale · q·k.
    public var scale: Float
    /// A query sees itself and the window - 1 tokens before it; nil: all before it.
    public var window: Int?
    /// score ← softCap · tanh(score / softCap), before the slopes come to it.
    public var softCap: Float?
    /// ALiBi (Press et al. 2022): slopes[h] · (key position - query position) is added to a score of query head h;
    /// empty: none.
    public var slopes: [Float]

    public init(scale: Float, window: Int? = nil, softCap: Float? = nil, slopes: [Float] = []) {
        self.scale = scale
        self.window = window
        self.softCap = softCap
        self.slopes = slopes
    }
}

/// Which of the two quantities with the same fit residual is accumulated: the one of smaller norm keeps more digits.
public enum MomentTarget: String, Sendable, Hashable {
    /// B = Y - X, what the layer adds to the stream.
    case contribution
    /// Y, the stream that leaves the layer.
    case output
}

/// Rows of the stream entering (x) and leaving (y) a layer, both (tokens, width); or of any two matrices whose rows belong
/// together, y of another width then. Both are float32 or both float64.
public struct StreamPair: Sendable {
    public let x: Tensor
    public let y: Tensor
    public let target: MomentTarget

    public init(x: Tensor, y: Tensor, target: MomentTarget) {
        self.x = x
        self.y = y
        self.target = target
    }
}

/// First estimates of the column means, of the rows' width and element type, which are subtracted before products are
/// formed.
public struct PanelShifts: Sendable {
    public let x: Tensor
    public let target: Tensor

    public init(x: Tensor, target: Tensor) {
        self.x = x
        self.target = target
    }
}

/// Gathered, shifted rows and their running sums.
public struct Panels: Sendable {
    /// (capacity, width), float32 or float64.
    public let x: Tensor
    /// (capacity, targetWidth), of the same element type.
    public let target: Tensor
    /// (3, the larger width) float64: column sums of x, of the target, and of the target's squares.
    public let sums: Tensor

    public init(x: Tensor, target: Tensor, sums: Tensor) {
        self.x = x
        self.target = target
        self.sums = sums
    }
}
