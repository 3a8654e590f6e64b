package import Tensors

extension HostBackend {
    package func activate(
        _ x: Tensor, bias: Tensor?, _ activation: Activation, isGated: Bool, into result: Tensor
    ) throws(ComputeError) {
        let x = try widened(x)
        try rounding(into: result) { wide throws(ComputeError) in
            switch activation {
            case .silu: apply(x, bias, isGated, into: wide) { gated($0, by: $0) }
            case .gelu: apply(x, bias, isGated, into: wide) { $0 * normalDistribution($0) }
            case .geluTanh:
                // (1 + tanh(u)) / 2 = σ(2·u), which loses nothing where tanh(u) is near -1.
                apply(x, bias, isGated, into: wide) { z in
                    gated(z, by: z * (1.595_769_12 + 0.071_354_816 * (z * z)))
                }
            case .relu: apply(x, bias, isGated, into: wide) { positivePart($0) }
            case .reluSquared: apply(x, bias, isGated, into: wide) { positivePart($0) * positivePart($0) }
            case .quickGELU: apply(x, bias, isGated, into: wide) { gated($0, by: 1.702 * $0) }
            }
        }
    }

    package func softCap(_ x: Tensor, at cap: Float) {
        apply(x, nil, false, into: x) { cap * hyperbolicTangent($0 / cap) }
    }

    /// result = function(x + bias), times the second half of the columns of x + bias where `isGated`.
    @inline(__always)
    private func apply(
        _ x: Tensor, _ bias: Tensor?, _ isGated: Bool, into result: Tensor,
        _ function: (Loops.Vector) -> Loops.Vector
    ) {
        let width = result.columns
        let addend = unsafe bias.map { unsafe UnsafePointer($0.floats) }
        for row in 0..<result.rows {
            let input = unsafe x.floats + row * x.leadingDimension
            let output = unsafe result.floats + row * result.leadingDimension
            for offset in stride(from: 0, to: width, by: 4) {
                let count = width - offset
                var z = unsafe Loops.load(input + offset, atMost: count)
                if let addend = unsafe addend { z += unsafe Loops.load(addend + offset, atMost: count) }
                z = function(z)
                if isGated {
                    var factor = unsafe Loops.load(input + width + offset, atMost: count)
                    if let addend = unsafe addend {
                        factor += unsafe Loops.load(addend + width + offset, atMost: count)
                    }
                    z *= factor
                }
                unsafe Loops.store(z, to: output + offset, atMost: count)
            }
        }
    }
}

/// x · σ(k) = x / (1 + exp(-k)).
@inline(__always)
private func gated(_ x: Loops.Vector, by k: Loops.Vector) -> Loops.Vector { x / (1 + exponential(-k)) }

/// max(x, 0), and NaN of NaN.
@inline(__always)
private func positivePart(_ x: Loops.Vector) -> Loops.Vector { x.replacing(with: 0, where: x .< 0) }

/// Φ(x), within 4 units in the last place besides what the rounding of x²/2 costs the exponential.
///
/// With a = |x| and t = 1 / (1 + 0.35·a), Φ(-a) = exp(-a²/2) · t · p(t): a minimax polynomial of degree 8 for the scaled
/// complementary error function, fitted to a relative error of 3.2e-8 for a up to 14.5, beyond which Φ(-a) is no float32.
@inline(__always)
private func normalDistribution(_ x: Loops.Vector) -> Loops.Vector {
    let a = x.replacing(with: -x, where: x .< 0)
    let t = 1 / (1 + 0.35 * a)
    var p = Loops.Vector(repeating: -0.029_157_886)
    p = p * t + 0.144_030_91
    p = p * t - 0.255_839
    p = p * t + 0.159_319_7
    p = p * t - 0.023_212_353
    p = p * t + 0.105_552_5
    p = p * t + 0.119_821_29
    p = p * t + 0.139_863_52
    p = p * t + 0.139_621_3
    let tail = p * t * exponential(-0.5 * (a * a))
    return tail.replacing(with: 1 - tail, where: x .>= 0)
}
