public import Transformers

/// What can go wrong in an analysis.
public enum LinearityError: Error, Sendable, CustomStringConvertible {
    case transformer(TransformerError)
    /// A map of `width` columns fits that few tokens exactly, whatever they are: every score would be 1.
    case tooFewTokens(count: Int, width: Int)
    /// The memory that may be taken is too small even for the smallest slabs.
    case memory(needed: Int, budget: Int, longestSequence: Int, width: Int)
    /// The layers asked for are not those of the model.
    case layers(asked: Range<Int>, layerCount: Int)
    /// Finished layers could not be kept or taken up again.
    case store(description: String)

    public var description: String {
        switch self {
        case .transformer(let error): "\(error)"
        case .tooFewTokens(let count, let width):
            "\(count) tokens for a stream of width \(width): a linear map fits that few exactly, and every score would "
                + "be 1; give more text or more sequences, at least \(width + 1) tokens and better \(10 * width)"
        case .memory(let needed, let budget, let longest, let width):
            "the analysis needs \(needed) bytes of memory besides the streams, and may take \(budget); give a larger "
                + "--memory, or shorter sequences (the longest has \(longest) tokens of width \(width))"
        case .store(let description): description
        case .layers(let asked, let layerCount):
            "layers \(asked.lowerBound):\(asked.upperBound) are not all in the model, whose layers are 0:\(layerCount)"
        }
    }
}
