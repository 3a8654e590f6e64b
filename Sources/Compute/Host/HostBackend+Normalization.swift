package import Tensors

extension HostBackend {
    package func normalize(
        _ x: Tensor, _ kind: NormKind, weight: Tensor, bias: Tensor?, epsilon: Float, groupWidth: Int?,
        accumulates: Bool, into result: Tensor
    ) throws(ComputeError) {
        let x = try widened(x)
        let groupWidth = groupWidth ?? x.columns
        try rounding(into: result) { wide throws(ComputeError) in
            for row in 0..<x.rows {
                let input = unsafe x.floats + row * x.leadingDimension
                let output = unsafe wide.floats + row * wide.leadingDimension
                for begin in stride(from: 0, to: x.columns, by: groupWidth) {
                    let norm = unsafe RowNorm(kind, input + begin, groupWidth, epsilon: epsilon)
                    unsafe norm.write(
                        input + begin, weight: weight.floats + begin, bias: bias.map { unsafe $0.floats + begin },
                        accumulates: accumulates, to: output + begin, groupWidth)
                }
            }
        }
    }
}

/// The statistics of one group of one row: what is taken away from each element, and what the rest is multiplied by.
private struct RowNorm {
    /// The mean in two parts: their difference to an element is exact where the mean alone would have lost its digits.
    private var mean: Float = 0
    private var rest: Float = 0
    private var factor: Float = 0

    init(_ kind: NormKind, _ x: UnsafePointer<Float>, _ count: Int, epsilon: Float) {
        var variance = unsafe Loops.dot(x, x, count) / Float(count)
        if kind == .layer {
            mean = unsafe Loops.sum(x, count) / Float(count)
            let (sum, squares) = unsafe RowNorm.moments(x, count, around: mean)
            rest = sum / Float(count)
            // The rest is a rounding error of the mean: nothing is lost.
            variance = max(0, squares / Float(count) - rest * rest)
        }
        factor = 1 / (variance + epsilon).squareRoot()
    }

    /// Σ (x - mean) and Σ (x - mean)².
    private static func moments(_ x: UnsafePointer<Float>, _ count: Int, around mean: Float) -> (Float, Float) {
        var sums = (Loops.Vector.zero, Loops.Vector.zero)
        var squares = (Loops.Vector.zero, Loops.Vector.zero)
        var offset = 0
        while offset + 8 <= count {
            let differences = unsafe (Loops.load(x + offset) - mean, Loops.load(x + offset + 4) - mean)
            sums.0 += differences.0
            sums.1 += differences.1
            squares.0 += differences.0 * differences.0
            squares.1 += differences.1 * differences.1
            offset += 8
        }
        var (sum, square) = ((sums.0 + sums.1).sum(), (squares.0 + squares.1).sum())
        while offset < count {
            let difference = unsafe x[offset] - mean
            sum += difference
            square += difference * difference
            offset += 1
        }
        return (sum, square)
    }

    /// output = (x - mean) · factor ⊙ weight + bias, added to what it holds where `accumulates`.
    func write(
        _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, accumulates: Bool,
        to output: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        for offset in stride(from: 0, to: count, by: 4) {
            let rest = count - offset
            var value = unsafe (Loops.load(x + offset, atMost: rest) - mean) - self.rest
            value = unsafe value * factor * Loops.load(weight + offset, atMost: rest)
            if let bias = unsafe bias { value += unsafe Loops.load(bias + offset, atMost: rest) }
            if accumulates { value += unsafe Loops.load(output + offset, atMost: rest) }
            unsafe Loops.store(value, to: output + offset, atMost: rest)
        }
    }
}
