/// exp(x) in Double from its power series, for judges: within 1e-14 of itself.
///
/// exp(x) = 2ⁿ · exp(r), |r| ≤ ln 2 / 2, where twenty terms leave less than 1e-24.
func exponential(_ x: Double) -> Double {
    if x.isNaN { return x }
    if x > 710 { return .infinity }
    if x < -746 { return 0 }
    let n = (x / 0.693_147_180_559_945_3).rounded()
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10
    var (term, sum) = (1.0, 1.0)
    for i in 1...20 {
        term *= r / Double(i)
        sum += term
    }
    return Double(sign: .plus, exponent: Int(n), significand: sum)
}
