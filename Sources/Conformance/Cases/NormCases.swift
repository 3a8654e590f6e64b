import Compute
import Tensors

/// Normalization by the root mean square and by mean and variance, of whole rows and of groups of columns.
enum NormCases {
    static let all: [ConformanceCase] =
        (kinds.flatMap { rows($0) + groups($0) + vectors($0) } + means).map { plan in
            ConformanceCase("normalize", plan.description) { trial throws(ComputeError) in
                try judge(plan, data(plan, &trial), &trial)
            }
        } + kinds.map(extremes)

    private static let kinds: [NormKind] = [.rootMeanSquare, .layer]

    private static func rows(_ kind: NormKind) -> [Plan] {
        [(1, 1), (33, 31), (33, 576), (5, 1000)].flatMap { rows, width in
            // A mean square far beyond epsilon, and two far below.
            [1e-6, 1e15, 1e-20].map { Plan(kind, rows, width, size: $0) } + [
                Plan(kind, rows, width, isInPlace: true), Plan(kind, rows, width, hasBias: true),
                Plan(kind, rows, width, hasBias: true, accumulates: true),
            ]
        }
    }

    /// Groups that are no whole row, as the heads of a query are.
    private static func groups(_ kind: NormKind) -> [Plan] {
        [(7, 192, 64, 1), (7, 192, 64, 8), (3, 93, 31, 1), (5, 33, 1, 1), (3, 1280, 128, 8), (2, 4112, 2056, 8)].flatMap
        {
            rows, width, groupWidth, alignment in
            [ElementType.float32, .bfloat16].flatMap { type in
                [false, true].map {
                    Plan(
                        kind, rows, width, groupWidth: groupWidth, isInPlace: $0, hasBias: $0, alignment: alignment,
                        type, type)
                }
            }
        }
    }

    /// Types of sixteen bits, and widths that are and are not taken in vectors, up to rows too long for registers.
    private static func vectors(_ kind: NormKind) -> [Plan] {
        [(33, 31, 1), (33, 33, 8), (7, 1000, 1), (5, 1000, 8), (3, 2048, 8), (2, 4104, 8), (2, 8192, 8), (2, 9001, 1)]
            .flatMap { rows, width, alignment in
                [
                    (ElementType.float32, ElementType.float32), (.float32, .float16), (.float32, .bfloat16),
                    (.float16, .float16), (.bfloat16, .bfloat16),
                ].map { from, to in
                    Plan(kind, rows, width, hasBias: width % 2 == 0, alignment: alignment, from, to)
                }
            } + [1000, 8192].map { Plan(kind, 2, $0, hasBias: true, accumulates: true, alignment: 8) }
    }

    /// Rows with a mean far from zero.
    private static let means: [Plan] = [(3, 31, 1), (3, 576, 8), (2, 4104, 8), (2, 9001, 1)].flatMap {
        rows, width, alignment in
        [100.0, 3e5].map { Plan(.layer, rows, width, mean: $0, hasBias: true, alignment: alignment) }
            + [Plan(.layer, rows, width, mean: 100, alignment: alignment, .float16, .float16)]
    }

    struct Plan: CustomStringConvertible {
        let kind: NormKind
        let rows: Int
        let width: Int
        let groupWidth: Int?
        let size: Double
        let mean: Double
        let isInPlace: Bool
        let hasBias: Bool
        let accumulates: Bool
        let alignment: Int
        let types: (from: ElementType, to: ElementType)

        init(
            _ kind: NormKind, _ rows: Int, _ width: Int, groupWidth: Int? = nil, size: Double = 1, mean: Double = 0,
            isInPlace: Bool = false, hasBias: Bool = false, accumulates: Bool = false, alignment: Int = 1,
            _ from: ElementType = .float32, _ to: ElementType = .float32
        ) {
            self.kind = kind
            self.rows = rows
            self.width = width
            self.groupWidth = groupWidth
            self.size = size
            self.mean = mean
            self.isInPlace = isInPlace
            self.hasBias = hasBias
            self.accumulates = accumulates
            self.alignment = alignment
            types = (from, to)
        }

        var description: String {
            "\(kind) rows=\(rows) width=\(width) group=\(groupWidth ?? width) size=\(size) mean=\(mean) "
                + "in place=\(isInPlace) bias=\(hasBias) accumulates=\(accumulates) aligned=\(alignment) "
                + "\(types.from.rawValue) \(types.to.rawValue)"
        }
    }

    private static func data(_ plan: Plan, _ trial: inout Trial) -> Matrix {
        let format = SixteenBitFloat(plan.types.from)
        var x = trial.matrix(plan.rows, plan.width, plan.types.from, range: plan.size)
        if plan.mean != 0 {
            x.values = x.values.map { format?.rounded($0 + plan.mean) ?? Double(Float($0 + plan.mean)) }
        }
        // A row of zeros must stay one.
        for column in 0..<plan.width where plan.rows > 1 { x[1, column] = 0 }
        return x
    }

    private static func judge(_ plan: Plan, _ x: Matrix, _ trial: inout Trial) throws(ComputeError) {
        let (rows, width, alignment) = (x.rows, x.columns, plan.alignment)
        let weight = trial.matrix(1, width, .float32)
        let bias = plan.hasBias ? trial.matrix(1, width, .float32) : nil
        let before = trial.matrix(rows, width, .float32)
        let epsilon: Float = 1e-5
        let operand =
            plan.isInPlace
            ? try trial.written(x, plan.types.from, alignment: alignment)
            : try trial.input(x, plan.types.from, alignment: alignment)
        let result =
            if plan.isInPlace { operand } else if plan.accumulates {
                try trial.written(before, .float32, alignment: alignment)
            } else { try trial.output(rows, width, plan.types.to, alignment: alignment) }
        var addend: Tensor?
        if let bias { addend = try trial.input(bias, .float32, alignment: alignment) }
        try trial.device.normalize(
            operand, plan.kind, weight: try trial.input(weight, .float32, alignment: alignment), bias: addend,
            epsilon: epsilon, groupWidth: plan.groupWidth, accumulates: plan.accumulates, into: result)
        var (want, scales) = (Matrix.zeros(rows, width), Matrix.zeros(rows, width))
        let groupWidth = plan.groupWidth ?? width
        for row in 0..<rows {
            for begin in stride(from: 0, to: width, by: groupWidth) {
                let group = x.values[row * width + begin..<row * width + begin + groupWidth]
                let count = Double(groupWidth)
                let mean = plan.kind == .layer ? group.reduce(0, +) / count : 0
                let variance = group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
                let divisor = (variance + Double(epsilon)).squareRoot()
                // The mean errs by roundings of what it is made of, which are as large as the differences to it.
                let spread = plan.kind == .layer ? variance.squareRoot() : 0
                for column in begin..<begin + groupWidth {
                    let difference = x[row, column] - mean
                    let addend = (bias?[0, column] ?? 0) + (plan.accumulates ? before[row, column] : 0)
                    want[row, column] = difference / divisor * weight[0, column] + addend
                    scales[row, column] =
                        (abs(difference) + spread) / divisor * abs(weight[0, column])
                        + abs(bias?[0, column] ?? 0) + (plan.accumulates ? abs(before[row, column]) : 0)
                        + Tolerance.leastScale(plan.types.to)
                }
            }
        }
        // The square root halves the error of the sum; then a root, a quotient, two products and two sums.
        trial.judgement.compare(
            "result", try trial.values(of: result).values, want.values, scales: scales.values,
            Tolerance(.float32, roundings: 4, factor: 1, length: groupWidth).rounded(to: plan.types.to))
    }

    /// An infinity makes zeros of the other numbers of its row and a NaN of itself, or, where the mean is taken away, of all.
    private static func extremes(_ kind: NormKind) -> ConformanceCase {
        ConformanceCase("normalize", "\(kind) extremes") { trial throws(ComputeError) in
            for (width, alignment) in [(33, 1), (576, 8), (4096, 8), (9001, 1)] {
                var x = trial.matrix(4, width, .float32)
                x[0, width - 1] = .nan
                x[1, 0] = .infinity
                x[2, width / 2] = -.infinity
                try judge(Plan(kind, 4, width, alignment: alignment), x, &trial)
            }
        }
    }
}
