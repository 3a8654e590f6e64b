/// What the matrix M of a map y ≈ x + x·M + b may be, and what is smallest of it. B = Y - X is what the map has to add, and
/// I + M is the matrix A of y ≈ x·A + b.
public enum MapKind: Sendable, Hashable {
    /// ‖B_c - X_c·M‖², M being any matrix.
    case leastSquares
    /// ‖B_c - X_c·M‖² + alpha·‖M‖², which shrinks A towards the identity; alpha is that of scikit-learn's `Ridge` on X
    /// and B with an intercept. Nil for the one of smallest held-out error.
    case ridge(alpha: Double?)
    /// ‖B_c - X_c·M‖², M being of at most this rank: reduced-rank regression (Izenman 1975). Nil for the one of smallest
    /// held-out error.
    case lowRank(Int?)
    /// ‖Y_c - X_c·A‖², A being diagonal: each column by itself.
    case diagonal
    /// ‖Y_c - X_c·A‖², A being a scale times an orthogonal matrix.
    case orthogonal

    /// How kinds are written.
    public static let spellings = [
        "least-squares", "ridge", "ridge:ALPHA", "low-rank", "low-rank:K", "diagonal", "orthogonal",
    ]

    /// A kind as it is written, for instance `ridge:1e3` or `low-rank:64`.
    public init(_ text: String) throws(MapError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let argument = parts.count > 1 ? parts[1] : nil
        switch (parts[0], argument) {
        case ("least-squares", nil): self = .leastSquares
        case ("diagonal", nil): self = .diagonal
        case ("orthogonal", nil): self = .orthogonal
        case ("ridge", nil): self = .ridge(alpha: nil)
        case ("low-rank", nil): self = .lowRank(nil)
        case ("ridge", let argument?):
            guard let alpha = Double(argument), alpha > 0, alpha.isFinite else { throw .alpha(argument) }
            self = .ridge(alpha: alpha)
        case ("low-rank", let argument?):
            guard let rank = Int(argument), rank > 0 else { throw .lowRank(argument) }
            self = .lowRank(rank)
        default: throw .kind(text)
        }
    }

    /// Whether alpha or K has still to be chosen.
    public var isOpen: Bool { self == .ridge(alpha: nil) || self == .lowRank(nil) }

    /// Refuses a map of this kind to so many rows of this width.
    ///
    /// - Throws: `MapError.tooFewRows`, `.rank`.
    public func check(count: Int, width: Int) throws(MapError) {
        guard count >= smallestRowCount(width: width) else { throw .tooFewRows(self, count: count, width: width) }
        if case .lowRank(let rank?) = self, rank > width { throw .rank(rank, width: width) }
    }

    /// The fewest rows that say anything of a map of this width.
    public func smallestRowCount(width: Int) -> Int {
        switch self {
        case .leastSquares, .lowRank, .orthogonal: max(2, width + 1)
        case .ridge, .diagonal: 2
        }
    }
}

extension MapKind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .leastSquares: "least-squares"
        case .ridge(nil): "ridge"
        case .ridge(let alpha?):
            // Whole numbers as people write them.
            "ridge:\(alpha.magnitude < 1e15 && alpha == alpha.rounded() ? "\(Int(alpha))" : "\(alpha)")"
        case .lowRank(nil): "low-rank"
        case .lowRank(let rank?): "low-rank:\(rank)"
        case .diagonal: "diagonal"
        case .orthogonal: "orthogonal"
        }
    }
}
