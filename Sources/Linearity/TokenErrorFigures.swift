import Glibc

/// What is told of the errors of the tokens of one step and view.
public struct TokenErrorFigures: Sendable, Hashable {
    /// With the map of all tokens of the view.
    public var inSample: Spread
    /// With the map of the other folds; nil where held-out scores are not defined.
    public var heldOut: Spread?
    /// Why `heldOut` is nil.
    public var heldOutReason: String
    public var histogram: Histogram

    /// How errors are spread over the tokens.
    public struct Spread: Sendable, Hashable {
        public var mean: Double
        /// By the nearest rank, at `TokenErrorFigures.probabilities`; the last is the largest error.
        public var quantiles: [Double]
        /// The smallest share of the tokens whose squared errors sum to half of ‖E‖², between 0 and 1; 0 where all
        /// errors are zero.
        public var shareOfTokensWithHalf: Double
        /// The tokens of the largest errors, the largest first; of equal ones the first in the corpus.
        public var worst: [RankedToken]

        public init(mean: Double, quantiles: [Double], shareOfTokensWithHalf: Double, worst: [RankedToken]) {
            self.mean = mean
            self.quantiles = quantiles
            self.shareOfTokensWithHalf = shareOfTokensWithHalf
            self.worst = worst
        }
    }

    /// A token and its error.
    public struct RankedToken: Sendable, Hashable {
        /// The packed row of the corpus.
        public var row: Int
        public var error: Double

        public init(row: Int, error: Double) {
            self.row = row
            self.error = error
        }
    }

    /// Counts of tokens between edges that are equally far apart on a logarithmic axis.
    public struct Histogram: Sendable, Hashable {
        /// Ascending; the first and the last are the smallest error above zero and the largest error of both kinds.
        public var edges: [Double]
        /// One fewer than edges. A token lies in the bin whose lower edge is at or below its error; errors of zero are
        /// counted in the first.
        public var inSample: [Int]
        /// Likewise; empty where held-out scores are not defined.
        public var heldOut: [Int]

        public init(edges: [Double], inSample: [Int], heldOut: [Int]) {
            self.edges = edges
            self.inSample = inSample
            self.heldOut = heldOut
        }
    }

    public static let probabilities = [0.5, 0.9, 0.99, 0.999, 1]
    public static let worstCount = 10
    public static let binCount = 40

    public init(inSample: Spread, heldOut: Spread?, heldOutReason: String, histogram: Histogram) {
        self.inSample = inSample
        self.heldOut = heldOut
        self.heldOutReason = heldOutReason
        self.histogram = histogram
    }
}

extension TokenErrorFigures {
    /// The figures of errors; nil where no token is in the view.
    public init?(_ errors: TokenErrors) {
        guard let inSample = Spread(errors.inSample) else { return nil }
        self.inSample = inSample
        heldOut = Spread(errors.heldOut)
        heldOutReason = errors.heldOutReason
        histogram = Histogram(inSample: errors.inSample, heldOut: errors.heldOut)
    }
}

extension TokenErrorFigures.Spread {
    /// - Parameter errors: NaN for tokens outside the view.
    init?(_ errors: [Float]) {
        let ranked = errors.indices.filter { !errors[$0].isNaN }.sorted {
            errors[$0] == errors[$1] ? $0 < $1 : errors[$0] > errors[$1]
        }
        guard !ranked.isEmpty else { return nil }
        let count = ranked.count
        mean = ranked.reduce(0) { $0 + Double(errors[$1]) } / Double(count)
        quantiles = TokenErrorFigures.probabilities.map { probability in
            let rank = Int((probability * Double(count)).rounded(.up)) - 1
            return Double(errors[ranked[count - 1 - min(max(rank, 0), count - 1)]])
        }
        let total = ranked.reduce(0) { $0 + Double(errors[$1]) * Double(errors[$1]) }
        var (sum, halfCount) = (0.0, 0)
        while sum < total / 2, halfCount < count {
            let error = Double(errors[ranked[halfCount]])
            sum += error * error
            halfCount += 1
        }
        shareOfTokensWithHalf = Double(halfCount) / Double(count)
        worst = ranked.prefix(TokenErrorFigures.worstCount).map {
            TokenErrorFigures.RankedToken(row: $0, error: Double(errors[$0]))
        }
    }
}

extension TokenErrorFigures.Histogram {
    init(inSample: [Float], heldOut: [Float]) {
        var (least, largest) = (Float.infinity, Float.zero)
        for error in inSample + heldOut where !error.isNaN {
            if error > 0 { least = min(least, error) }
            largest = max(largest, error)
        }
        guard largest > 0, largest.isFinite else {
            self.init(edges: [], inSample: [], heldOut: [])
            return
        }
        // Equal errors still need a bin of some width.
        let low = largest > least ? log(Double(least)) : log(Double(least)) - 0.05
        let high = largest > least ? log(Double(largest)) : log(Double(least)) + 0.05
        let count = TokenErrorFigures.binCount
        var edges = (0...count).map { exp(low + (high - low) * Double($0) / Double(count)) }
        if largest > least { (edges[0], edges[count]) = (Double(least), Double(largest)) }
        self.init(
            edges: edges, inSample: Self.counts(of: inSample, edges), heldOut: Self.counts(of: heldOut, edges))
    }

    private static func counts(of errors: [Float], _ edges: [Double]) -> [Int] {
        if errors.isEmpty { return [] }
        var counts = [Int](repeating: 0, count: edges.count - 1)
        for error in errors where !error.isNaN {
            var (low, high) = (0, counts.count - 1)
            while low < high {
                let middle = (low + high + 1) / 2
                if edges[middle] <= Double(error) { low = middle } else { high = middle - 1 }
            }
            counts[low] += 1
        }
        return counts
    }
}
