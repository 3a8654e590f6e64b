import Compute
import Tensors

/// Norms, inner products, distances and prediction errors of single rows.
enum StatisticsCases {
    static let all: [ConformanceCase] = rowCases + errorCases

    private static let rowCases: [ConformanceCase] = {
        var cases: [ConformanceCase] = []
        for (rows, width, alignment) in [(1, 1, 1), (33, 31, 1), (300, 33, 1), (5, 1000, 1), (7, 1000, 8)] {
            cases += [1e-30, 1, 1e30].map { rowStatistics(rows, width, alignment: alignment, range: $0, .float32) }
            cases += [1e-70, 1, 1e70].map { rowStatistics(rows, width, alignment: alignment, range: $0, .float64) }
            cases += [ElementType.float32, .float64].map { rowProducts(rows, width, alignment: alignment, $0) }
            cases += [ElementType.float32, .float64].map { squaredDistances(rows, width, alignment: alignment, $0) }
        }
        return cases
    }()

    private static let errorCases: [ConformanceCase] = [ElementType.float32, .float64].flatMap { type in
        [(1, 1, 1, 1), (33, 31, 6, 1), (300, 7, 33, 1), (5, 1000, 1001, 1), (7, 1000, 72, 8)].map {
            predictionErrors($0, $1, $2, alignment: $3, type)
        }
    }

    private static func rowStatistics(
        _ rows: Int, _ width: Int, alignment: Int, range: Double, _ type: ElementType
    ) -> ConformanceCase {
        let name = "rows=\(rows) width=\(width) aligned=\(alignment) range=\(range) \(type.rawValue)"
        return ConformanceCase("row_statistics", name) { trial throws(ComputeError) in
            let x = trial.matrix(rows, width, type, range: range)
            let y = trial.matrix(rows, width, type, range: range)
            let result = try trial.output(rows, 4, .float64)
            try trial.device.rowStatistics(
                try trial.input(x, type, alignment: alignment), try trial.input(y, type, alignment: alignment),
                into: result)
            let got = try trial.values(of: result)
            let tolerance = Tolerance(.float64, roundings: 4, factor: 2, length: width)
            for row in 0..<rows {
                var (squares, inner, scale) = ([0.0, 0, 0], 0.0, 0.0)
                for i in 0..<width {
                    let (a, b) = (x[row, i], y[row, i])
                    squares[0] += a * a
                    squares[1] += b * b
                    squares[2] += (b - a) * (b - a)
                    inner += a * b
                    scale += abs(a * b)
                }
                for i in 0..<3 {
                    let want = squares[i].squareRoot()
                    trial.judgement.compare(got[row, i], want, scale: want, tolerance, "norm \(i) of row \(row)")
                }
                trial.judgement.compare(got[row, 3], inner, scale: scale, tolerance, "inner product of row \(row)")
            }
        }
    }

    private static func rowProducts(
        _ rows: Int, _ width: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        ConformanceCase("row_products", "rows=\(rows) width=\(width) aligned=\(alignment) \(type.rawValue)") {
            trial throws(ComputeError) in
            let (x, y) = (trial.matrix(rows, width, type), trial.matrix(rows, width, type))
            let result = try trial.output(1, rows, .float64)
            try trial.device.rowProducts(
                try trial.input(x, type, alignment: alignment), try trial.input(y, type, alignment: alignment),
                into: result)
            let got = try trial.values(of: result)
            let tolerance = Tolerance(.float64, roundings: 2, factor: 2, length: width)
            for row in 0..<rows {
                let products = (0..<width).map { x[row, $0] * y[row, $0] }
                trial.judgement.compare(
                    got[0, row], products.reduce(0, +), scale: products.reduce(0) { $0 + abs($1) }, tolerance,
                    "row \(row)")
            }
        }
    }

    /// The center is far from zero, and the rows are near it: their distance is not that of the norms.
    private static func squaredDistances(
        _ rows: Int, _ width: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        ConformanceCase("squared_distances", "rows=\(rows) width=\(width) aligned=\(alignment) \(type.rawValue)") {
            trial throws(ComputeError) in
            let center = trial.matrix(1, width, .float64, range: 1000)
            let noise = trial.matrix(rows, width, type)
            let x = Matrix(rows, width) { row, column in
                let value = center[0, column] + noise[row, column]
                return type == .float64 ? value : Double(Float(value))
            }
            let result = try trial.output(1, rows, .float64)
            try trial.device.squaredDistances(
                try trial.input(x, type, alignment: alignment),
                from: try trial.input(center, .float64, alignment: alignment), into: result)
            let got = try trial.values(of: result).values
            for row in 0..<rows {
                var sum = 0.0
                for i in 0..<width { sum += (x[row, i] - center[0, i]) * (x[row, i] - center[0, i]) }
                trial.judgement.compare(
                    got[row], sum, scale: sum, Tolerance(.float64, roundings: 4, factor: 2, length: width),
                    "distance of row \(row)")
            }
        }
    }

    private static func predictionErrors(
        _ rows: Int, _ width: Int, _ outputs: Int, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        let name = "rows=\(rows) width=\(width) outputs=\(outputs) aligned=\(alignment) \(type.rawValue)"
        return ConformanceCase("prediction_errors", name) { trial throws(ComputeError) in
            let x = trial.matrix(rows, width, type)
            let inputWeights = trial.matrix(1, width, .float64).magnitudes
            let outputWeights = trial.matrix(1, outputs, .float64).magnitudes
            let bias = trial.matrix(1, outputs, .float64, range: 1e-3)
            let target = trial.matrix(rows, outputs, type)
            // Some predictions are exact up to the bias.
            let noise = trial.matrix(rows, outputs, type)
            let prediction = Matrix(rows, outputs) { $0 % 3 == 0 ? target[$0, $1] : noise[$0, $1] }
            let result = try trial.output(rows, 3, .float64)
            try trial.device.predictionErrors(
                try trial.input(prediction, type, alignment: alignment),
                bias: try trial.input(bias, .float64, isStrided: false),
                target: try trial.input(target, type, alignment: alignment),
                x: try trial.input(x, type, alignment: alignment),
                inputWeights: try trial.input(inputWeights, .float64, isStrided: false),
                outputWeights: try trial.input(outputWeights, .float64, isStrided: false), into: result)
            let got = try trial.values(of: result)
            for row in 0..<rows {
                var squares = [0.0, 0, 0]
                for i in 0..<outputs {
                    let difference = prediction[row, i] - target[row, i] + bias[0, i]
                    squares[0] += difference * difference
                    squares[2] += difference * difference * outputWeights[0, i]
                }
                for i in 0..<width { squares[1] += x[row, i] * x[row, i] * inputWeights[0, i] }
                for (column, want) in squares.map({ $0.squareRoot() }).enumerated() {
                    let length = column == 1 ? width : outputs
                    trial.judgement.compare(
                        got[row, column], want, scale: want,
                        Tolerance(.float64, roundings: 4, factor: 2, length: length), "number \(column) of row \(row)")
                }
            }
        }
    }
}
