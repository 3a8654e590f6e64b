/// What came of one case on one device.
public struct ConformanceOutcome: Sendable {
    /// The operation and its sizes, as in `ConformanceCase.description`.
    public let name: String
    /// |got - want| / scale of the element that came nearest to its tolerance or went furthest beyond it.
    public let largestError: Double
    /// (a + c·√k·ε) for that element: the largest error that is allowed.
    public let tolerance: Double
    /// What was wrong first, in words; nil where the case passed.
    public let complaint: String?

    public var passed: Bool { complaint == nil }

    init(name: String, _ judgement: Judgement) {
        self.name = name
        largestError = judgement.largestError
        tolerance = judgement.tolerance
        complaint = judgement.complaint
    }

    /// The outcome of a case that a device refused.
    init(name: String, refusal: String) {
        self.name = name
        largestError = .infinity
        tolerance = 0
        complaint = refusal
    }
}
