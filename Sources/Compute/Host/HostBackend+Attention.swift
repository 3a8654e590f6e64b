import COpenBLAS
package import Tensors

extension HostBackend {
    /// Elements of the score matrix of one block of queries: half a megabyte, which stays in a core's cache.
    private static let scoreElementCount = 1 << 17

    /// Blocks of query rows against all keys up to the last of them, two matrix products and a softmax each. The query
    /// heads that share a key head stand in one matrix, row (token, head of the group). Operands of 16 bits are decoded
    /// head by head, and the result is rounded once.
    package func attention(
        query: Tensor, key: Tensor, value: Tensor, lengths: [Int], heads: AttentionHeads, scale: Float,
        into result: Tensor
    ) {
        let longest = lengths.max() ?? 0
        let blockTokenCount = max(8, min(64, HostBackend.scoreElementCount / max(1, longest * heads.groupCount)))
        let rowCapacity = blockTokenCount * heads.groupCount
        let decodedCount = key.elementType == .float32 ? 0 : longest * heads.width
        unsafe withUnsafeTemporaryAllocation(
            of: Float.self, capacity: rowCapacity * (longest + 2 * heads.width + 1) + 2 * decodedCount
        ) { memory in
            guard let base = memory.baseAddress else { return }
            let workspace = unsafe AttentionWorkspace(
                queries: base, outputs: base + rowCapacity * heads.width,
                weights: base + 2 * rowCapacity * heads.width, scores: base + rowCapacity * (2 * heads.width + 1),
                decoded: base + rowCapacity * (longest + 2 * heads.width + 1))
            var begin = 0
            for length in lengths {
                let rows = begin..<begin + length
                for keyHead in 0..<heads.keyCount {
                    let keyColumns = keyHead * heads.width..<(keyHead + 1) * heads.width
                    let groupColumns =
                        keyColumns.lowerBound * heads.groupCount..<keyColumns.upperBound * heads.groupCount
                    unsafe attend(
                        query: query.rows(rows).columns(groupColumns), key: key.rows(rows).columns(keyColumns),
                        value: value.rows(rows).columns(keyColumns), groupCount: heads.groupCount, scale: scale,
                        blockTokenCount: blockTokenCount, workspace: workspace,
                        into: result.rows(rows).columns(groupColumns))
                }
                begin += length
            }
        }
    }

    /// One sequence and one key head: query (tokens, groupCount · width), key and value (tokens, width).
    private func attend(
        query: Tensor, key: Tensor, value: Tensor, groupCount: Int, scale: Float, blockTokenCount: Int,
        workspace: AttentionWorkspace, into result: Tensor
    ) {
        let width = key.columns
        let isDecoded = key.elementType != .float32
        let (keys, values) = unsafe (workspace.decoded, workspace.decoded + key.rows * width)
        var blockTokenCount = blockTokenCount
        if isDecoded {
            unsafe decode(key, into: keys)
            unsafe decode(value, into: values)
            // An infinity or a NaN, times the weight of 0 of a token that must not see it, would reach that token.
            if unsafe !isFinite(values, count: key.rows * width) { blockTokenCount = 1 }
        }
        for begin in stride(from: 0, to: query.rows, by: blockTokenCount) {
            let end = min(begin + blockTokenCount, query.rows)
            let rowCount = (end - begin) * groupCount
            for token in begin..<end {
                let row = unsafe workspace.queries + (token - begin) * groupCount * width
                if isDecoded {
                    unsafe decode(query.rows(token..<token + 1), into: row)
                } else {
                    unsafe row.update(
                        from: query.floats + token * query.leadingDimension, count: groupCount * width)
                }
            }
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rowCount), Int32(end), Int32(width), scale,
                workspace.queries, Int32(width), isDecoded ? keys : key.floats,
                Int32(isDecoded ? width : key.leadingDimension), 0, workspace.scores, Int32(end))
            for row in 0..<rowCount {
                unsafe workspace.weights[row] =
                    unsafe 1
                    / exponentiate(
                        workspace.scores + row * end, visible: begin + row / groupCount + 1, count: end)
            }
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rowCount), Int32(width), Int32(end), 1,
                workspace.scores, Int32(end), isDecoded ? values : value.floats,
                Int32(isDecoded ? width : value.leadingDimension), 0, workspace.outputs, Int32(width))
            for row in 0..<rowCount {
                let weight = unsafe workspace.weights[row]
                let input = unsafe workspace.outputs + row * width
                let token = begin + row / groupCount
                if isDecoded {
                    for i in 0..<width { unsafe input[i] *= weight }
                    let output = result.rows(token..<token + 1).columns(
                        row % groupCount * width..<(row % groupCount + 1) * width)
                    unsafe SixteenBitRounding.store(input, result.elementType, to: output.address, count: width)
                } else {
                    let output = unsafe result.floats + token * result.leadingDimension + row % groupCount * width
                    for i in 0..<width { unsafe output[i] = unsafe input[i] * weight }
                }
            }
        }
    }

    /// The rows of a tensor of 16 bits, one after the other.
    private func decode(_ tensor: Tensor, into result: UnsafeMutablePointer<Float>) {
        for row in 0..<tensor.rows {
            unsafe BlockDecoding.decode(
                tensor.elementType, tensor.rows(row..<row + 1).address, into: result + row * tensor.columns,
                count: tensor.columns)
        }
    }

    private func isFinite(_ values: UnsafePointer<Float>, count: Int) -> Bool {
        // Only of finite numbers is the product with 0 a 0.
        var sums = Loops.Vector.zero
        unsafe Loops.forEachVector(values, count) { vector, _ in sums += vector * 0 }
        return sums.sum() == 0
    }

    /// Replaces the visible scores by exp(score - maximum) and the others by 0; returns the sum.
    private func exponentiate(_ scores: UnsafeMutablePointer<Float>, visible: Int, count: Int) -> Float {
        var maxima = unsafe Loops.Vector(repeating: scores[0])
        unsafe Loops.forEachVector(scores, visible, padding: scores[0]) { vector, _ in
            maxima.replace(with: vector, where: vector .> maxima)
        }
        let maximum = maxima.max()
        var sums = Loops.Vector.zero
        let wholeCount = visible & ~3
        var offset = 0
        while offset < wholeCount {
            let weights = unsafe exponential(Loops.load(scores + offset) - maximum)
            unsafe Loops.store(weights, to: scores + offset)
            sums += weights
            offset += 4
        }
        var sum = sums.sum()
        if offset < visible {
            let weights = unsafe exponential(Loops.loadRest(scores + offset, visible - offset) - maximum)
            unsafe Loops.storeRest(weights, to: scores + offset, visible - offset)
            for i in 0..<visible - offset { sum += weights[i] }
        }
        unsafe (scores + visible).update(repeating: 0, count: count - visible)
        return sum
    }
}

/// Memory of one call: queries and outputs (rows, width), weights (rows), scores (rows, keys), and for operands of 16 bits
/// a head's decoded keys and values (2 · tokens, width).
@unsafe
private struct AttentionWorkspace {
    let queries: UnsafeMutablePointer<Float>
    let outputs: UnsafeMutablePointer<Float>
    let weights: UnsafeMutablePointer<Float>
    let scores: UnsafeMutablePointer<Float>
    let decoded: UnsafeMutablePointer<Float>
}
