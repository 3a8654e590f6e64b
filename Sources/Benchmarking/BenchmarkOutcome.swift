/// What came of one case on one device.
public struct BenchmarkOutcome: Sendable {
    public let benchmark: BenchmarkCase
    public let result: Result

    public enum Result: Sendable {
        case measured(BenchmarkFigures)
        /// The answer was not right, and nothing was timed; in words what was wrong first.
        case wrong(String)
        /// The device did not do it.
        case refused(String)
    }

    /// nil where nothing was measured.
    public var figures: BenchmarkFigures? {
        if case .measured(let figures) = result { figures } else { nil }
    }

    /// In words what was wrong; nil where the case was measured.
    public var complaint: String? {
        switch result {
        case .measured: nil
        case .wrong(let complaint): "wrong answer: \(complaint)"
        case .refused(let reason): "refused: \(reason)"
        }
    }
}

/// How long a case took.
public struct BenchmarkFigures: Sendable, Hashable {
    /// Of one call, or of one call on each lane where they were made at once; one number for each batch of calls.
    public let samples: [Double]
    /// Calls of a batch, on each lane.
    public let callsPerSample: Int
    /// Calls made at once.
    public let laneCount: Int
    /// Sets of operands that were taken in turn, on each lane.
    public let setCount: Int
    /// Seconds.
    public let median: Double
    public let lowerQuartile: Double
    public let upperQuartile: Double

    /// - Parameter samples: At least one.
    init(samples: [Double], callsPerSample: Int, laneCount: Int, setCount: Int) {
        self.samples = samples
        self.callsPerSample = callsPerSample
        self.laneCount = laneCount
        self.setCount = setCount
        let sorted = samples.sorted()
        median = BenchmarkFigures.quantile(0.5, of: sorted)
        lowerQuartile = BenchmarkFigures.quantile(0.25, of: sorted)
        upperQuartile = BenchmarkFigures.quantile(0.75, of: sorted)
    }

    /// Operations a second of all lanes.
    public func operationRate(_ work: Work) -> Double { work.operations * Double(laneCount) / median }

    /// Bytes a second of all lanes.
    public func byteRate(_ work: Work) -> Double { work.bytes * Double(laneCount) / median }

    /// Between the neighbours in order, as numpy's default has it.
    private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
        let place = share * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
    }
}
