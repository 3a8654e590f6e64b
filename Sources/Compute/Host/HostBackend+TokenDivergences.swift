import Glibc
package import Tensors

extension HostBackend {
    /// Rows of one task.
    private static let comparedTaskRowCount = 8

    package func tokenDivergences(reference: Tensor, logits: Tensor, into result: Tensor) {
        let taskRowCount = HostBackend.comparedTaskRowCount
        lanes((logits.rows + taskRowCount - 1) / taskRowCount) { task, _ in
            for row in task * taskRowCount..<min((task + 1) * taskRowCount, logits.rows) {
                let a = unsafe reference.floats + row * reference.leadingDimension
                let b = unsafe logits.floats + row * logits.leadingDimension
                let output = unsafe result.doubles + row * result.leadingDimension
                unsafe output[0] = divergence(of: b, from: a, logits.columns)
            }
        }
    }

    /// Σ p·(eʳ - 1 - r) with r = log(q/p).
    private func divergence(of b: UnsafePointer<Float>, from a: UnsafePointer<Float>, _ count: Int) -> Double {
        let (p, q) = unsafe (largest(a, count), largest(b, count))
        guard p.isNumber, q.isNumber, p.0.isFinite, q.0.isFinite else { return .nan }
        let sum = unsafe sumOfExponentials(a, count, below: p.0)
        let ratio = unsafe sum / sumOfExponentials(b, count, below: q.0)
        let terms = DivergenceTerms(
            largest: p.0, otherLargest: q.0, ratio: Float(ratio), shift: Float(Double(p.0) - Double(q.0) + log(ratio)))
        var sums = SIMD4<Double>.zero
        let wholeCount = count & ~3
        for offset in stride(from: 0, to: wholeCount, by: 4) {
            sums += unsafe SIMD4<Double>(terms.values(Loops.load(a + offset), Loops.load(b + offset)))
        }
        var total = sums.sum()
        if wholeCount < count {
            let restCount = count - wholeCount
            let rest = unsafe terms.values(
                Loops.loadRest(a + wholeCount, restCount), Loops.loadRest(b + wholeCount, restCount))
            for i in 0..<restCount { total += Double(rest[i]) }
        }
        return total / sum
    }
}

/// The terms of a row's divergence, times the sum of the reference's exponentials.
private struct DivergenceTerms {
    /// Of the reference, and of the logits that are compared with it.
    let largest: Float
    let otherLargest: Float
    /// Of the sums of exponentials: the reference's over the other.
    let ratio: Float
    /// The reference's log Σ exp less the other.
    let shift: Float

    @inline(__always)
    func values(_ a: Loops.Vector, _ b: Loops.Vector) -> Loops.Vector {
        let r = (b - a) + shift
        let isSmall = (r .< 0.5) .& (r .> -0.5)
        let p = exponential(below: a - largest)
        // eʳ - 1 - r by its series, where the difference would lose its digits.
        var series = r * (1 / 40320) + 1 / 5040
        series = series * r + 1 / 720
        series = series * r + 1 / 120
        series = series * r + 1 / 24
        series = series * r + 1 / 6
        series = series * r + 0.5
        let small = p * (r * r) * series
        // All are where two models are nearly the same, and one exponential is enough.
        if all(isSmall) { return small }
        let q = exponential(below: b - otherLargest) * ratio
        var terms = (q - p) - p * r
        terms.replace(with: small, where: isSmall)
        // Nothing of the reference is here, and r may be the difference of infinities.
        terms.replace(with: q, where: p .== 0)
        terms.replace(with: .infinity, where: (b .== -.infinity) .& (a .> -.infinity))
        return terms
    }

    /// exp(x) for x up to 0, and 0 where that is below 1e-26: of such terms nothing is seen, and what is made of them would
    /// be slow, being below the smallest normal number.
    @inline(__always)
    private func exponential(below x: Loops.Vector) -> Loops.Vector {
        Compute.exponential(x).replacing(with: 0, where: x .< -60)
    }
}
