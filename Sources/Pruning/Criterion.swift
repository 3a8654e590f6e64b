import Linearity

/// By what candidates for cutting are put in order, the least missed first.
public enum Criterion: String, Sendable, Hashable, CaseIterable {
    /// The linearity score with residual, of all tokens, on the tokens of the fit: the paper's.
    case linearity
    /// The same on tokens that the fit has not seen, without the first of each sequence.
    case heldOutLinearity = "linearity-heldout"
    /// The smallest mean of ‖B‖/‖X‖ over the tokens.
    case contribution
    /// The largest mean cosine between the stream before and behind.
    case cosine
    /// The smallest mean angle between them.
    case angular
    /// The smallest perplexity of the model that is left.
    case perplexity
    /// The smallest sum of two ranks: by perplexity, and by held-out linearity.
    case joint

    /// Whether the perplexity of a cut model has to be measured for it.
    public var needsDamage: Bool { self == .perplexity || self == .joint }
}

extension Criterion {
    /// A number for each candidate, smaller where it is missed less; nil where it has none.
    ///
    /// - Parameter mode: What is done to cut layers: whose damage counts.
    func costs(of candidates: [Candidate], mode: PruningMode) -> [Double?] {
        figures(of: candidates, mode: mode).map { figure in figure.flatMap { $0.isFinite ? $0 : nil } }
    }

    private func figures(of candidates: [Candidate], mode: PruningMode) -> [Double?] {
        switch self {
        case .linearity: candidates.map { $0.scores.linearity.value.map { -$0 } }
        case .heldOutLinearity: candidates.map { $0.scores.heldOutLinearity.value.map { -$0 } }
        case .contribution: candidates.map(\.scores.contribution.value)
        case .cosine: candidates.map { $0.scores.cosine.value.map { -$0 } }
        case .angular: candidates.map(\.scores.angularDistance.value)
        case .perplexity: candidates.map { $0.damage[mode]?.crossEntropy }
        case .joint:
            zip(
                Criterion.ranks(Criterion.perplexity.costs(of: candidates, mode: mode)),
                Criterion.ranks(Criterion.heldOutLinearity.costs(of: candidates, mode: mode))
            ).map { damage, fit in
                guard let damage, let fit else { return nil }
                // Equal sums go by the perplexity.
                return damage + fit + damage / 1e6
            }
        }
    }

    /// Positions in ascending order, from 0; nil where there is no number.
    private static func ranks(_ costs: [Double?]) -> [Double?] {
        let sorted = costs.compactMap(\.self).sorted()
        return costs.map { cost in cost.flatMap { value in sorted.firstIndex(of: value) }.map(Double.init) }
    }
}
