/// The errors ‖x·A + b - y‖ of every token of a corpus in one step and one view; NaN for tokens outside the view.
public struct TokenErrors: Sendable, Hashable {
    /// With the map of all tokens of the view, (tokens).
    public var inSample: [Float]
    /// With the map of the other folds, (tokens); empty where held-out scores are not defined.
    public var heldOut: [Float]
    /// Why `heldOut` is empty.
    public var heldOutReason: String

    public init(inSample: [Float], heldOut: [Float], heldOutReason: String) {
        self.inSample = inSample
        self.heldOut = heldOut
        self.heldOutReason = heldOutReason
    }
}
