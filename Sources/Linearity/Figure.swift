/// A measured number, or the reason why there is none.
public enum Figure: Sendable, Hashable {
    case value(Double)
    case absent(reason: String)

    public var value: Double? {
        if case .value(let value) = self { value } else { nil }
    }

    public var reason: String? {
        if case .absent(let reason) = self { reason } else { nil }
    }

    /// The value, or the reason where it is nil or not finite.
    init(_ value: Double?, otherwise reason: String) {
        if let value, value.isFinite { self = .value(value) } else { self = .absent(reason: reason) }
    }

    func map(_ transform: (Double) -> Double) -> Figure {
        switch self {
        case .value(let value): Figure(transform(value), otherwise: "the result is not finite")
        case .absent: self
        }
    }
}
