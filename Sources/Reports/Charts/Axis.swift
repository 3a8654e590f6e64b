import Glibc

/// Values along a side of a chart: where they lie, and at which of them ticks stand.
struct Axis: Sendable {
    enum Kind: Sendable {
        case linear
        case logarithmic
        /// Logarithmic, with a place of its own for zero before a break.
        case logarithmicAfterZero
    }

    /// Share of a side that stands before the break.
    private static let zeroShare = 0.08

    let kind: Kind
    let domain: ClosedRange<Double>
    /// Coordinates of the ends of the domain.
    let start: Double
    let end: Double

    /// - Parameter domain: Above zero for a logarithmic axis, also where zero has a place before it.
    init(_ kind: Kind, domain: ClosedRange<Double>, from start: Double, to end: Double) {
        self.kind = kind
        self.domain = domain
        self.start = start
        self.end = end
    }

    /// Where a value lies; values outside the domain lie at its ends.
    func position(_ value: Double) -> Double {
        if kind == .logarithmicAfterZero, value <= 0 { return start }
        let start = kind == .logarithmicAfterZero ? start + Axis.zeroShare * (end - start) : start
        let value = min(max(value, domain.lowerBound), domain.upperBound)
        let (low, high) = (domain.lowerBound, domain.upperBound)
        guard high > low else { return (start + end) / 2 }
        let share = kind == .linear ? (value - low) / (high - low) : (log(value) - log(low)) / (log(high) - log(low))
        return start + share * (end - start)
    }

    /// Where the break is, if there is one.
    var gap: Double? { kind == .logarithmicAfterZero ? start + 0.5 * Axis.zeroShare * (end - start) : nil }

    /// Values at which ticks stand, in ascending order, and how they are written.
    func ticks(about count: Int = 6) -> [(value: Double, label: String)] {
        switch kind {
        case .linear: linearTicks(count)
        case .logarithmic: logarithmicTicks(count)
        case .logarithmicAfterZero: [(0, "0")] + logarithmicTicks(count)
        }
    }

    private func linearTicks(_ count: Int) -> [(value: Double, label: String)] {
        let span = domain.upperBound - domain.lowerBound
        guard span > 0, span.isFinite else { return [(domain.lowerBound, Markup.number(domain.lowerBound))] }
        let rough = span / Double(max(1, count))
        let power = pow(10, floor(log10(rough)))
        let step = [1.0, 2, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
        let decimals = max(0, Int(-floor(log10(step) + 1e-9)))
        let first = (domain.lowerBound / step - 1e-9).rounded(.up)
        let last = (domain.upperBound / step + 1e-9).rounded(.down)
        // Where values are huge beside their span, a step is lost in rounding.
        guard last - first < 100, first + 1 > first else {
            return [domain.lowerBound, domain.upperBound].map { ($0, Markup.value($0)) }
        }
        return (0...max(0, Int(last - first))).map { index in
            let value = (first + Double(index)) * step
            return (value, Text.fixed(value, decimals))
        }
    }

    private func logarithmicTicks(_ count: Int) -> [(value: Double, label: String)] {
        let first = Int((log10(domain.lowerBound) - 1e-9).rounded(.up))
        let last = Int((log10(domain.upperBound) + 1e-9).rounded(.down))
        // Less than a decade: round values within it.
        guard last > first else {
            return Axis(.linear, domain: domain, from: start, to: end).ticks(about: count)
        }
        let step = max(1, (last - first) / max(1, count))
        return stride(from: first, through: last, by: step).map { exponent in
            (pow(10, Double(exponent)), (-3...3).contains(exponent) ? Axis.plain(exponent) : "1e\(exponent)")
        }
    }

    private static func plain(_ exponent: Int) -> String {
        exponent >= 0
            ? "1" + String(repeating: "0", count: exponent) : "0." + String(repeating: "0", count: -exponent - 1) + "1"
    }
}
