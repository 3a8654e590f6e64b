import Glibc
package import Tensors

extension HostBackend {
    /// Rows of one task.
    private static let scoredTaskRowCount = 8

    package func tokenScores(_ logits: Tensor, targets: [Int32], into result: Tensor) {
        let taskRowCount = HostBackend.scoredTaskRowCount
        lanes((logits.rows + taskRowCount - 1) / taskRowCount) { task, _ in
            for row in task * taskRowCount..<min((task + 1) * taskRowCount, logits.rows) {
                let input = unsafe logits.floats + row * logits.leadingDimension
                let output = unsafe result.doubles + row * result.leadingDimension
                let scores = unsafe scores(of: input, logits.columns, target: Int(targets[row]))
                unsafe (output[0], output[1], output[2]) = (scores.logSum, scores.target, Double(scores.largest))
            }
        }
    }

    private func scores(
        of logits: UnsafePointer<Float>, _ count: Int, target: Int
    ) -> (logSum: Double, target: Double, largest: Int) {
        let (maximum, isNumber) = unsafe largest(logits, count)
        let place = unsafe maximum > -.infinity ? firstPlace(of: maximum, logits, count) ?? 0 : 0
        if !isNumber { return (.nan, .nan, place) }
        let score = unsafe Double(logits[target])
        // Infinite terms, or none at all.
        if maximum.isInfinite { return (Double(maximum), score, place) }
        return unsafe (Double(maximum) + log(sumOfExponentials(logits, count, below: maximum)), score, place)
    }

    /// The largest number, and whether all are numbers.
    func largest(_ values: UnsafePointer<Float>, _ count: Int) -> (Float, isNumber: Bool) {
        var maxima = Loops.Vector(repeating: -.infinity)
        var isNaN = SIMDMask<SIMD4<Int32>>(repeating: false)
        unsafe Loops.forEachVector(values, count, padding: -.infinity) { vector, _ in
            maxima.replace(with: vector, where: vector .> maxima)
            isNaN .|= vector .!= vector
        }
        return (maxima.max(), !any(isNaN))
    }

    private func firstPlace(of value: Float, _ values: UnsafePointer<Float>, _ count: Int) -> Int? {
        var offset = 0
        while offset + 4 <= count, unsafe !any(Loops.load(values + offset) .== value) { offset += 4 }
        return (offset..<count).first { unsafe values[$0] == value }
    }

    /// Σ exp(x - maximum), summed in Double.
    func sumOfExponentials(_ values: UnsafePointer<Float>, _ count: Int, below maximum: Float) -> Double {
        var sums = SIMD4<Double>.zero
        let wholeCount = count & ~3
        for offset in stride(from: 0, to: wholeCount, by: 4) {
            sums += unsafe SIMD4<Double>(exponential(Loops.load(values + offset) - maximum))
        }
        var sum = sums.sum()
        if wholeCount < count {
            let rest = unsafe exponential(Loops.loadRest(values + wholeCount, count - wholeCount) - maximum)
            for i in 0..<count - wholeCount { sum += Double(rest[i]) }
        }
        return sum
    }
}
