import Compute
import Glibc
import Tensors

/// Activations, gated or not, and through them the accuracy of the exponential; the soft cap.
enum ActivationCases {
    static let all: [ConformanceCase] =
        Activation.allCases.flatMap { activation in
            [(1, 1, 1), (33, 31, 1), (5, 1000, 8), (9, 33, 8), (1, 2056, 8)].flatMap { rows, width, alignment in
                [ElementType.float32, .float16, .bfloat16].flatMap { type in
                    [false, true].map { activate(activation, rows, width, isGated: $0, alignment: alignment, type) }
                }
            } + [sweep(activation), extremes(activation)]
        }
        + [1.0, 30, 200].map { silu(range: $0) }
        + [(1, 1, 1), (33, 31, 1), (5, 1000, 8)].flatMap { rows, width, alignment in
            [0.1, 5, 1000].map { softCap(rows, width, range: $0, alignment: alignment) }
        } + [softCapExtremes]

    /// With a bias and of float32 in place where nothing is gated, and without a bias where it is.
    private static func activate(
        _ activation: Activation, _ rows: Int, _ width: Int, isGated: Bool, alignment: Int, _ type: ElementType
    ) -> ConformanceCase {
        let sizes =
            "\(activation.rawValue) rows=\(rows) width=\(width) gated=\(isGated) aligned=\(alignment) \(type.rawValue)"
        return ConformanceCase("activate", sizes) { trial throws(ComputeError) in
            let x = trial.matrix(rows, (isGated ? 2 : 1) * width, type, range: 6)
            for bias in [nil, trial.matrix(1, x.columns, .float32)] {
                try judge(
                    x, bias: bias, activation, isGated: isGated, isInPlace: !isGated && bias != nil,
                    alignment: alignment, type: type, &trial)
            }
        }
    }

    private static func silu(range: Double) -> ConformanceCase {
        ConformanceCase("activate", "silu range=\(range)") { trial throws(ComputeError) in
            try judge(trial.matrix(33, 62, .float32, range: range), .silu, &trial)
        }
    }

    /// From -88 to 88 in even steps, the largest of which are those of the exponential.
    private static func sweep(_ activation: Activation) -> ConformanceCase {
        ConformanceCase("activate", "\(activation.rawValue) sweep") { trial throws(ComputeError) in
            let count = 40_001
            try judge(
                Matrix(1, 2 * count) { _, i in i < count ? Double(Float(Double(i) * 0.0044 - 88)) : 1 }, activation,
                &trial)
        }
    }

    /// Numbers at which formulas break, each with each.
    private static func extremes(_ activation: Activation) -> ConformanceCase {
        ConformanceCase("activate", "\(activation.rawValue) extremes") { trial throws(ComputeError) in
            let numbers: [Double] = [
                0, -0.0, 1e-40, -1e-40, 1e-38, 13, -13, 14.4, -14.4, 17, -17, 87, -87, 88.7, -88.7, 88.8, -88.8, 89,
                -89, 104, -104, 1e4, -1e4, 1e19, -1e19, 1e30, -1e30, 3e38, -3e38, .infinity, -.infinity, .nan,
            ].map { Double(Float($0)) }
            let count = numbers.count
            try judge(
                Matrix(count, 2 * count) { row, column in column < count ? numbers[column] : numbers[row] }, activation,
                &trial)
        }
    }

    private static func judge(
        _ x: Matrix, bias: Matrix? = nil, _ activation: Activation, isGated: Bool = true, isInPlace: Bool = false,
        alignment: Int = 1, type: ElementType = .float32, _ trial: inout Trial
    ) throws(ComputeError) {
        let width = isGated ? x.columns / 2 : x.columns
        let operand =
            isInPlace
            ? try trial.written(x, type, alignment: alignment) : try trial.input(x, type, alignment: alignment)
        let result = isInPlace ? operand : try trial.output(x.rows, width, type, alignment: alignment)
        var addend: Tensor?
        if let bias { addend = try trial.input(bias, .float32, alignment: alignment) }
        try trial.device.activate(operand, bias: addend, activation, isGated: isGated, into: result)
        let got = try trial.values(of: result)
        // The exponential errs by two units and Φ's polynomial by three; then a sum, a quotient and a product are rounded.
        let tolerance = Tolerance(.float32, roundings: activation == .gelu ? 8 : 4).rounded(to: type)
        for row in 0..<x.rows {
            for column in 0..<width {
                // One rounding each, the same everywhere.
                let sum = { (i: Int) in Double(Float(x[row, i] + (bias?[0, i] ?? 0))) }
                let (z, factor) = (sum(column), isGated ? sum(column + width) : 1)
                let (value, scale) = reference(activation, z)
                let place = "\(activation.rawValue)(\(z)) · \(factor)"
                if factor.isInfinite, abs(value) < 0x1p-100 {
                    // Zero times infinity, or a subnormal number times infinity: neither is a number.
                    trial.judgement.expect(!got[row, column].isFinite, "\(place) is finite")
                    continue
                }
                // What lies beyond the numbers of float32 is infinite before it meets the factor.
                let want = (Float(value).isFinite ? value : Double(Float(value))) * factor
                // Where the exponential is no float32, the result may be taken for 0: it is below 90 · 2⁻¹²⁶ there.
                let lost = abs(factor) * 90 * 0x1p-126
                trial.judgement.compare(
                    got[row, column], Double(Float(want)),
                    scale: scale * abs(factor) + min(lost, 1e30) / tolerance.value + Tolerance.leastScale(type),
                    tolerance, place)
            }
        }
    }

    /// The activation, and its size: itself, and what a rounding of the exponential's argument moves.
    private static func reference(_ activation: Activation, _ z: Double) -> (value: Double, scale: Double) {
        func gated(_ k: Double) -> (Double, Double) {
            let value = z / (1 + exponential(-k))
            return (value, abs(value) * (1 + (k == z ? 0 : min(abs(k) / (1 + exponential(k)), 1e4))))
        }
        switch activation {
        case .silu: return gated(z)
        case .quickGELU: return gated(1.702 * z)
        case .geluTanh: return gated(2 * (2 / Double.pi).squareRoot() * (z + 0.044715 * z * z * z))
        case .gelu:
            let value = z * erfc(-z / 2.0.squareRoot()) / 2
            return (value, abs(value) * (z < 0 ? 1 + min(z * z / 2, 1e4) : 1))
        case .relu: return (z < 0 ? 0 : z, abs(z))
        case .reluSquared: return (z < 0 ? 0 : z * z, z * z)
        }
    }

    private static func softCap(_ rows: Int, _ width: Int, range: Double, alignment: Int) -> ConformanceCase {
        ConformanceCase("soft_cap", "rows=\(rows) width=\(width) range=\(range) aligned=\(alignment)") {
            trial throws(ComputeError) in
            try judgeSoftCap(trial.matrix(rows, width, .float32, range: range), alignment: alignment, &trial)
        }
    }

    private static let softCapExtremes = ConformanceCase("soft_cap", "extremes") { trial throws(ComputeError) in
        let numbers: [Double] = [
            0, 1e-40, 1e-38, 1e-3, 18.7, 18.8, 270, 1300, 1400, 1e30, 3e38, .infinity, .nan,
        ].map { Double(Float($0)) }
        try judgeSoftCap(Matrix(1, 2 * numbers.count, numbers + numbers.map { -$0 }), alignment: 1, &trial)
    }

    private static func judgeSoftCap(_ x: Matrix, alignment: Int, _ trial: inout Trial) throws(ComputeError) {
        let result = try trial.written(x, .float32, alignment: alignment)
        try trial.device.softCap(result, at: 30)
        let want = x.values.map { 30 * tanh($0 / 30) }
        // A quotient, three units of the tangent, a product; and a quotient that is no normal number.
        trial.judgement.compare(
            "x", try trial.values(of: result).values, want, scales: want.map { abs($0) + 0x1p-121 },
            Tolerance(.float32, roundings: 4))
    }
}
