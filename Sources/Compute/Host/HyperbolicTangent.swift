/// tanh(x) lane by lane, within 4 units in the last place. NaN stays NaN.
///
/// Below 0.625 by its minimax polynomial as in the Cephes library, and 1 - 2 / (exp(2·|x|) + 1) beyond, which would lose
/// the digits of small numbers. As in `exponential`, multiplications and additions are kept apart.
@inline(__always)
func hyperbolicTangent(_ x: SIMD4<Float>) -> SIMD4<Float> {
    let magnitude = x.replacing(with: -x, where: x .< 0)
    var result = 1 - 2 / (exponential(magnitude * 2) + 1)
    result.replace(with: -result, where: x .< 0)

    let square = x * x
    var p = square * -5.704_988_727e-3 + 2.063_908_879_5e-2
    p = p * square - 5.373_971_555_3e-2
    p = p * square + 1.333_144_220_4e-1
    p = p * square - 3.333_328_194_2e-1
    result.replace(with: p * square * x + x, where: magnitude .< 0.625)
    return result
}
