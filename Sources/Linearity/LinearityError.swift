import Checkpoints
public import Compute
public import Transformers

/// What can go wrong in an analysis or a comparison.
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
    case compute(ComputeError)
    /// Matrices that are to be compared have different numbers of rows.
    case rowCounts(x: String, count: Int, y: String, otherCount: Int)
    /// A map of `width` columns fits that few rows exactly.
    case tooFewRows(count: Int, width: Int)
    /// A number that is none.
    case notFinite(path: String, tensor: String?, row: Int, column: Int, value: Double)
    /// Numbers so large or so small that their squares are lost.
    case magnitude(path: String, column: Int)
    /// The memory that may be taken is too small for a comparison.
    case comparisonMemory(needed: Int, budget: Int)

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
        default: comparisonDescription
        }
    }

    private var comparisonDescription: String {
        switch self {
        case .compute(let error): "\(error)"
        case .rowCounts(let x, let count, let y, let otherCount):
            "\(x) has \(count) rows and \(y) \(otherCount): row i of one belongs to row i of the other; leave the others out"
        case .tooFewRows(let count, let width):
            "\(count) rows of \(width) columns: a linear map fits that few exactly, whatever they are; give at least "
                + "\(width + 1) rows and better \(10 * width)"
        case .notFinite(let path, let tensor, let row, let column, let value):
            "\(path): \(tensor.map { "tensor \($0.quoted): " } ?? "")row \(row), column \(column), counted from 0, is "
                + "\(value); leave such rows out of both files"
        case .magnitude(let path, let column):
            "\(path): column \(column), counted from 0, deviates from its mean by more than 1e70 or less than 1e-70, and "
                + "squares of such numbers are lost; multiply the matrix by a constant: no score depends on it"
        case .comparisonMemory(let needed, let budget):
            "the comparison needs \(needed) bytes of memory, and may take \(budget); give a larger --memory"
        default: ""
        }
    }
}
