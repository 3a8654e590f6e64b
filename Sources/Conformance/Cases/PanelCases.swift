import Compute
import Tensors

/// Gathering rows of the stream into panels, and the products of panels.
enum PanelCases {
    static let all: [ConformanceCase] = gatherCases + productCases

    private static let gatherCases: [ConformanceCase] = {
        let types: [(ElementType, ElementType)] = [(.float32, .float32), (.float32, .float64), (.float64, .float64)]
        var cases: [ConformanceCase] = []
        for (source, type) in types {
            for target in [MomentTarget.contribution, .output] {
                for (rows, width) in [(1, 1), (31, 33), (600, 31), (9, 577)] {
                    cases.append(gather(source, type, target, rows: rows, widths: (width, width)))
                }
            }
            for (rows, width, targetWidth) in [(31, 33, 5), (600, 6, 31), (9, 1, 577)] {
                cases.append(gather(source, type, .output, rows: rows, widths: (width, targetWidth)))
            }
            for target in [MomentTarget.contribution, .output] {
                cases.append(gather(source, type, target, rows: 600, widths: (264, 264), alignment: 4))
            }
        }
        return cases
    }()

    private static let productCases: [ConformanceCase] = {
        let squares = [(1, 1), (31, 31), (512, 31), (513, 33), (1500, 31), (100, 192), (65, 193), (65, 577)]
        let sizes =
            squares.map { ($0, $1, $1) } + [(1, 1, 3), (513, 33, 2), (600, 5, 31), (65, 193, 577), (65, 577, 7)]
        return [ElementType.float32, .float64].flatMap { type in
            sizes.map { crossProducts(type, rows: $0, widths: ($1, $2)) }
        }
    }()

    private static func gather(
        _ source: ElementType, _ type: ElementType, _ target: MomentTarget, rows count: Int,
        widths: (x: Int, target: Int), alignment: Int = 1
    ) -> ConformanceCase {
        let sizes =
            "\(source.rawValue) to \(type.rawValue) target=\(target.rawValue) rows=\(count) "
            + "widths=\(widths.x),\(widths.target) aligned=\(alignment)"
        return ConformanceCase("gather_panels", sizes) { trial throws(ComputeError) in
            let tokenCount = count + 5
            // Large means, which the shifts take away: rounded too early, the rest would lose its digits.
            var x = trial.matrix(tokenCount, widths.x, source)
            var y = trial.matrix(tokenCount, widths.target, source)
            let shiftX = trial.matrix(1, widths.x, source, range: 1000)
            let shiftTarget = trial.matrix(1, widths.target, source, range: 9)
            func rounded(_ value: Double) -> Double { source == .float64 ? value : Double(Float(value)) }
            for row in 0..<tokenCount {
                for column in 0..<widths.x { x[row, column] = rounded(x[row, column] + shiftX[0, column]) }
                for column in 0..<widths.target {
                    let part = target == .contribution ? x[row, column] : 0
                    y[row, column] = rounded(y[row, column] + part + shiftTarget[0, column])
                }
            }
            let rows = (0..<count).map { _ in Int32(trial.random.index(tokenCount)) }
            let oldSums = trial.matrix(3, max(widths.x, widths.target), .float64)
            // Two rows more than are gathered: they must stay as they are.
            let panelX = try trial.output(count + 2, widths.x, type, alignment: alignment)
            let panelTarget = try trial.output(count + 2, widths.target, type, alignment: alignment)
            let sums = try trial.written(oldSums, .float64)
            try trial.device.gatherPanels(
                StreamPair(
                    x: try trial.input(x, source, alignment: alignment),
                    y: try trial.input(y, source, alignment: alignment), target: target),
                rows: rows,
                shifts: PanelShifts(
                    x: try trial.input(shiftX, source, alignment: alignment),
                    target: try trial.input(shiftTarget, source, alignment: alignment)),
                into: Panels(x: panelX, target: panelTarget, sums: sums))
            let (gotX, gotTarget) = (try trial.values(of: panelX), try trial.values(of: panelTarget))
            // Every difference is rounded once in the end, and those of float64 rows at each step.
            let tolerance =
                source == .float64
                ? Tolerance(.float64, roundings: 2)
                : type == .float64 ? Tolerance.exact : Tolerance(.float32, roundings: 0.5)
            for i in 0..<count + 2 {
                let row = i < count ? Int(rows[i]) : -1
                for column in 0..<widths.x {
                    let want = row < 0 ? .nan : x[row, column] - shiftX[0, column]
                    trial.judgement.compare(
                        gotX[i, column], want, scale: source == .float64 ? 1000 : abs(want), tolerance,
                        "x[\(i), \(column)]")
                }
                for column in 0..<widths.target {
                    let whole = row < 0 ? .nan : y[row, column]
                    let part = row < 0 || target == .output ? 0 : x[row, column]
                    let want = whole - part - shiftTarget[0, column]
                    trial.judgement.compare(
                        gotTarget[i, column], want, scale: source == .float64 ? 1000 : abs(want), tolerance,
                        "target[\(i), \(column)]")
                }
            }
            let got = try trial.values(of: sums)
            judgeSums(got, oldSums, row: 0, gotX, count, &trial.judgement) { $0 }
            judgeSums(got, oldSums, row: 1, gotTarget, count, &trial.judgement) { $0 }
            judgeSums(got, oldSums, row: 2, gotTarget, count, &trial.judgement) { $0 * $0 }
        }
    }

    /// The sums are those of the numbers in the panels, whatever those were rounded to; beyond a panel's width they stay.
    private static func judgeSums(
        _ got: Matrix, _ old: Matrix, row sumRow: Int, _ panel: Matrix, _ count: Int, _ judgement: inout Judgement,
        _ term: (Double) -> Double
    ) {
        for column in 0..<got.columns {
            var (sum, scale) = (CompensatedSum(old[sumRow, column]), 1.0)
            for row in 0..<(column < panel.columns ? count : 0) {
                sum.add(term(panel[row, column]))
                scale += abs(term(panel[row, column]))
            }
            judgement.compare(
                got[sumRow, column], sum.value, scale: scale,
                Tolerance(.float64, roundings: 2, factor: 2, length: count), "sums[\(sumRow), \(column)]")
        }
    }

    private static func crossProducts(
        _ type: ElementType, rows count: Int, widths: (x: Int, target: Int)
    ) -> ConformanceCase {
        let sizes = "\(type.rawValue) rows=\(count) widths=\(widths.x),\(widths.target)"
        return ConformanceCase("add_cross_products", sizes) { trial throws(ComputeError) in
            let x = trial.matrix(count, widths.x, type)
            let target = trial.matrix(count, widths.target, type)
            let olds = [
                trial.matrix(widths.x, widths.x, .float64), trial.matrix(widths.x, widths.target, .float64),
                trial.matrix(widths.target, widths.target, .float64),
            ]
            // The panels hold a row of NaN more than are counted.
            func poisoned(_ panel: Matrix) -> Matrix {
                Matrix(count + 1, panel.columns, panel.values + [Double](repeating: .nan, count: panel.columns))
            }
            let panels = Panels(
                x: try trial.input(poisoned(x), type), target: try trial.input(poisoned(target), type),
                sums: try trial.input(Matrix.zeros(3, max(widths.x, widths.target)), .float64))
            for keepsTargetGram in [true, false] {
                let results = try olds.map { old throws(ComputeError) in try trial.written(old, .float64) }
                try trial.device.addCrossProducts(
                    panels, rowCount: count, gram: results[0], cross: results[1],
                    targetGram: keepsTargetGram ? results[2] : nil)
                let got = try results.map { result throws(ComputeError) in try trial.values(of: result) }
                judge("gram", got[0], olds[0], x, x, isSymmetric: true, type, &trial.judgement)
                judge("cross", got[1], olds[1], x, target, isSymmetric: false, type, &trial.judgement)
                if keepsTargetGram {
                    judge("targetGram", got[2], olds[2], target, target, isSymmetric: true, type, &trial.judgement)
                }
            }
        }
    }

    /// got = old + leftᵀ·right, of which the upper triangle where it is symmetric.
    private static func judge(
        _ name: String, _ got: Matrix, _ old: Matrix, _ left: Matrix, _ right: Matrix, isSymmetric: Bool,
        _ type: ElementType, _ judgement: inout Judgement
    ) {
        let want = left.transposed.times(right)
        let scales = left.transposed.magnitudes.times(right.magnitudes)
        let length = type == .float32 ? min(left.rows, Device.crossProductBlockRowCount) : left.rows
        let tolerance = Tolerance(type, roundings: 4, factor: type == .float64 ? 2 : 1, length: length)
        for i in 0..<want.rows {
            for j in (isSymmetric ? i : 0)..<want.columns {
                judgement.compare(
                    got[i, j], want[i, j] + old[i, j], scale: scales[i, j] + 1, tolerance, "\(name)[\(i), \(j)]")
            }
        }
    }
}
