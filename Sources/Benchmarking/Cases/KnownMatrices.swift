import Conformance
import Synchronization

/// Matrices (n, n), row by row, of which something is known beforehand.
extension FactorizationBenchmarks {
    /// Symmetric, and positive definite since every diagonal element is larger than the sum beside it.
    static func positiveDefinite(_ n: Int, _ random: inout SplitMix64) -> [Double] {
        var a = [Double](repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0..<i {
                a[i * n + j] = random.uniform()
                a[j * n + i] = a[i * n + j]
            }
            a[i * n + i] = Double(n)
        }
        return a
    }

    /// A well-conditioned lower triangle, and NaN above it: it must not be read.
    static func triangular(_ n: Int, _ random: inout SplitMix64) -> [Double] {
        var a = [Double](repeating: .nan, count: n * n)
        let scale = 1 / Double(n)
        for i in 0..<n {
            for j in 0..<i { a[i * n + j] = random.uniform() * scale }
            a[i * n + i] = 1 + scale * Double(i)
        }
        return a
    }

    /// (I - 2uuᵀ)·diag(values)·(I - 2vvᵀ), whose singular values, and for u = v eigenvalues, are the values.
    static func reflected(_ values: [Double], _ u: [Double], _ v: [Double]) -> [Double] {
        let n = values.count
        var inner = 0.0
        for i in 0..<n { inner += u[i] * values[i] * v[i] }
        var a = [Double](repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0..<n {
                // diag(values)·vvᵀ and uuᵀ·diag(values): row i of the one, column j of the other.
                a[i * n + j] = 4 * inner * (u[i] * v[j]) - 2 * (u[i] * u[j] * values[j] + v[i] * v[j] * values[i])
            }
            a[i * n + i] += values[i]
        }
        return a
    }

    /// Of norm 1.
    static func unitVector(_ n: Int, _ random: inout SplitMix64) -> [Double] {
        let vector = (0..<n).map { _ in random.uniform() }
        let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.map { $0 / norm }
    }
}

/// What the last call returned.
final class Answer: Sendable {
    private let storage = Mutex<[Double]>([])

    var values: [Double] {
        get { storage.withLock { $0 } }
        set { storage.withLock { $0 = newValue } }
    }
}
