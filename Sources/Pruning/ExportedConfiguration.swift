import Checkpoints
import Transformers

/// The config.json of an edited model: the model's own, its keys in their order, with the number of layers and every rule
/// that differs from layer to layer as the layers that stay need them.
struct ExportedConfiguration {
    let json: JSON

    private let model: DecoderModel
    /// The layer of the model that each layer was.
    private let sources: [Int]

    /// Names that families have for the number of layers; a file may have several.
    private static let layerCountKeys = ["num_hidden_layers", "n_layer", "n_layers", "num_layers"]
    /// Settings with an entry for each layer.
    private static let layerListKeys = ["layer_types", "no_rope_layers"]

    /// - Parameters:
    ///   - original: The model's config.json.
    ///   - sources: The layer of `model` that each layer of the edited model was.
    ///   - plan: Of the edited model, which the settings must give.
    /// - Throws: `ExportError.inexpressible` with what the family's settings cannot say.
    init(_ original: JSONObject, of model: DecoderModel, sources: [Int], plan: DecoderPlan) throws(ExportError) {
        (self.model, self.sources) = (model, sources)
        var base = ExportedConfiguration.shared(original, model, sources, plan)
        let biases = plan.biases.subtracting(model.plan.biases)
        if !biases.isEmpty { base["mlp_bias"] = true }

        // The first spelling that is read as the plan; explicit lists only where the family's rule does not do.
        var difference = "settings cannot say it"
        for spelling in ExportedConfiguration.spellings(base, plan) {
            do throws(TransformerError) {
                let read = try model.plan(configuration: .object(spelling))
                guard let problem = ExportedConfiguration.difference(read, plan, sources) else {
                    json = .object(spelling)
                    return
                }
                if spelling == base { difference = problem }
            } catch {
                if spelling == base { difference = "\(error)" }
            }
        }
        throw .inexpressible(
            path: model.checkpoint.path,
            problem: "the settings of a \(plan.family) model cannot describe what is left of it: \(difference)")
    }

    /// The settings without the family's rules.
    private static func shared(
        _ original: JSONObject, _ model: DecoderModel, _ sources: [Int], _ plan: DecoderPlan
    ) -> JSONObject {
        var settings = original
        for key in layerCountKeys where original[key]?.integer != nil { settings[key] = .integer(sources.count) }
        for key in layerListKeys {
            guard let list = original[key]?.array, list.count == model.plan.layerCount else { continue }
            settings[key] = .array(sources.map { list[$0] })
        }
        // The code that it names is not carried over; what is written needs none, or its own.
        settings["auto_map"] = nil
        settings["straightedge"] = nil
        var linear = JSONObject()
        for (index, layer) in plan.layers.enumerated() where !layer.linearSites.isEmpty {
            linear["\(index)"] = .array(layer.linearSites.map(\.rawValue).sorted().map(JSON.string))
        }
        if linear.count > 0 {
            settings["straightedge"] = ["linear": .object(linear)]
            settings["auto_map"] = [
                "AutoModelForCausalLM": .string("\(LinearModelCode.moduleName).\(LinearModelCode.className)")
            ]
        }
        return settings
    }

    /// The settings alone, then with lists in the place of the rules that families have for layers of several kinds.
    private static func spellings(_ base: JSONObject, _ plan: DecoderPlan) -> [JSONObject] {
        func types(_ isSliding: (DecoderPlan.Layer) -> Bool) -> JSON {
            .array(plan.layers.map { isSliding($0) ? "sliding_attention" : "full_attention" })
        }
        let rotated = JSON.array(plan.layers.map { $0.rotary == nil ? 0 : 1 })
        let windowed = types { $0.attention.window != nil }
        return [
            base,
            base.with("no_rope_layers", rotated),
            base.with("layer_types", windowed),
            base.with("no_rope_layers", rotated).with("layer_types", windowed),
            // Without a window, kinds of layers differ in their positions alone.
            base.with("layer_types", types { $0.rotary == 1 }),
            base.with("layer_types", types { $0.rotary != nil }),
        ]
    }

    /// In what a plan that was read differs from that of the edited model; nil where it does not.
    static func difference(_ read: DecoderPlan, _ plan: DecoderPlan, _ sources: [Int]) -> String? {
        if read == plan { return nil }
        guard read.layerCount == plan.layerCount else {
            return "\(read.layerCount) layers are read, not \(plan.layerCount)"
        }
        for (index, (got, want)) in zip(read.layers, plan.layers).enumerated() where got != want {
            let parts = [
                ("its rotary positions", got.rotary != want.rotary),
                ("its sliding window", got.attention.window != want.attention.window),
                ("its scale of attention", got.attention.scale != want.attention.scale),
                ("its cap of attention", got.attention.softCap != want.attention.softCap),
                ("its slopes", got.attention.slopes != want.attention.slopes),
                ("its linear maps", got.linearSites != want.linearSites),
            ]
            let names = parts.filter(\.1).map(\.0).joined(separator: ", ")
            return "layer \(index), which was layer \(sources[index]), would lose \(names)"
        }
        if read.biases != plan.biases { return "it has no setting for the biases of its MLP" }
        return "the settings are read as another model"
    }
}

extension JSONObject {
    /// The object with a member changed or added.
    fileprivate func with(_ key: String, _ value: JSON) -> JSONObject {
        var object = self
        object[key] = value
        return object
    }
}
