/// Spearman's rank correlation: how far two rankings agree, from -1 to 1.
public enum RankCorrelation {
    /// The correlation of the ranks; equal values share the mean of theirs.
    ///
    /// - Returns: nil for fewer than three pairs, or where all values of one side are equal.
    public static func spearman(_ x: [Double], _ y: [Double]) -> Double? {
        guard x.count == y.count, x.count >= 3 else { return nil }
        let (rankX, rankY) = (ranks(x), ranks(y))
        // The mean of the ranks 1...n, also where they are shared.
        let mean = Double(x.count + 1) / 2
        let product = zip(rankX, rankY).reduce(0) { $0 + ($1.0 - mean) * ($1.1 - mean) }
        let (squareX, squareY) = (square(rankX, mean), square(rankY, mean))
        guard squareX > 0, squareY > 0 else { return nil }
        return product / (squareX * squareY).squareRoot()
    }

    private static func square(_ ranks: [Double], _ mean: Double) -> Double {
        ranks.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    }

    /// Ranks from 1 in the order of `values`.
    private static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var begin = 0
        while begin < order.count {
            var end = begin + 1
            while end < order.count, values[order[end]] == values[order[begin]] { end += 1 }
            for place in begin..<end { ranks[order[place]] = Double(begin + end + 1) / 2 }
            begin = end
        }
        return ranks
    }
}
