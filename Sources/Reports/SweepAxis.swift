import Checkpoints
import Linearity

/// What the checkpoints of a sweep stand on: the steps of the training, the tokens it has seen, or their order alone.
struct SweepAxis: Sendable, Hashable {
    enum Quantity: Sendable, Hashable {
        case steps, tokens
        /// Neither is known of all checkpoints.
        case order(reason: String)
    }

    let quantity: Quantity

    /// Takes what all names tell, and tell differently.
    init(_ checkpoints: [SweepCheckpoint]) {
        let steps = checkpoints.compactMap(\.training.step)
        let tokens = checkpoints.compactMap(\.training.tokenCount)
        func isDistinct(_ values: [Int]) -> Bool {
            values.count == checkpoints.count && Set(values).count == values.count
        }
        if isDistinct(steps) {
            quantity = .steps
        } else if isDistinct(tokens) {
            quantity = .tokens
        } else {
            quantity = .order(reason: SweepAxis.reason(checkpoints))
        }
    }

    private static func reason(_ checkpoints: [SweepCheckpoint]) -> String {
        if let nameless = checkpoints.first(where: { $0.training.step == nil }) {
            return "the name \(nameless.name.quoted) tells no step of the training"
        }
        var seen: [Int: String] = [:]
        for checkpoint in checkpoints {
            guard let step = checkpoint.training.step else { continue }
            if let other = seen.updateValue(checkpoint.name, forKey: step) {
                return "\(other.quoted) and \(checkpoint.name.quoted) are both of step \(step)"
            }
        }
        return "the names tell no steps"
    }

    /// Where a checkpoint stands; nil on an axis of the order alone.
    func value(_ checkpoint: SweepCheckpoint) -> Int? {
        switch quantity {
        case .steps: checkpoint.training.step
        case .tokens: checkpoint.training.tokenCount
        case .order: nil
        }
    }

    /// The checkpoints in the order of the axis.
    func order(_ checkpoints: [SweepCheckpoint]) -> [SweepCheckpoint] {
        let ordered = checkpoints.enumerated().sorted {
            (value($0.element) ?? 0, $0.offset) < (value($1.element) ?? 0, $1.offset)
        }
        return ordered.map(\.element)
    }

    /// What the axis is, for people.
    var title: String {
        switch quantity {
        case .steps: "training step"
        case .tokens: "tokens seen in training"
        case .order: "checkpoint, in the order given"
        }
    }
}
