import Compute
import Tensors

/// Gathering rows of the stream into panels, and the products of panels.
enum PanelCases {
    static let all: [ConformanceCase] = [ElementType.float32, .float64].flatMap { type in
        [MomentTarget.contribution, .output].flatMap { target in
            [(1, 1), (31, 33), (600, 31), (9, 577)].map { gather(type, target, rows: $0, width: $1) }
        }
            + [(1, 1), (31, 31), (512, 31), (513, 33), (1500, 31), (100, 192), (65, 193), (65, 577)].map {
                crossProducts(type, rows: $0, width: $1)
            }
    }

    private static func gather(
        _ type: ElementType, _ target: MomentTarget, rows count: Int, width: Int
    ) -> ConformanceCase {
        let sizes = "\(type.rawValue) target=\(target.rawValue) rows=\(count) width=\(width)"
        return ConformanceCase("gather_panels", sizes) { trial throws(ComputeError) in
            let tokenCount = count + 5
            // Large means, which the shifts take away: rounded too early, the rest would lose its digits.
            var (x, y) = (trial.matrix(tokenCount, width, .float32), trial.matrix(tokenCount, width, .float32))
            let (shiftX, shiftTarget) = (
                trial.matrix(1, width, .float32, range: 1000), trial.matrix(1, width, .float32, range: 9)
            )
            for row in 0..<tokenCount {
                for column in 0..<width {
                    let wholeX = Double(Float(x[row, column] + shiftX[0, column]))
                    let part = target == .contribution ? wholeX : 0
                    (x[row, column], y[row, column]) = (
                        wholeX, Double(Float(y[row, column] + part + shiftTarget[0, column]))
                    )
                }
            }
            let rows = (0..<count).map { _ in Int32(trial.random.index(tokenCount)) }
            let oldSums = trial.matrix(3, width, .float64)
            // Two rows more than are gathered: they must stay as they are.
            let panelX = try trial.output(count + 2, width, type)
            let panelTarget = try trial.output(count + 2, width, type)
            let sums = try trial.written(oldSums, .float64)
            try trial.device.gatherPanels(
                StreamPair(x: try trial.input(x, .float32), y: try trial.input(y, .float32), target: target),
                rows: rows,
                shifts: PanelShifts(
                    x: try trial.input(shiftX, .float32), target: try trial.input(shiftTarget, .float32)),
                into: Panels(x: panelX, target: panelTarget, sums: sums))
            let (gotX, gotTarget) = (try trial.values(of: panelX), try trial.values(of: panelTarget))
            for i in 0..<count + 2 {
                for column in 0..<width {
                    let row = i < count ? Int(rows[i]) : -1
                    let valueX = row < 0 ? .nan : x[row, column] - shiftX[0, column]
                    let (whole, part) = row < 0 ? (.nan, 0) : (y[row, column], x[row, column])
                    let valueTarget = (target == .contribution ? whole - part : whole) - shiftTarget[0, column]
                    let tolerance = type == .float64 ? .exact : Tolerance(.float32, roundings: 0.5)
                    trial.judgement.compare(
                        gotX[i, column], valueX, scale: abs(valueX), tolerance, "x[\(i), \(column)]")
                    trial.judgement.compare(
                        gotTarget[i, column], valueTarget, scale: abs(valueTarget), tolerance,
                        "target[\(i), \(column)]")
                }
            }
            judgeSums(try trial.values(of: sums), oldSums, gotX, gotTarget, count, &trial.judgement)
        }
    }

    /// The sums are those of the numbers in the panels, whatever those were rounded to.
    private static func judgeSums(
        _ got: Matrix, _ old: Matrix, _ x: Matrix, _ target: Matrix, _ count: Int, _ judgement: inout Judgement
    ) {
        for column in 0..<x.columns {
            var (sums, scales) = ((0..<3).map { CompensatedSum(old[$0, column]) }, [1.0, 1, 1])
            for row in 0..<count {
                let terms = [x[row, column], target[row, column], target[row, column] * target[row, column]]
                for i in 0..<3 {
                    sums[i].add(terms[i])
                    scales[i] += abs(terms[i])
                }
            }
            for i in 0..<3 {
                judgement.compare(
                    got[i, column], sums[i].value, scale: scales[i],
                    Tolerance(.float64, roundings: 2, factor: 2, length: count), "sums[\(i), \(column)]")
            }
        }
    }

    private static func crossProducts(_ type: ElementType, rows count: Int, width: Int) -> ConformanceCase {
        ConformanceCase("add_cross_products", "\(type.rawValue) rows=\(count) width=\(width)") {
            trial throws(ComputeError) in
            let (x, target) = (trial.matrix(count, width, type), trial.matrix(count, width, type))
            let (oldGram, oldCross) = (trial.matrix(width, width, .float64), trial.matrix(width, width, .float64))
            // The panels hold a row of NaN more than are counted.
            let poison = [Double](repeating: .nan, count: width)
            let panels = Panels(
                x: try trial.input(Matrix(count + 1, width, x.values + poison), type),
                target: try trial.input(Matrix(count + 1, width, target.values + poison), type),
                sums: try trial.input(Matrix.zeros(3, width), .float64))
            let gram = try trial.written(oldGram, .float64)
            let cross = try trial.written(oldCross, .float64)
            try trial.device.addCrossProducts(panels, rowCount: count, gram: gram, cross: cross)
            let (gotGram, gotCross) = (try trial.values(of: gram), try trial.values(of: cross))
            let (left, magnitudes) = (x.transposed, x.transposed.magnitudes)
            let (wantGram, gramScales) = (left.times(x), magnitudes.times(x.magnitudes))
            let (wantCross, crossScales) = (left.times(target), magnitudes.times(target.magnitudes))
            let length = type == .float32 ? min(count, Device.crossProductBlockRowCount) : count
            let tolerance = Tolerance(type, roundings: 4, factor: type == .float64 ? 2 : 1, length: length)
            for i in 0..<width {
                for j in 0..<width {
                    trial.judgement.compare(
                        gotCross[i, j], wantCross[i, j] + oldCross[i, j], scale: crossScales[i, j] + 1, tolerance,
                        "cross[\(i), \(j)]")
                    if j < i { continue }
                    trial.judgement.compare(
                        gotGram[i, j], wantGram[i, j] + oldGram[i, j], scale: gramScales[i, j] + 1, tolerance,
                        "gram[\(i), \(j)]")
                }
            }
        }
    }
}
