public import Compute

#if canImport(Glibc)
    import Glibc
#endif

/// A rotary position embedding (Su et al. 2021): pairs of elements of a head turn by position · frequency.
public struct RotaryEmbedding: Sendable, Hashable {
    /// Elements of a head that are turned, its first ones; even.
    public var width: Int
    /// Of the frequencies base^(-2i/width).
    public var base: Double
    public var layout: RotaryLayout
    public var scaling = Scaling.none

    /// How the frequencies were changed to reach further than a model was first trained for.
    public enum Scaling: Sendable, Hashable {
        case none
        /// Frequencies divided by the factor (Chen et al. 2023).
        case linear(factor: Double)
        /// A base that grows with sequences longer than the original positions.
        case dynamic(factor: Double, originalPositions: Int)
        /// Long wavelengths are stretched, short ones kept, and those between interpolated (LLaMA 3.1).
        case llama3(factor: Double, lowFactor: Double, highFactor: Double, originalPositions: Int)
        /// Interpolation by parts (Peng et al. 2023).
        case yarn(YaRN)
        /// A divisor for each frequency; other divisors for sequences longer than the original positions (Ding et al.
        /// 2024).
        case longRope(short: [Float], long: [Float], originalPositions: Int, attentionFactor: Float)
        /// A divisor for each frequency.
        case divided(by: [Float])
    }

    public struct YaRN: Sendable, Hashable {
        public var factor: Double
        public var originalPositions: Int
        public var fastTurns: Double
        public var slowTurns: Double
        public var attentionFactor: Float
        /// Whether the bounds of the interpolated pairs are whole numbers.
        public var truncates: Bool
    }
}

// MARK: - Frequencies

extension RotaryEmbedding {
    /// The sequences that share a table: those of equal keys have the same frequencies.
    func variant(sequenceLength: Int) -> Int {
        switch scaling {
        case .dynamic(_, let original): max(sequenceLength, original)
        case .longRope(_, _, let original, _): sequenceLength > original ? 1 : 0
        default: 0
        }
    }

    /// What cosines and sines are multiplied with.
    var attentionFactor: Float {
        switch scaling {
        case .yarn(let yarn): yarn.attentionFactor
        case .longRope(_, _, _, let factor): factor
        default: 1
        }
    }

    /// The frequency of each pair in a sequence of this length.
    ///
    /// Roundings to float32 stand where Hugging Face's models, in training too, have them: they define the model.
    func frequencies(sequenceLength: Int) -> [Float] {
        switch scaling {
        case .none: plainFrequencies(base)
        case .linear(let factor): plainFrequencies(base).map { $0 / Float(factor) }
        case .dynamic(let factor, let original):
            plainFrequencies(grownBase(factor, original, max(sequenceLength, original)))
        case .llama3(let factor, let low, let high, let original):
            plainFrequencies(base).map { stretched($0, Float(factor), Float(low), Float(high), Float(original)) }
        case .yarn(let yarn): interpolated(yarn)
        case .longRope(let short, let long, let original, _):
            divided(by: sequenceLength > original ? long : short)
        case .divided(let factors): divided(by: factors)
        }
    }

    private var pairCount: Int { width / 2 }

    /// base^(2i/width).
    private func powers(_ base: Double) -> [Float] {
        (0..<pairCount).map { Float(pow(base, Double(Float(2 * $0) / Float(width)))) }
    }

    private func plainFrequencies(_ base: Double) -> [Float] { powers(base).map { 1 / $0 } }

    private func divided(by factors: [Float]) -> [Float] { zip(powers(base), factors).map { 1 / ($1 * $0) } }

    private func grownBase(_ factor: Double, _ original: Int, _ length: Int) -> Double {
        let growth = factor * Double(length) / Double(original) - (factor - 1)
        return base * pow(growth, Double(width) / Double(width - 2))
    }

    private func stretched(
        _ frequency: Float, _ factor: Float, _ lowFactor: Float, _ highFactor: Float, _ original: Float
    ) -> Float {
        let wavelength = 2 * Float.pi / frequency
        if wavelength > original / lowFactor { return frequency / factor }
        if wavelength < original / highFactor { return frequency }
        let smooth = (original / wavelength - lowFactor) / (highFactor - lowFactor)
        return (1 - smooth) * frequency / factor + smooth * frequency
    }

    private func interpolated(_ yarn: YaRN) -> [Float] {
        // The pair that turns so many times within the original positions.
        func pair(turns: Double) -> Double {
            Double(width) * log(Double(yarn.originalPositions) / (turns * 2 * .pi)) / (2 * log(base))
        }
        var (low, high) = (pair(turns: yarn.fastTurns), pair(turns: yarn.slowTurns))
        if yarn.truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        (low, high) = (max(low, 0), min(high, Double(width - 1)))
        if low == high { high += 0.001 }
        return powers(base).enumerated().map { i, power in
            let ramp = min(max((Float(i) - Float(low)) / Float(high - low), 0), 1)
            let kept = 1 - ramp
            return (1 / (Float(yarn.factor) * power)) * (1 - kept) + (1 / power) * kept
        }
    }
}
