public import Tensors

/// The operations of a forward pass. All are float32 unless said otherwise; `(tokens, width)` names a shape.
extension Device {
    /// Decodes stored elements to those of the result, which are rounded from float32 where they have 16 bits.
    ///
    /// - Parameters:
    ///   - bytes: Exactly the stored bytes of `result.shape.count` elements.
    ///   - elementType: How they are stored: F64, F32, F16, BF16 or a block type.
    ///   - result: Contiguous float32, float64, float16 or bfloat16.
    public func decode(_ bytes: RawSpan, elementType: ElementType, into result: Tensor) throws(ComputeError) {
        try checkDecoding(byteCount: bytes.byteCount, elementType, into: result)
        try unsafe bytes.withUnsafeBytes { stored throws(ComputeError) in
            try unsafe backend.decode(stored, elementType: elementType, into: result)
        }
    }

    /// What `decode` expects of its operands.
    func checkDecoding(byteCount: Int, _ elementType: ElementType, into result: Tensor) throws(ComputeError) {
        if result.elementType != .float64 { try checkActivations(result, "result", in: "decode") }
        try check(result, "result", nil, in: "decode")
        try checkContiguous(result, "result", in: "decode")
        guard elementType.byteCount(of: result.shape.count) == byteCount else {
            throw .shape(
                operation: "decode", operand: "result",
                expected: "the elements of \(byteCount) bytes of \(elementType.rawValue)", got: result.shape)
        }
    }

    /// result[i, :] = decoded row `rows[i]` of a stored table: the embedding lookup.
    ///
    /// - Parameters:
    ///   - table: A stored matrix (rows, width), row-major.
    ///   - elementType: How the table is stored.
    ///   - result: (rows.count, width).
    public func gatherRows(
        _ table: RawSpan, elementType: ElementType, rows: [Int32], into result: Tensor
    ) throws(ComputeError) {
        try check(result, "result", .float32, in: "gatherRows")
        try check(result, "result", rows: rows.count, in: "gatherRows")
        guard let rowByteCount = elementType.byteCount(of: result.columns), rowByteCount > 0,
            table.byteCount.isMultiple(of: rowByteCount)
        else {
            throw .shape(
                operation: "gatherRows", operand: "result",
                expected: "rows of whole blocks of \(elementType.rawValue)", got: result.shape)
        }
        let rowCount = table.byteCount / rowByteCount
        if let row = rows.first(where: { $0 < 0 || Int($0) >= rowCount }) {
            throw .index(operation: "gatherRows", index: Int(row), count: rowCount)
        }
        try unsafe table.withUnsafeBytes { stored throws(ComputeError) in
            try unsafe backend.gatherRows(stored, elementType: elementType, rows: rows, into: result)
        }
    }

    /// Normalization row by row, in groups of columns with statistics of their own, times a weight, plus a bias.
    ///
    /// A layer norm's mean is found twice, the second time from what the first left, so that a mean far from zero costs no
    /// digits.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32, float16 or bfloat16.
    ///   - weight: (width) float32; `bias` likewise, or nil.
    ///   - epsilon: Added to the mean square or the variance.
    ///   - groupWidth: Columns of a group, which divide the width; nil for the whole row.
    ///   - accumulates: Whether to add to what result holds, which must be float32 then.
    ///   - result: (tokens, width) of x's type; of float32 x any of the three. May be `x` unless it accumulates.
    public func normalize(
        _ x: Tensor, _ kind: NormKind, weight: Tensor, bias: Tensor?, epsilon: Float, groupWidth: Int?,
        accumulates: Bool, into result: Tensor
    ) throws(ComputeError) {
        if accumulates {
            try check(x, "x", .float32, in: "normalize")
            try check(result, "result", .float32, in: "normalize")
        }
        try checkActivations(x, "x", in: "normalize")
        try check(weight, "weight", .float32, in: "normalize")
        try check(weight, "weight", rows: 1, columns: x.columns, in: "normalize")
        if let bias {
            try check(bias, "bias", .float32, in: "normalize")
            try check(bias, "bias", rows: 1, columns: x.columns, in: "normalize")
        }
        try checkActivations(result, "result", in: "normalize")
        if x.elementType != .float32 { try check(result, "result", x.elementType, in: "normalize") }
        try check(result, "result", rows: x.rows, columns: x.columns, in: "normalize")
        if let groupWidth, groupWidth <= 0 || !x.columns.isMultiple(of: groupWidth) {
            throw .shape(operation: "normalize", operand: "x", expected: "groups of width \(groupWidth)", got: x.shape)
        }
        if x.rows == 0 || x.columns == 0 { return }
        try backend.normalize(
            x, kind, weight: weight, bias: bias, epsilon: epsilon, groupWidth: groupWidth, accumulates: accumulates,
            into: result)
    }

    /// result = scale · op(a) · op(b), added to what result holds where `accumulates`.
    ///
    /// Float64 operands give float64, and float32 ones float32. Those of float16 or bfloat16 are summed in float32, and give
    /// that or their own type.
    ///
    /// - Parameters:
    ///   - a: (m, k), or (k, m) where `transposesA`.
    ///   - b: (k, n), or (n, k) where `transposesB`; weights of a checkpoint are (outputs, inputs) and transposed.
    ///   - result: (m, n); must not overlap a or b.
    public func product(
        _ a: Tensor, _ b: Tensor, transposesA: Bool = false, transposesB: Bool = false, scale: Double = 1,
        accumulates: Bool = false, into result: Tensor
    ) throws(ComputeError) {
        if a.elementType != .float64 { try checkActivations(a, "a", in: "product") }
        try check(a, "a", nil, in: "product")
        try check(b, "b", a.elementType, in: "product")
        let isWidening = a.elementType.isSixteenBits && result.elementType == .float32
        try check(result, "result", isWidening ? .float32 : a.elementType, in: "product")
        let (m, k) = transposesA ? (a.columns, a.rows) : (a.rows, a.columns)
        let n = transposesB ? b.rows : b.columns
        try check(b, "b", rows: transposesB ? n : k, columns: transposesB ? k : n, in: "product")
        try check(result, "result", rows: m, columns: n, in: "product")
        if m == 0 || n == 0 { return }
        try backend.product(
            a, b, transposesA: transposesA, transposesB: transposesB, scale: scale, accumulates: accumulates,
            into: result)
    }

    /// x += bias, row by row; x is (tokens, width) float32, float16 or bfloat16, bias (width) float32.
    public func addBias(_ bias: Tensor, to x: Tensor) throws(ComputeError) {
        try checkActivations(x, "x", in: "addBias")
        try check(bias, "bias", .float32, in: "addBias")
        try check(bias, "bias", rows: 1, columns: x.columns, in: "addBias")
        try backend.addBias(bias, to: x)
    }

    /// Rotary position embedding in place (Su et al. 2021).
    ///
    /// - Parameters:
    ///   - x: (tokens, heads · headWidth) float32, float16 or bfloat16.
    ///   - cosines: (positions, pairs) float32: cosine of position · frequency; `sines` likewise.
    ///   - positions: The position of each token in its sequence.
    ///   - headWidth: Width of a head; its first 2·pairs elements are rotated.
    public func rotate(
        _ x: Tensor, cosines: Tensor, sines: Tensor, positions: [Int32], headWidth: Int, layout: RotaryLayout
    ) throws(ComputeError) {
        try checkActivations(x, "x", in: "rotate")
        try check(cosines, "cosines", .float32, in: "rotate")
        try check(sines, "sines", .float32, in: "rotate")
        try check(sines, "sines", rows: cosines.rows, columns: cosines.columns, in: "rotate")
        try check(x, "x", rows: positions.count, in: "rotate")
        guard headWidth > 0, x.columns.isMultiple(of: headWidth), 2 * cosines.columns <= headWidth else {
            throw .shape(
                operation: "rotate", operand: "x", expected: "heads of width \(headWidth) ≥ \(2 * cosines.columns)",
                got: x.shape)
        }
        if let position = positions.first(where: { $0 < 0 || Int($0) >= cosines.rows }) {
            throw .index(operation: "rotate", index: Int(position), count: cosines.rows)
        }
        try backend.rotate(
            x, cosines: cosines, sines: sines, positions: positions, headWidth: headWidth, layout: layout)
    }

    /// Causal grouped-query attention: softmax(scores) v within each of the packed sequences, with scores and what is
    /// seen as `rule` says.
    ///
    /// All tensors are of one type: float32, float16 or bfloat16. Sums and the softmax are float32 for each; a result of
    /// 16 bits is rounded to nearest even at the end, and a GPU rounds the weights of the softmax too. An infinity or a
    /// NaN shows in the tokens that see it, and in no others of a type of 16 bits.
    ///
    /// - Parameters:
    ///   - query: (tokens, queryCount · width).
    ///   - key: (tokens, keyCount · width); `value` likewise.
    ///   - lengths: Tokens of each sequence, in order; their sum is the number of tokens.
    ///   - rule: Its window is at least 1, its soft cap positive; its slopes are none, or one for each query head.
    ///   - result: (tokens, queryCount · width); must not overlap the others.
    public func attention(
        query: Tensor, key: Tensor, value: Tensor, lengths: [Int], heads: AttentionHeads, rule: AttentionRule,
        into result: Tensor
    ) throws(ComputeError) {
        try checkActivations(query, "query", in: "attention")
        guard heads.keyCount > 0, heads.width > 0, heads.queryCount.isMultiple(of: heads.keyCount) else {
            throw .shape(
                operation: "attention", operand: "heads", expected: "query heads in whole groups",
                got: [heads.queryCount, heads.keyCount, heads.width])
        }
        guard lengths.allSatisfy({ $0 >= 0 }), lengths.reduce(0, +) == query.rows else {
            throw .shape(
                operation: "attention", operand: "query", expected: "\(lengths.reduce(0, +)) tokens", got: query.shape)
        }
        for (tensor, operand, headCount) in [
            (query, "query", heads.queryCount), (key, "key", heads.keyCount), (value, "value", heads.keyCount),
            (result, "result", heads.queryCount),
        ] {
            try check(tensor, operand, query.elementType, in: "attention")
            try check(tensor, operand, rows: query.rows, columns: headCount * heads.width, in: "attention")
        }
        try check(rule, heads)
        try backend.attention(
            query: query, key: key, value: value, lengths: lengths, heads: heads, rule: rule, into: result)
    }

    private func check(_ rule: AttentionRule, _ heads: AttentionHeads) throws(ComputeError) {
        if let window = rule.window, window < 1 {
            throw .value(operation: "attention", name: "the window", expected: "at least 1", got: "\(window)")
        }
        if let cap = rule.softCap, !(cap > 0 && cap.isFinite) {
            throw .value(
                operation: "attention", name: "the soft cap", expected: "a positive number", got: "\(cap)")
        }
        guard rule.slopes.isEmpty || rule.slopes.count == heads.queryCount else {
            throw .shape(
                operation: "attention", operand: "slopes", expected: "one for each of \(heads.queryCount) query heads",
                got: [rule.slopes.count])
        }
        if let slope = rule.slopes.first(where: { !$0.isFinite }) {
            throw .value(operation: "attention", name: "a slope", expected: "a finite number", got: "\(slope)")
        }
    }

    /// result = act(x + bias); gated (Shazeer 2020), act(x[:, ..<m] + bias[..<m]) ⊙ (x[:, m...] + bias[m...]).
    ///
    /// Computed in float32 and rounded once. A NaN stays one; the activation of -∞ is NaN where it is a product 0 · ∞.
    ///
    /// - Parameters:
    ///   - x: (tokens, m), or (tokens, 2·m) where gated: float32, float16 or bfloat16.
    ///   - bias: As many float32 as x has columns, or nil.
    ///   - result: (tokens, m), of x's element type; may be `x` where it is not gated.
    public func activate(
        _ x: Tensor, bias: Tensor?, _ activation: Activation, isGated: Bool, into result: Tensor
    ) throws(ComputeError) {
        try checkActivations(x, "x", in: "activate")
        if let bias {
            try check(bias, "bias", .float32, in: "activate")
            try check(bias, "bias", rows: 1, columns: x.columns, in: "activate")
        }
        try check(result, "result", x.elementType, in: "activate")
        try check(x, "x", rows: result.rows, columns: (isGated ? 2 : 1) * result.columns, in: "activate")
        try backend.activate(x, bias: bias, activation, isGated: isGated, into: result)
    }

    /// x ← factor · x, in place.
    public func scale(_ x: Tensor, by factor: Float) throws(ComputeError) {
        try check(x, "x", .float32, in: "scale")
        try backend.scale(x, by: factor)
    }

    /// result = x, each element rounded to nearest, ties to even.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32.
    ///   - result: (tokens, width) float32, float16 or bfloat16; must not overlap x.
    public func convert(_ x: Tensor, into result: Tensor) throws(ComputeError) {
        try check(x, "x", .float32, in: "convert")
        try checkActivations(result, "result", in: "convert")
        try check(result, "result", rows: x.rows, columns: x.columns, in: "convert")
        try backend.convert(x, into: result)
    }

    /// x ← min(max(x, -limit), limit), in place; x is (tokens, width) float32, float16 or bfloat16. A NaN stays one.
    public func clamp(_ x: Tensor, to limit: Float) throws(ComputeError) {
        try checkActivations(x, "x", in: "clamp")
        try backend.clamp(x, to: limit)
    }

    /// x ← cap · tanh(x / cap), in place: logits that stay below a positive cap.
    public func softCap(_ x: Tensor, at cap: Float) throws(ComputeError) {
        try check(x, "x", .float32, in: "softCap")
        try backend.softCap(x, at: cap)
    }

    /// What a perplexity and an accuracy are made of, for each row of logits: (log Σ exp, the logit of the target, the
    /// index of the largest logit).
    ///
    /// Of equal logits the first is the largest. A NaN in a row makes the first two numbers NaN; the index passes over it,
    /// and is 0 where no logit is above -∞.
    ///
    /// - Parameters:
    ///   - logits: (tokens, vocabulary).
    ///   - targets: An index into the vocabulary for each token.
    ///   - result: (tokens, 3) float64.
    public func tokenScores(_ logits: Tensor, targets: [Int32], into result: Tensor) throws(ComputeError) {
        try check(logits, "logits", .float32, in: "tokenScores")
        try check(logits, "logits", rows: targets.count, in: "tokenScores")
        try check(result, "result", .float64, in: "tokenScores")
        try check(result, "result", rows: targets.count, columns: 3, in: "tokenScores")
        if let target = targets.first(where: { $0 < 0 || Int($0) >= logits.columns }) {
            throw .index(operation: "tokenScores", index: Int(target), count: logits.columns)
        }
        try backend.tokenScores(logits, targets: targets, into: result)
    }

    /// How far the predictions of each token are from those of a reference: KL(P || Q) = Σ p·log(p/q) in nats, with
    /// P = softmax(reference) and Q = softmax(logits).
    ///
    /// It is summed as Σ p·(eʳ - 1 - r) with r = log(q/p): no term is negative, and so those of distributions that are
    /// nearly the same do not cancel. A logit of -∞ is a probability of 0: in both it adds nothing, in Q alone the
    /// divergence is ∞. It is NaN where a row holds a NaN or ∞, or nothing above -∞: that is no distribution.
    ///
    /// - Parameters:
    ///   - reference: (tokens, vocabulary).
    ///   - logits: (tokens, vocabulary).
    ///   - result: (tokens, 1) float64.
    public func tokenDivergences(
        reference: Tensor, logits: Tensor, into result: Tensor
    ) throws(ComputeError) {
        try check(reference, "reference", .float32, in: "tokenDivergences")
        try check(logits, "logits", .float32, in: "tokenDivergences")
        try check(logits, "logits", rows: reference.rows, columns: reference.columns, in: "tokenDivergences")
        try check(result, "result", .float64, in: "tokenDivergences")
        try check(result, "result", rows: reference.rows, columns: 1, in: "tokenDivergences")
        try backend.tokenDivergences(reference: reference, logits: logits, into: result)
    }

    /// Probabilities of logits: exp(x) / Σ exp(x), row by row.
    ///
    /// Those below e⁻⁶⁰, about 1e-26, times the largest of the row are 0. A row that holds a NaN or ∞, or nothing above -∞, is
    /// no distribution: all of it becomes NaN.
    ///
    /// - Parameters:
    ///   - x: (tokens, vocabulary).
    ///   - result: Likewise; may be `x`.
    public func softmax(_ x: Tensor, into result: Tensor) throws(ComputeError) {
        try check(x, "x", .float32, in: "softmax")
        try check(result, "result", .float32, in: "softmax")
        try check(result, "result", rows: x.rows, columns: x.columns, in: "softmax")
        try backend.softmax(x, into: result)
    }

    /// result = a + b, all (tokens, width); result may be a or b.
    public func add(_ a: Tensor, _ b: Tensor, into result: Tensor) throws(ComputeError) {
        for (tensor, operand) in [(a, "a"), (b, "b"), (result, "result")] {
            try check(tensor, operand, .float32, in: "add")
            try check(tensor, operand, rows: a.rows, columns: a.columns, in: "add")
        }
        try backend.add(a, b, into: result)
    }

    /// result = a - b, all (tokens, width); result may be a or b.
    public func subtract(_ a: Tensor, _ b: Tensor, into result: Tensor) throws(ComputeError) {
        for (tensor, operand) in [(a, "a"), (b, "b"), (result, "result")] {
            try check(tensor, operand, .float32, in: "subtract")
            try check(tensor, operand, rows: a.rows, columns: a.columns, in: "subtract")
        }
        try backend.subtract(a, b, into: result)
    }

    /// The first row of x, float64 or what activations are, that holds a NaN or an infinity, or nil.
    public func firstNonFiniteRow(_ x: Tensor) throws(ComputeError) -> Int? {
        if x.elementType != .float64 { try checkActivations(x, "x", in: "firstNonFiniteRow") }
        try check(x, "x", nil, in: "firstNonFiniteRow")
        return try backend.firstNonFiniteRow(x)
    }
}
