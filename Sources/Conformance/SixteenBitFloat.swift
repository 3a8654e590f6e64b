import Tensors

/// The two floating-point types of sixteen bits, as plain arithmetic on Double.
struct SixteenBitFloat: Sendable {
    /// Of the significand, without the leading one.
    private let fractionBitCount: Int
    /// Of the smallest normal number.
    private let smallestExponent: Int

    /// Float16 or bfloat16; nil for another type.
    init?(_ type: ElementType) {
        switch type {
        case .float16: (fractionBitCount, smallestExponent) = (10, -14)
        case .bfloat16: (fractionBitCount, smallestExponent) = (7, -126)
        default: return nil
        }
    }

    /// The distance from 1 to the next larger number.
    var epsilon: Double { power(-fractionBitCount) }

    /// The distance of the smallest numbers.
    var leastSpacing: Double { power(smallestExponent - fractionBitCount) }

    /// The nearest number, ties to the even one; an infinity beyond the largest.
    func rounded(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return value }
        let spacing = power(max(Int(value.exponent), smallestExponent) - fractionBitCount)
        let nearest = (value / spacing).rounded(.toNearestOrEven) * spacing
        return abs(nearest) < power(2 - smallestExponent) ? nearest : .init(signOf: value, magnitudeOf: .infinity)
    }

    /// The bits of the nearest number: sign, exponent, fraction.
    func bits(_ value: Double) -> UInt16 {
        let nearest = rounded(value)
        let sign: UInt16 = nearest.sign == .minus ? 0x8000 : 0
        let infinity = UInt16(specialExponent << fractionBitCount)
        guard !nearest.isNaN else { return infinity | 1 << (fractionBitCount - 1) }
        guard nearest.isFinite else { return sign | infinity }
        // In units of the least spacing subnormal numbers are their own bits, and so are those of the first exponent.
        let exponent = nearest == 0 ? smallestExponent : max(Int(nearest.exponent), smallestExponent)
        let fraction = UInt16(abs(nearest) / power(exponent - fractionBitCount))
        return sign | (UInt16((exponent - smallestExponent) << fractionBitCount) + fraction)
    }

    /// The number that has these bits.
    func value(_ bits: UInt16) -> Double {
        let magnitude = Int(bits & 0x7FFF)
        let (exponent, fraction) = (magnitude >> fractionBitCount, magnitude & ((1 << fractionBitCount) - 1))
        let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
        if exponent == specialExponent { return fraction == 0 ? sign * .infinity : .nan }
        let significand = exponent == 0 ? fraction : fraction + (1 << fractionBitCount)
        return sign * Double(significand) * power(max(exponent, 1) - 1 + smallestExponent - fractionBitCount)
    }

    /// What infinities and NaN have for an exponent.
    private var specialExponent: Int { 3 - 2 * smallestExponent }

    private func power(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }
}
