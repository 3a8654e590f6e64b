/// What a case has seen so far: the comparison that came nearest to its tolerance, or went furthest beyond it.
package struct Judgement: Sendable {
    /// |got - want| / scale of the worst element.
    private(set) var largestError = 0.0
    /// The tolerance that applies to it.
    private(set) var tolerance = 0.0
    /// What was wrong first, in words; nil while nothing was.
    package private(set) var complaint: String?
    private var worstShare = -1.0

    package init() {}

    /// Compares two numbers. Where a NaN is wanted any NaN will do; an infinity must be that infinity.
    package mutating func compare(
        _ got: Double, _ want: Double, scale: Double, _ tolerance: Tolerance, _ place: @autoclosure () -> String
    ) {
        let error = Judgement.error(got, want, scale)
        let share = error <= tolerance.value ? (error == 0 ? 0 : error / tolerance.value) : 1 + error
        if share > worstShare { (worstShare, largestError, self.tolerance) = (share, error, tolerance.value) }
        if error > tolerance.value, complaint == nil {
            complaint =
                "\(place()) is \(got), expected \(want), error \(error) of its scale, allowed \(tolerance.value)"
        }
    }

    /// Compares arrays; `scales` holds one number for each element.
    mutating func compare(
        _ name: String, _ got: [Double], _ want: [Double], scales: [Double], _ tolerance: Tolerance
    ) {
        expect(got.count == want.count, "\(name) has \(got.count) elements, expected \(want.count)")
        for (i, pair) in zip(got, want).enumerated() {
            compare(pair.0, pair.1, scale: scales[i], tolerance, "\(name)[\(i)]")
        }
    }

    /// Compares arrays whose elements must be the same numbers.
    mutating func compareExactly(_ name: String, _ got: [Double], _ want: [Double]) {
        compare(name, got, want, scales: [Double](repeating: 1, count: want.count), .exact)
    }

    /// States a fact; `failure` says what it would mean if it were none.
    package mutating func expect(_ isTrue: Bool, _ failure: @autoclosure () -> String) {
        if !isTrue, complaint == nil { complaint = failure() }
    }

    private static func error(_ got: Double, _ want: Double, _ scale: Double) -> Double {
        if want.isNaN { return got.isNaN ? 0 : .infinity }
        if got == want { return 0 }
        let error = abs(got - want) / scale
        return error.isNaN ? .infinity : error
    }
}
