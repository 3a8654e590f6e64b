/// A sum that carries what its rounding lost (Neumaier 1974), for judges of long sums in Double.
struct CompensatedSum {
    private var sum: Double
    private var lost = 0.0

    init(_ start: Double) {
        sum = start
    }

    var value: Double { sum + lost }

    mutating func add(_ term: Double) {
        let next = sum + term
        lost += abs(sum) >= abs(term) ? (sum - next) + term : (term - next) + sum
        sum = next
    }
}
