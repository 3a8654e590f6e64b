/// exp(x) lane by lane, within 2 units in the last place, above -87.33 and below 88.37; beyond, the results are the
/// smallest normal number and infinity, which a quotient by them needs: -3e38 / exp(88) would be -1.8, and not 0.
/// NaN stays NaN.
///
/// exp(x) = 2ⁿ · exp(r) with n = round(x / ln 2) and |r| ≤ ln 2 / 2; exp(r) by its minimax polynomial of degree 6 as
/// in the Cephes library. Multiplications and additions are kept apart: a fused one is a library call on baseline
/// x86-64. Four lanes are its native width; wider vectors are taken apart there, and badly.
@inline(__always)
func exponential(_ argument: SIMD4<Float>) -> SIMD4<Float> {
    var x = argument
    x.replace(with: 89, where: argument .> 89)
    x.replace(with: -87.33, where: argument .< -87.33)

    // Adding 1.5 · 2²³ rounds to an integer, which then stands in the low bits.
    let magic = SIMD4<Float>(repeating: 12_582_912)
    let shifted = x * 1.442_695_04 + magic
    let n = shifted - magic
    let r = (x - n * 0.693_359_375) - n * -2.121_944_4e-4

    var p = SIMD4<Float>(repeating: 1.987_569_15e-4)
    p = p * r + 1.398_199_95e-3
    p = p * r + 8.333_452e-3
    p = p * r + 4.166_579_6e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_1e-1
    let exponentialOfR = p * (r * r) + r + 1

    let bits = unsafe unsafeBitCast(shifted, to: SIMD4<Int32>.self) &- (0x4B40_0000 - 127)
    return unsafe exponentialOfR * unsafeBitCast(bits &<< 23, to: SIMD4<Float>.self)
}
