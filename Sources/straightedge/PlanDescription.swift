import Reports
import Transformers

/// A plan in words, a line for each of its parts.
struct PlanDescription {
    let plan: DecoderPlan

    var lines: [(name: String, value: String)] {
        [
            ("family", plan.family), ("layers", layers), ("attention", attention), ("positions", positions),
            ("MLP", feedForward), ("norm", norm), ("vocabulary", vocabulary),
        ]
    }

    private var layers: String {
        var parts = ["\(plan.layerCount), width \(plan.width)"]
        if plan.residual == .parallel { parts.append("attention and MLP side by side") }
        if plan.residualScale != 1 { parts.append("residual sums times \(plan.residualScale)") }
        return parts.joined(separator: ", ")
    }

    private var attention: String {
        let heads = plan.heads
        var parts = ["\(heads.queryCount) query heads, \(heads.keyCount) key heads of width \(heads.width)"]
        if !plan.biases.isDisjoint(with: .attention) {
            parts.append(
                plan.biases.isSuperset(of: .attention) ? "with biases" : "with biases of queries, keys, values")
        }
        if plan.queryKeyNorm != nil { parts.append("queries and keys normalized") }
        if let limit = plan.queryKeyValueLimit { parts.append("bounded by \(limit)") }
        if let cap = plan.layers.first?.attention.softCap { parts.append("soft cap \(cap)") }
        let windows = plan.layers.compactMap(\.attention.window)
        if let window = windows.first {
            let share = windows.count == plan.layerCount ? "" : " in \(windows.count) of \(plan.layerCount) layers"
            parts.append("window \(window)\(share)")
        }
        return parts.joined(separator: ", ")
    }

    private var positions: String {
        var parts = [Text.count(plan.maximumPositions)]
        if plan.embedding.learnedPositionOffset != nil { parts.append("learned") }
        if plan.layers.contains(where: { !$0.attention.slopes.isEmpty }) { parts.append("ALiBi") }
        for (index, rotary) in plan.rotaries.enumerated() {
            let layers = plan.layers.filter { $0.rotary == index }.count
            let share = layers == plan.layerCount ? "" : " in \(layers) of \(plan.layerCount) layers"
            parts.append(describe(rotary) + share)
        }
        return parts.joined(separator: ", ")
    }

    private func describe(_ rotary: RotaryEmbedding) -> String {
        let width = rotary.width == plan.heads.width ? "" : " of \(rotary.width) elements"
        let scaling =
            switch rotary.scaling {
            case .none: ""
            case .linear(let factor): " scaled by \(factor)"
            case .dynamic(let factor, _): " growing to \(factor) times the positions"
            case .llama3(let factor, _, _, _): " scaled as in LLaMA 3 by \(factor)"
            case .yarn(let yarn): " scaled by YaRN, \(yarn.factor)"
            case .longRope: " with short and long divisors"
            case .divided: " with divisors"
            }
        return "rotary\(width), base \(rotary.base)\(scaling), pairs in \(rotary.layout)"
    }

    private var feedForward: String {
        let kind = plan.feedForward.isGated ? "gated \(plan.feedForward.activation)" : "\(plan.feedForward.activation)"
        let biases = plan.biases.isDisjoint(with: .feedForward) ? "" : ", with biases"
        return "\(kind), width \(plan.feedForward.width)\(biases)"
    }

    private var norm: String {
        let kind = plan.norm.kind == .layer ? "LayerNorm" : "RMSNorm"
        let place =
            switch plan.normPlacement {
            case .before: "before sublayers"
            case .after: "behind sublayers"
            case .beforeAndAfter: "before and behind sublayers"
            case .afterResidual: "behind residual sums"
            }
        let weights = plan.norm.hasWeight ? "" : ", without weights"
        return "\(kind), epsilon \(plan.norm.epsilon), \(place)\(weights)"
    }

    private var vocabulary: String {
        var parts = [Text.count(plan.vocabularySize), "head \(plan.isHeadTied ? "tied" : "of its own")"]
        if let width = plan.embedding.projectedWidth { parts.append("projected from width \(width)") }
        if plan.embedding.scale != 1 { parts.append("embeddings times \(plan.embedding.scale)") }
        if plan.logitScale != 1 { parts.append("logits times \(plan.logitScale)") }
        if let cap = plan.logitSoftCap { parts.append("logits' soft cap \(cap)") }
        return parts.joined(separator: ", ")
    }
}
