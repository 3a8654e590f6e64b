import Glibc

/// Norms and angles of every token of one layer's step, gathered panel by panel.
struct TokenStatistics {
    /// One number a token and quantity: the mean is summed in float64, the quantiles need the numbers themselves.
    private var contribution: [Float] = []
    private var contributionToOutput: [Float] = []
    private var cosine: [Float] = []
    private var sums = [Double](repeating: 0, count: 5)

    /// Adds one token.
    ///
    /// - Parameter row: ‖x‖, ‖y‖, ‖y - x‖ and x·y, as `Device.rowStatistics` gives them.
    mutating func add(_ row: ArraySlice<Double>) {
        let begin = row.startIndex
        let (normX, normY, normB) = (row[begin], row[begin + 1], row[begin + 2])
        let cosine = min(1, max(-1, row[begin + 3] / (normX * normY)))
        contribution.append(Float(normB / normX))
        contributionToOutput.append(Float(normB / normY))
        self.cosine.append(Float(cosine))
        sums[0] += normB / normX
        sums[1] += normB / normY
        sums[2] += cosine
        sums[3] += TokenStatistics.angularDistance(cosine)
        sums[4] += normX
    }

    var count: Int { cosine.count }

    mutating func reserveCapacity(_ count: Int) {
        contribution.reserveCapacity(count)
        contributionToOutput.reserveCapacity(count)
        cosine.reserveCapacity(count)
    }

    var streamNormMean: Figure { mean(4) }

    func contributionDistribution() -> Distribution { distribution(0, contribution) }
    func contributionToOutputDistribution() -> Distribution { distribution(1, contributionToOutput) }
    func cosineDistribution() -> Distribution { distribution(2, cosine) }

    /// The angle falls as the cosine rises, so its quantiles are those of the cosine mirrored.
    func angularDistanceDistribution() -> Distribution {
        let mirrored = quantiles(cosine, Distribution.probabilities.map { 1 - $0 })
        return Distribution(
            mean: mean(3), quantiles: mirrored.map { $0.map(TokenStatistics.angularDistance) })
    }

    static func angularDistance(_ cosine: Double) -> Double { acos(cosine) / Double.pi }

    private func distribution(_ index: Int, _ values: [Float]) -> Distribution {
        Distribution(mean: mean(index), quantiles: quantiles(values, Distribution.probabilities))
    }

    private func mean(_ index: Int) -> Figure {
        Figure(count == 0 ? nil : sums[index] / Double(count), otherwise: "a token of the stream has norm zero")
    }

    private func quantiles(_ values: [Float], _ probabilities: [Double]) -> [Figure] {
        let sorted = values.sorted()
        return probabilities.map { probability in
            let rank = Int((probability * Double(sorted.count)).rounded(.up)) - 1
            let value = sorted.isEmpty ? nil : Double(sorted[min(max(rank, 0), sorted.count - 1)])
            return Figure(value, otherwise: "a token of the stream has norm zero")
        }
    }
}
