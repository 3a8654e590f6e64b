/// Seconds between laps, on a clock that nobody sets.
public struct Stopwatch: Sendable {
    private var last = ContinuousClock.now

    public init() {}

    /// Seconds since the last lap, or since the beginning.
    public mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        let (seconds, attoseconds) = (now - last).components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
