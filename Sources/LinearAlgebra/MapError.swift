public import Compute

/// Why a map could not be fitted.
public enum MapError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No kind of map is written like this.
    case kind(String)
    /// An alpha that is none.
    case alpha(String)
    /// A rank that is none.
    case lowRank(String)
    /// A rank above the width.
    case rank(Int, width: Int)
    /// X and Y are of different widths.
    case widths(x: Int, y: Int)
    /// A map of this kind fits so few rows exactly, or they say nothing of it.
    case tooFewRows(MapKind, count: Int, width: Int)
    /// Alpha or K has to be chosen on held-out rows, and there are none.
    case choice(MapKind, reason: String)
    /// Numbers that are none, or sums of squares that overflow.
    case notFinite(what: String)
    case compute(ComputeError)

    public var description: String {
        switch self {
        case .kind(let text):
            "no kind of map is written '\(text)'; known: \(MapKind.spellings.joined(separator: ", "))"
        case .alpha(let text):
            "ridge:\(text): alpha is a number above 0, for instance ridge:1e3; without a penalty it is least-squares"
        case .lowRank(let text): "low-rank:\(text): K is a whole number above 0, for instance low-rank:64"
        case .rank(let rank, let width):
            "low-rank:\(rank): a map of width \(width) has a rank of at most \(width); give a smaller K"
        case .widths(let x, let y): "rows of width \(x) cannot be mapped to rows of width \(y) beside themselves"
        case .tooFewRows(let kind, let count, let width):
            "\(count) tokens for a \(kind) map of width \(width): at least \(kind.smallestRowCount(width: width)) are "
                + "needed, and better \(10 * width); give more text, or the kind diagonal"
        case .choice(let kind, let reason):
            "\(kind): \(kind == .lowRank(nil) ? "K" : "alpha") is chosen by held-out errors, and there are none: \(reason); "
                + "give \(kind):\(kind == .lowRank(nil) ? "K" : "ALPHA")"
        case .notFinite(let what): "\(what) is not finite: no map was made"
        case .compute(let error): "\(error)"
        }
    }
}

/// Runs `body`, and rethrows the device's error as a map's.
func mapping<Result>(_ body: () throws(ComputeError) -> Result) throws(MapError) -> Result {
    do { return try body() } catch { throw .compute(error) }
}
