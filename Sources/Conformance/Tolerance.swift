package import Tensors

/// The allowed error of one element, derived and not tuned: |got - want| ≤ (a + c·√k·ε(type))·scale.
///
/// k is the reduction length: roundings of k terms add up at random, to about √k of one. a is what the other, fixed
/// roundings of the operation cost, and scale the size of the terms, which the judge knows for every element.
package struct Tolerance: Sendable {
    package let value: Double

    /// Nothing but the same number.
    package static let exact = Tolerance(value: 0)

    private init(value: Double) {
        self.value = value
    }

    /// a is `roundings`·ε(type), c is `factor`, and k is `length`.
    package init(_ type: ElementType, roundings: Double, factor: Double = 0, length: Int = 0) {
        let epsilon =
            SixteenBitFloat(type)?.epsilon ?? (type == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne))
        value = (roundings + factor * Double(length).squareRoot()) * epsilon
    }

    /// The same, and one rounding to a type of sixteen bits; to others what is in it already.
    func rounded(to type: ElementType) -> Tolerance {
        Tolerance(value: value + (SixteenBitFloat(type)?.epsilon ?? 0) / 2)
    }

    /// The least scale of a number of the type: those below the smallest normal one are as far apart as it is.
    static func leastScale(_ type: ElementType) -> Double {
        SixteenBitFloat(type).map { $0.leastSpacing / $0.epsilon } ?? 0
    }
}
