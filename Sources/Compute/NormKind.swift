/// What a normalization divides by, and whether it takes the mean away before.
public enum NormKind: Sendable, Hashable {
    /// x / √(mean(x²) + epsilon) (Zhang and Sennrich 2019).
    case rootMeanSquare
    /// (x - mean) / √(variance + epsilon) (Ba et al. 2016).
    case layer
}
