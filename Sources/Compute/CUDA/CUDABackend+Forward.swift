import CKernels
package import Tensors

extension CUDABackend {
    package func decode(
        _ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor
    ) throws(ComputeError) {
        guard let source = bytes.baseAddress else { return }
        try unsafe call("decode") { api, context in
            unsafe api.decode(context, source, Int64(bytes.count), elementType.kernels, result.kernels)
        }
    }

    /// The rows are brought together on the host, so that no others travel.
    package func gatherRows(
        _ table: UnsafeRawBufferPointer, elementType: ElementType, rows: [Int32], into result: Tensor
    ) throws(ComputeError) {
        let rowByteCount = result.columns / elementType.blockElementCount * elementType.blockByteCount
        let stored = unsafe [UInt8](unsafeUninitializedCapacity: rows.count * rowByteCount) { buffer, count in
            for (i, row) in rows.enumerated() {
                let source = unsafe UnsafeRawBufferPointer(
                    rebasing: table[Int(row) * rowByteCount..<(Int(row) + 1) * rowByteCount])
                unsafe UnsafeMutableRawBufferPointer(buffer)[i * rowByteCount..<(i + 1) * rowByteCount].copyBytes(
                    from: source)
            }
            count = rows.count * rowByteCount
        }
        try unsafe call("decode") { api, context in
            unsafe stored.withUnsafeBytes { bytes in
                guard let source = bytes.baseAddress else { return 0 }
                return unsafe api.decode(
                    context, source, Int64(bytes.count), elementType.kernels, result.kernels)
            }
        }
    }

    package func normalize(
        _ x: Tensor, _ kind: NormKind, weight: Tensor, bias: Tensor?, epsilon: Float, groupWidth: Int?,
        accumulates: Bool, into result: Tensor
    ) throws(ComputeError) {
        let norm = ck_norm(
            kind: kind.kernels, accumulates: accumulates ? 1 : 0, group_width: Int64(groupWidth ?? x.columns),
            epsilon: epsilon, reserved: 0)
        try unsafe call("normalize") { api, context in
            unsafe api.normalize(
                context, x.kernels, norm, weight.kernels, bias?.kernels ?? .none, result.kernels)
        }
    }

    package func product(
        _ a: Tensor, _ b: Tensor, transposesA: Bool, transposesB: Bool, scale: Double, accumulates: Bool,
        into result: Tensor
    ) throws(ComputeError) {
        let how = ck_product(
            transposes_a: transposesA ? 1 : 0, transposes_b: transposesB ? 1 : 0, accumulates: accumulates ? 1 : 0,
            reserved: 0, scale: scale)
        try unsafe call("product") { api, context in
            unsafe api.product(context, a.kernels, b.kernels, how, result.kernels)
        }
    }

    package func addBias(_ bias: Tensor, to x: Tensor) throws(ComputeError) {
        try unsafe call("add_bias") { api, context in unsafe api.add_bias(context, bias.kernels, x.kernels) }
    }

    package func rotate(
        _ x: Tensor, cosines: Tensor, sines: Tensor, positions: [Int32], headWidth: Int, layout: RotaryLayout
    ) throws(ComputeError) {
        try unsafe call("rotate") { api, context in
            unsafe api.rotate(
                context, x.kernels, cosines.kernels, sines.kernels, positions, Int64(headWidth),
                layout == .interleaved ? 1 : 0)
        }
    }

    package func attention(
        query: Tensor, key: Tensor, value: Tensor, lengths: [Int], heads: AttentionHeads, rule: AttentionRule,
        into result: Tensor
    ) throws(ComputeError) {
        let shape = ck_heads(
            query_count: Int64(heads.queryCount), key_count: Int64(heads.keyCount), width: Int64(heads.width))
        let how = ck_attention_rule(
            window: Int64(rule.window ?? Int.max), scale: rule.scale, soft_cap: rule.softCap ?? 0)
        let slopes = rule.slopes.isEmpty ? nil : rule.slopes
        try unsafe call("attention") { api, context in
            unsafe api.attention(
                context, query.kernels, key.kernels, value.kernels, lengths.map { Int32($0) }, Int64(lengths.count),
                shape, how, slopes, result.kernels)
        }
    }

    package func activate(
        _ x: Tensor, bias: Tensor?, _ activation: Activation, isGated: Bool, into result: Tensor
    ) throws(ComputeError) {
        try unsafe call("activate") { api, context in
            unsafe api.activate(
                context, x.kernels, bias?.kernels ?? .none, activation.kernels, isGated ? 1 : 0, result.kernels)
        }
    }

    package func scale(_ x: Tensor, by factor: Float) throws(ComputeError) {
        try unsafe call("scale_elements") { api, context in unsafe api.scale_elements(context, x.kernels, factor) }
    }

    package func convert(_ x: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("convert") { api, context in unsafe api.convert(context, x.kernels, result.kernels) }
    }

    package func clamp(_ x: Tensor, to limit: Float) throws(ComputeError) {
        try unsafe call("clamp") { api, context in unsafe api.clamp(context, x.kernels, limit) }
    }

    package func softCap(_ x: Tensor, at cap: Float) throws(ComputeError) {
        try unsafe call("soft_cap") { api, context in unsafe api.soft_cap(context, x.kernels, cap) }
    }

    package func tokenScores(_ logits: Tensor, targets: [Int32], into result: Tensor) throws(ComputeError) {
        try unsafe call("token_scores") { api, context in
            unsafe api.token_scores(context, logits.kernels, targets, result.kernels)
        }
    }

    package func tokenDivergences(reference: Tensor, logits: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("token_divergences") { api, context in
            unsafe api.token_divergences(context, reference.kernels, logits.kernels, result.kernels)
        }
    }

    package func softmax(_ x: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("softmax") { api, context in unsafe api.softmax(context, x.kernels, result.kernels) }
    }

    package func add(_ a: Tensor, _ b: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("add") { api, context in unsafe api.add(context, a.kernels, b.kernels, result.kernels) }
    }

    package func subtract(_ a: Tensor, _ b: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("subtract") { api, context in unsafe api.subtract(context, a.kernels, b.kernels, result.kernels)
        }
    }

    package func firstNonFiniteRow(_ x: Tensor) throws(ComputeError) -> Int? {
        var row = Int64(-1)
        try unsafe call("first_non_finite_row") { api, context in
            unsafe api.first_non_finite_row(context, x.kernels, &row)
        }
        return row < 0 ? nil : Int(row)
    }
}

extension Activation {
    /// The function's number in `ck_activation`.
    var kernels: Int32 {
        let activation =
            switch self {
            case .silu: CK_SILU
            case .gelu: CK_GELU
            case .geluTanh: CK_GELU_TANH
            case .relu: CK_RELU
            case .reluSquared: CK_RELU_SQUARED
            case .quickGELU: CK_QUICK_GELU
            }
        return Int32(activation.rawValue)
    }
}

extension NormKind {
    /// The kind's number in `ck_norm_kind`.
    var kernels: Int32 {
        Int32((self == .layer ? CK_LAYER_NORM : CK_ROOT_MEAN_SQUARE_NORM).rawValue)
    }
}
