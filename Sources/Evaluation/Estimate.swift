public import Linearity

/// A mean over tokens, and how far it would move with other sequences.
public struct Estimate: Sendable, Hashable {
    public let value: Double
    public let standardError: Figure

    init(value: Double, standardError: Figure) {
        self.value = value
        self.standardError = standardError
    }

    /// Σ sums / Σ counts, of the sequences one number each.
    ///
    /// The tokens of a sequence depend on each other, so that sequences are what is drawn: with m the mean, S sequences and
    /// n = Σ counts the error is √(S / (S - 1) · Σ (sum - m · count)²) / n, that of a ratio estimator (Cochran 1977, section
    /// 6.3). One sequence says nothing of it.
    init(sums: [Double], counts: [Int]) {
        let clusters = zip(sums, counts).filter { $0.1 > 0 }
        let total = Double(clusters.reduce(0) { $0 + $1.1 })
        let mean = clusters.reduce(0) { $0 + $1.0 } / total
        value = mean
        guard clusters.count > 1 else {
            standardError = .absent(
                reason: "one sequence says nothing of how others differ; give more, or shorter ones")
            return
        }
        let squares = clusters.reduce(0) { sum, cluster in
            let residual = cluster.0 - mean * Double(cluster.1)
            return sum + residual * residual
        }
        let count = Double(clusters.count)
        let error = (count / (count - 1) * squares).squareRoot() / total
        standardError = error.isFinite ? .value(error) : .absent(reason: "the mean is not finite")
    }

    /// A function of the estimate, its error by the delta method.
    func mapped(to value: Double, slope: Double) -> Estimate {
        switch standardError {
        case .value(let error): Estimate(value: value, standardError: .value(abs(slope) * error))
        case .absent: Estimate(value: value, standardError: standardError)
        }
    }
}
