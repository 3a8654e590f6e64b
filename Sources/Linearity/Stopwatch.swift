/// Seconds between laps, on a clock that nobody sets.
public struct Stopwatch: Sendable {
    private let begin: ContinuousClock.Instant
    private var last: ContinuousClock.Instant

    public init() {
        begin = ContinuousClock.now
        last = begin
    }

    /// Seconds since the last lap, or since the beginning.
    public mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return Stopwatch.seconds(now - last)
    }

    /// Seconds since the beginning.
    public var elapsed: Double { Stopwatch.seconds(ContinuousClock.now - begin) }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
