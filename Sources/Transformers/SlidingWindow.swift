import Checkpoints

extension DecoderPlan {
    /// Gives some layers a sliding window.
    mutating func setWindow(_ window: Int?, on areSliding: [Bool]) {
        for index in layers.indices where areSliding[index] { layers[index].attention.window = window }
    }

    /// Gives all layers a sliding window.
    mutating func setWindow(_ window: Int?) {
        for index in layers.indices { layers[index].attention.window = window }
    }
}

extension Settings {
    /// The window of GGUF metadata, where 0 means none.
    func windowIfPresent(_ key: String) throws(TransformerError) -> Int? {
        try json(key) == 0 ? nil : try countIfPresent(key)
    }

    /// Which layers have a sliding window: as `layer_types` says, or by a rule where it is silent.
    func slidingLayers(
        _ plan: DecoderPlan, otherwise isSliding: (_ layer: Int) -> Bool
    ) throws(TransformerError) -> [Bool] {
        guard let json = try json("layer_types") else { return plan.layers.indices.map(isSliding) }
        var areSliding: [Bool] = []
        for type in json.array ?? [] {
            switch type.string {
            case "full_attention": areSliding.append(false)
            case "sliding_attention": areSliding.append(true)
            case let other:
                throw problem("layer_types", "the type \((other ?? type.kind).quoted) is not supported")
            }
        }
        guard areSliding.count == plan.layerCount else {
            throw problem("layer_types", "has \(areSliding.count) entries for \(plan.layerCount) layers")
        }
        return areSliding
    }
}
