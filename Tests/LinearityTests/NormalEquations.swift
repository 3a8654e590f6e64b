/// Least squares by plain loops in Double: Gaussian elimination with pivoting of the centred normal equations.
struct NormalEquations {
    let linearity: Double
    let withoutResidual: Double
    /// ‖x·A + b - y‖ of each row.
    let errors: [Double]
    private let map: [[Double]]
    private let meanX: [Double]
    private let meanContribution: [Double]
    private let width: Int

    init(x: [Float], y: [Float], width: Int) {
        let count = x.count / width
        func centred(_ values: [Double]) -> [Double] {
            var values = values
            for column in 0..<width {
                var mean = 0.0
                for row in 0..<count { mean += values[row * width + column] }
                mean /= Double(count)
                for row in 0..<count { values[row * width + column] -= mean }
            }
            return values
        }
        let inputs = centred(x.map { Double($0) })
        let outputs = centred(y.map { Double($0) })
        let added = centred(zip(y, x).map { Double($0) - Double($1) })
        var system = [[Double]](repeating: [Double](repeating: 0, count: 2 * width), count: width)
        for row in 0..<count {
            for i in 0..<width {
                let factor = inputs[row * width + i]
                for j in 0..<width {
                    system[i][j] += factor * inputs[row * width + j]
                    system[i][width + j] += factor * added[row * width + j]
                }
            }
        }
        let map = NormalEquations.solve(system, width)
        var residual = 0.0
        var errors: [Double] = []
        for row in 0..<count {
            var squares = 0.0
            for j in 0..<width {
                var predicted = 0.0
                for i in 0..<width { predicted += inputs[row * width + i] * map[i][j] }
                let error = added[row * width + j] - predicted
                squares += error * error
            }
            residual += squares
            errors.append(squares.squareRoot())
        }
        self.width = width
        self.map = map
        func mean(_ values: [Double]) -> [Double] {
            (0..<width).map { column in
                stride(from: column, to: values.count, by: width).reduce(0) { $0 + values[$1] } / Double(count)
            }
        }
        meanX = mean(x.map { Double($0) })
        meanContribution = mean(zip(y, x).map { Double($0) - Double($1) })
        self.errors = errors
        linearity = 1 - residual / outputs.reduce(0) { $0 + $1 * $1 }
        withoutResidual = 1 - residual / added.reduce(0) { $0 + $1 * $1 }
    }

    /// ‖x·A + b - y‖ of other rows.
    func errors(x: [Float], y: [Float]) -> [Double] {
        (0..<x.count / width).map { row in
            var squares = 0.0
            for j in 0..<width {
                var predicted = meanContribution[j]
                for i in 0..<width { predicted += (Double(x[row * width + i]) - meanX[i]) * map[i][j] }
                let error = Double(y[row * width + j]) - Double(x[row * width + j]) - predicted
                squares += error * error
            }
            return squares.squareRoot()
        }
    }

    /// The right half of the reduced system.
    private static func solve(_ augmented: [[Double]], _ width: Int) -> [[Double]] {
        var rows = augmented
        for pivot in 0..<width {
            let best = (pivot..<width).max { abs(rows[$0][pivot]) < abs(rows[$1][pivot]) } ?? pivot
            rows.swapAt(pivot, best)
            let inverse = 1 / rows[pivot][pivot]
            for column in pivot..<2 * width { rows[pivot][column] *= inverse }
            for row in 0..<width where row != pivot {
                let factor = rows[row][pivot]
                for column in pivot..<2 * width { rows[row][column] -= factor * rows[pivot][column] }
            }
        }
        return rows.map { Array($0[width...]) }
    }
}
