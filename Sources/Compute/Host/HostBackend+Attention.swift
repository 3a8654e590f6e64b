import COpenBLAS
package import Tensors

extension HostBackend {
    /// Elements of the score matrix of one block of queries: half a megabyte, which stays in a core's cache.
    private static let scoreElementCount = 1 << 17

    private static let blockTokenLimit = 64

    /// Blocks of query rows against the keys that one of them sees, two matrix products and a softmax each. The query
    /// heads that share a key head stand in one matrix, row (token, head of the group). Operands of 16 bits are decoded
    /// head by head, and the result is rounded once.
    package func attention(
        query: Tensor, key: Tensor, value: Tensor, lengths: [Int], heads: AttentionHeads, rule: AttentionRule,
        into result: Tensor
    ) {
        let longest = lengths.max() ?? 0
        let window = min(rule.window ?? longest, longest)
        let keyCapacity = min(longest, window + HostBackend.blockTokenLimit - 1)
        let blockTokenCount = max(
            8, min(HostBackend.blockTokenLimit, HostBackend.scoreElementCount / max(1, keyCapacity * heads.groupCount)))
        let rowCapacity = blockTokenCount * heads.groupCount
        let decodedCount = key.elementType == .float32 ? 0 : longest * heads.width
        unsafe withUnsafeTemporaryAllocation(
            of: Float.self, capacity: rowCapacity * (keyCapacity + 2 * heads.width + 1) + 2 * decodedCount
        ) { memory in
            guard let base = memory.baseAddress else { return }
            let workspace = unsafe AttentionWorkspace(
                queries: base, outputs: base + rowCapacity * heads.width,
                weights: base + 2 * rowCapacity * heads.width, scores: base + rowCapacity * (2 * heads.width + 1),
                decoded: base + rowCapacity * (keyCapacity + 2 * heads.width + 1))
            var begin = 0
            for length in lengths {
                let rows = begin..<begin + length
                for keyHead in 0..<heads.keyCount {
                    let keyColumns = keyHead * heads.width..<(keyHead + 1) * heads.width
                    let groupColumns =
                        keyColumns.lowerBound * heads.groupCount..<keyColumns.upperBound * heads.groupCount
                    unsafe attend(
                        query: query.rows(rows).columns(groupColumns), key: key.rows(rows).columns(keyColumns),
                        value: value.rows(rows).columns(keyColumns),
                        scoring: ScoreRule(rule, window: window, keyHead: keyHead, groupCount: heads.groupCount),
                        blockTokenCount: blockTokenCount, workspace: workspace,
                        into: result.rows(rows).columns(groupColumns))
                }
                begin += length
            }
        }
    }

    /// One sequence and one key head: query (tokens, groupCount · width), key and value (tokens, width).
    private func attend(
        query: Tensor, key: Tensor, value: Tensor, scoring: ScoreRule, blockTokenCount: Int,
        workspace: AttentionWorkspace, into result: Tensor
    ) {
        let (width, groupCount) = (key.columns, scoring.groupCount)
        let isDecoded = key.elementType != .float32
        let (decodedKeys, decodedValues) = unsafe (workspace.decoded, workspace.decoded + key.rows * width)
        let (keys, values) = unsafe isDecoded ? (decodedKeys, decodedValues) : (key.floats, value.floats)
        let (keyStride, valueStride) =
            isDecoded ? (width, width) : (key.leadingDimension, value.leadingDimension)
        var blockTokenCount = blockTokenCount
        if isDecoded {
            unsafe decode(key, into: decodedKeys)
            unsafe decode(value, into: decodedValues)
            // An infinity or a NaN, times the weight of 0 of a token that must not see it, would reach that token.
            if unsafe !isFinite(values, count: key.rows * width) { blockTokenCount = 1 }
        }
        for begin in stride(from: 0, to: query.rows, by: blockTokenCount) {
            let end = min(begin + blockTokenCount, query.rows)
            let rowCount = (end - begin) * groupCount
            let blockKeys = scoring.keys(seenBy: begin).lowerBound..<end
            let (keyCount, firstKey) = (blockKeys.count, blockKeys.lowerBound)
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
                CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rowCount), Int32(keyCount), Int32(width), scoring.scale,
                workspace.queries, Int32(width), keys + firstKey * keyStride, Int32(keyStride), 0, workspace.scores,
                Int32(keyCount))
            for row in 0..<rowCount {
                let token = begin + row / groupCount
                let seen = scoring.keys(seenBy: token)
                let scores = unsafe workspace.scores + row * keyCount
                unsafe scoring.apply(
                    to: scores + (seen.lowerBound - firstKey), keys: seen, token: token, groupHead: row % groupCount)
                unsafe workspace.weights[row] =
                    unsafe 1
                    / exponentiate(
                        scores, seen: seen.lowerBound - firstKey..<seen.upperBound - firstKey, count: keyCount)
            }
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rowCount), Int32(width), Int32(keyCount), 1,
                workspace.scores, Int32(keyCount), values + firstKey * valueStride, Int32(valueStride), 0,
                workspace.outputs, Int32(width))
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

    /// Replaces the scores that are seen by exp(score - maximum) and the others by 0; returns the sum.
    private func exponentiate(_ row: UnsafeMutablePointer<Float>, seen: Range<Int>, count: Int) -> Float {
        let scores = unsafe row + seen.lowerBound
        var maxima = unsafe Loops.Vector(repeating: scores[0])
        unsafe Loops.forEachVector(scores, seen.count, padding: scores[0]) { vector, _ in
            maxima.replace(with: vector, where: vector .> maxima)
        }
        let maximum = maxima.max()
        var sums = Loops.Vector.zero
        let wholeCount = seen.count & ~3
        var offset = 0
        while offset < wholeCount {
            let weights = unsafe exponential(Loops.load(scores + offset) - maximum)
            unsafe Loops.store(weights, to: scores + offset)
            sums += weights
            offset += 4
        }
        var sum = sums.sum()
        if offset < seen.count {
            let weights = unsafe exponential(Loops.loadRest(scores + offset, seen.count - offset) - maximum)
            unsafe Loops.storeRest(weights, to: scores + offset, seen.count - offset)
            for i in 0..<seen.count - offset { sum += weights[i] }
        }
        unsafe row.update(repeating: 0, count: seen.lowerBound)
        unsafe (row + seen.upperBound).update(repeating: 0, count: count - seen.upperBound)
        return sum
    }
}

/// The rule for the query heads that share one key head.
private struct ScoreRule {
    let scale: Float
    let groupCount: Int
    private let window: Int
    private let softCap: Float?
    private let slopes: ArraySlice<Float>

    /// `window` is at least 1, and no longer than the longest sequence.
    init(_ rule: AttentionRule, window: Int, keyHead: Int, groupCount: Int) {
        scale = rule.scale
        self.groupCount = groupCount
        self.window = window
        softCap = rule.softCap
        slopes = rule.slopes.isEmpty ? [] : rule.slopes[keyHead * groupCount..<(keyHead + 1) * groupCount]
    }

    func keys(seenBy token: Int) -> Range<Int> { max(0, token - window + 1)..<token + 1 }

    /// Caps the scores of one token and head, and slopes them; `scores[i]` is that of `keys[i]`.
    func apply(to scores: UnsafeMutablePointer<Float>, keys: Range<Int>, token: Int, groupHead: Int) {
        if let softCap {
            unsafe Loops.replaceEachVector(scores, keys.count) { vector, _ in
                hyperbolicTangent(vector / softCap) * softCap
            }
        }
        if !slopes.isEmpty {
            let slope = slopes[slopes.startIndex + groupHead]
            let first = Loops.Vector(0, 1, 2, 3) - Float(token - keys.lowerBound)
            unsafe Loops.replaceEachVector(scores, keys.count) { vector, offset in
                vector + (first + Float(offset)) * slope
            }
        }
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
