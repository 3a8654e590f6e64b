import Compute
import Tensors

/// SwiGLU's gate, and through it the accuracy of the exponential.
enum ActivationCases {
    static let all: [ConformanceCase] =
        [(1, 1), (33, 31), (5, 1000)].flatMap { rows, width in
            [1.0, 30, 200].map { gatedSiLU(rows, width, range: $0) }
                + [ElementType.float16, .bfloat16].map { gatedSiLU(rows, width, range: 8, $0) }
        } + [exponentialSweep, extremes]

    private static func gatedSiLU(
        _ rows: Int, _ width: Int, range: Double, _ type: ElementType = .float32
    ) -> ConformanceCase {
        ConformanceCase("gated_silu", "rows=\(rows) width=\(width) range=\(range) \(type.rawValue)") {
            trial throws(ComputeError) in
            try judge(trial.matrix(rows, 2 * width, type, range: range), type, &trial)
        }
    }

    /// Gates from -88 to 88 in even steps.
    private static let exponentialSweep = ConformanceCase("gated_silu", "sweep of the exponential") {
        trial throws(ComputeError) in
        let count = 40_001
        try judge(
            Matrix(1, 2 * count) { _, i in i < count ? Double(Float(Double(i) * 0.0044 - 88)) : 1 }, .float32, &trial)
    }

    /// Numbers at which formulas break, each with each.
    private static let extremes = ConformanceCase("gated_silu", "extremes") { trial throws(ComputeError) in
        let numbers: [Double] = [
            0, -0.0, 1e-40, -1e-40, 1e-38, 17, -17, 87, -87, 88.7, -88.7, 88.8, -88.8, 89, -89, 104, -104, 1e4, -1e4,
            1e30, -1e30, 3e38, -3e38, .infinity, -.infinity, .nan,
        ].map { Double(Float($0)) }
        let count = numbers.count
        try judge(
            Matrix(count, 2 * count) { row, column in column < count ? numbers[column] : numbers[row] }, .float32,
            &trial)
    }

    private static func judge(_ gateUp: Matrix, _ type: ElementType, _ trial: inout Trial) throws(ComputeError) {
        let width = gateUp.columns / 2
        let result = try trial.output(gateUp.rows, width, type)
        try trial.device.gatedSiLU(try trial.input(gateUp, type), into: result)
        let got = try trial.values(of: result)
        for row in 0..<gateUp.rows {
            for column in 0..<width {
                let (z, up) = (gateUp[row, column], gateUp[row, width + column])
                let want = z / (1 + exponential(-z)) * up
                if up.isInfinite, z < -87, want.isInfinite {
                    // Zero times infinity, or a subnormal number times infinity: neither is a number.
                    trial.judgement.expect(!got[row, column].isFinite, "silu(\(z)) · \(up) is finite")
                    continue
                }
                // Where exp(-z) is no float32, silu(z) may be taken for 0: it is below 90 · 2⁻¹²⁶ there.
                let lost = abs(up) * 90 * 0x1p-126
                // The exponential errs by two units, then a sum, a quotient and a product are rounded.
                let tolerance = Tolerance(.float32, roundings: 4).rounded(to: type)
                trial.judgement.compare(
                    got[row, column], Double(Float(want)),
                    scale: abs(want) + min(lost, 1e30) / tolerance.value + Tolerance.leastScale(type),
                    tolerance, "silu(\(z)) · \(up)")
            }
        }
    }
}
