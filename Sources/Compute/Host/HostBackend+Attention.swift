import COpenBLAS
package import Tensors

extension HostBackend {
    /// Elements of the score matrix of one block of queries: half a megabyte, which stays in a core's cache.
    private static let scoreElementCount = 1 << 17

    /// Blocks of query rows against all keys up to the last of them, two matrix products and a softmax each. The query
    /// heads that share a key head stand in one matrix, row (token, head of the group).
    package func attention(
        query: Tensor, key: Tensor, value: Tensor, lengths: [Int], heads: AttentionHeads, scale: Float,
        into result: Tensor
    ) {
        let longest = lengths.max() ?? 0
        let blockTokenCount = max(8, min(64, HostBackend.scoreElementCount / max(1, longest * heads.groupCount)))
        let rowCapacity = blockTokenCount * heads.groupCount
        unsafe withUnsafeTemporaryAllocation(
            of: Float.self, capacity: rowCapacity * (longest + 2 * heads.width + 1)
        ) { memory in
            guard let base = memory.baseAddress else { return }
            let workspace = unsafe AttentionWorkspace(
                queries: base, outputs: base + rowCapacity * heads.width,
                weights: base + 2 * rowCapacity * heads.width, scores: base + rowCapacity * (2 * heads.width + 1))
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
        for begin in stride(from: 0, to: query.rows, by: blockTokenCount) {
            let end = min(begin + blockTokenCount, query.rows)
            let rowCount = (end - begin) * groupCount
            for token in begin..<end {
                unsafe (workspace.queries + (token - begin) * groupCount * width).update(
                    from: query.floats + token * query.leadingDimension, count: groupCount * width)
            }
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rowCount), Int32(end), Int32(width), scale,
                workspace.queries, Int32(width), key.floats, Int32(key.leadingDimension), 0, workspace.scores,
                Int32(end))
            for row in 0..<rowCount {
                unsafe workspace.weights[row] =
                    unsafe 1
                    / exponentiate(
                        workspace.scores + row * end, visible: begin + row / groupCount + 1, count: end)
            }
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rowCount), Int32(width), Int32(end), 1,
                workspace.scores, Int32(end), value.floats, Int32(value.leadingDimension), 0, workspace.outputs,
                Int32(width))
            for row in 0..<rowCount {
                let weight = unsafe workspace.weights[row]
                let input = unsafe workspace.outputs + row * width
                let output =
                    unsafe result.floats + (begin + row / groupCount) * result.leadingDimension
                    + row % groupCount * width
                for i in 0..<width { unsafe output[i] = unsafe input[i] * weight }
            }
        }
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

/// Memory of one call: queries and outputs (rows, width), weights (rows), scores (rows, keys).
@unsafe
private struct AttentionWorkspace {
    let queries: UnsafeMutablePointer<Float>
    let outputs: UnsafeMutablePointer<Float>
    let weights: UnsafeMutablePointer<Float>
    let scores: UnsafeMutablePointer<Float>
}
