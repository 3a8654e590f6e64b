import Checkpoints
import Pruning
import Reports
import Transformers

/// The layers that were asked for, in the order in which they are cut.
struct LayersToCut {
    let cut: CutLayers
    /// The first of them, the first two, and so on.
    let steps: [CutLayers]
    /// Where the plan was, and what it says of itself.
    let plan: JSON?
    /// What it says of each candidate.
    let candidates: [JSON]

    init(plan: String?, layers: LayerSelection?, _ model: DecoderModel, _ fingerprint: String) throws {
        let layerCount = model.plan.layerCount
        var order = layers?.ranges ?? []
        try layers?.check(layerCount: layerCount)
        if let plan {
            let json = try JSON.read(plan)
            let stored = try PlanReport.read(json, path: plan)
            guard stored.modelFingerprint == fingerprint else {
                throw PlanOfAnotherModel(plan: plan, model: model.checkpoint.givenName)
            }
            order = stored.choices
            candidates = json["candidates"]?.array ?? []
            self.plan = [
                "path": .string(plan), "settings": json["settings"] ?? .null, "choices": json["choices"] ?? .null,
            ]
        } else {
            (self.plan, candidates) = (nil, [])
        }
        cut = try CutLayers(order, layerCount: layerCount)
        steps = try order.indices.map { try CutLayers(Array(order[...$0]), layerCount: layerCount) }
    }
}

/// A plan that was made for another model.
struct PlanOfAnotherModel: Error, CustomStringConvertible {
    let plan: String
    let model: String

    var description: String {
        "\(plan) was made for another model than \(model): their files differ; make a plan for this one with 'straightedge "
            + "plan'"
    }
}
