/// The function between the projections of an MLP, element by element.
public enum Activation: String, Sendable, Hashable, CaseIterable {
    /// x · σ(x) with σ(x) = 1 / (1 + exp(-x)) (Elfwing et al. 2018); gated, SwiGLU (Shazeer 2020).
    case silu
    /// x · Φ(x) with Φ the distribution function of the standard normal law (Hendrycks and Gimpel 2016).
    case gelu
    /// The same with Φ(x) ≈ (1 + tanh(√(2/π) · (x + 0.044715·x³))) / 2.
    case geluTanh
    /// max(x, 0).
    case relu
    /// max(x, 0)² (So et al. 2021).
    case reluSquared
    /// x · σ(1.702·x) (Hendrycks and Gimpel 2016).
    case quickGELU
}
