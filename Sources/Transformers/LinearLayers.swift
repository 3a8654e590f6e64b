import Checkpoints

/// What a config.json written by Straightedge says of layers that are linear maps:
/// `"straightedge": {"linear": {"5": ["layer"], "8": ["attention"]}}`.
enum LinearLayers {
    static let key = "straightedge"

    /// The sites of maps in each layer that has some; marks the setting as read.
    static func read(_ settings: Settings) throws(TransformerError) -> [Int: Set<Site>] {
        guard let json = try settings.json(key) else { return [:] }
        guard let members = json.object, members.keys == ["linear"], let linear = json["linear"]?.object else {
            throw settings.problem(key, "is not {\"linear\": {…}}; a later version may have written it")
        }
        var layers: [Int: Set<Site>] = [:]
        for member in linear.members {
            let (name, value) = (member.key, member.value)
            let sites = (value.array ?? []).map { $0.string.flatMap(Site.init(rawValue:)) }
            guard let index = Int(name), index >= 0, "\(index)" == name, !sites.isEmpty, !sites.contains(nil) else {
                let known = Site.allCases.map(\.rawValue).joined(separator: ", ")
                throw settings.problem(
                    key, "layer \(name.quoted) is not the number of a layer with a list of \(known)")
            }
            layers[index] = Set(sites.compactMap(\.self))
        }
        return layers
    }

    /// Puts maps in their places.
    static func put(
        _ layers: [Int: Set<Site>], into architecture: inout Architecture, _ settings: Settings
    ) throws(TransformerError) {
        for (index, sites) in layers {
            guard architecture.plan.layers.indices.contains(index) else {
                throw settings.problem(
                    key, "names layer \(index) of \(architecture.plan.layerCount), which are counted from 0")
            }
            architecture.plan.layers[index].linearSites = sites
            let prefix = architecture.sources.layers[index].prefix(index)
            for site in sites {
                architecture.sources.layers[index].maps[site] = ProjectionSource(
                    TensorName.linearMap(site, layerPrefix: prefix), architecture.plan.width)
            }
        }
    }
}
