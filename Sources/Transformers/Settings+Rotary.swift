import Checkpoints
import Compute
import Glibc

/// What a family's rotary embedding is where its settings are silent.
struct RotaryDefaults {
    var base = 10000.0
    /// The share of a head that is turned.
    var fraction = 1.0
    var layout = RotaryLayout.halves
    /// Names that the family has for the base and the share.
    var baseNames = ["rope_theta"]
    var fractionNames = ["partial_rotary_factor"]
    /// Other names of kinds of scaling.
    var aliases = ["su": "longrope"]
    /// Names of `RotaryEmbedding.Scaling`, as `rope_type` gives them, that the family has.
    var scalings: Set<String> = ["linear", "dynamic", "llama3", "yarn", "longrope"]
}

extension Settings {
    /// The rotary embedding of heads of this width: `rope_theta` and `rope_scaling`, or `rope_parameters` as transformers
    /// 5 writes them.
    ///
    /// - Parameter positions: The model's `max_position_embeddings`.
    func rotary(
        headWidth: Int, positions: Int, _ defaults: RotaryDefaults = RotaryDefaults()
    ) throws(TransformerError) -> RotaryEmbedding {
        let parameters = try RotaryParameters(self, try json("rope_parameters"), try json("rope_scaling"))
        let base = try parameters.outer("rope_theta", try json(defaults.baseNames)) ?? defaults.base
        let fraction =
            try parameters.outer("partial_rotary_factor", try json(defaults.fractionNames)) ?? defaults.fraction
        guard base >= 1, base <= Double(Float.greatestFiniteMagnitude) else {
            throw problem(
                defaults.baseNames[0], "is \(base); expected a base from 1 to \(Float.greatestFiniteMagnitude)")
        }
        guard fraction > 0, fraction <= 1 else {
            throw problem(defaults.fractionNames[0], "is \(fraction), not a share of a head")
        }
        let width = Int(Double(headWidth) * fraction)
        guard width >= 2, width.isMultiple(of: 2) else {
            throw problem("rotary width", "\(width) of a head's \(headWidth) elements cannot be turned in pairs")
        }
        var rotary = RotaryEmbedding(width: width, base: base, layout: defaults.layout)
        rotary.scaling = try parameters.scaling(
            rotary, positions: positions, defaults, original: try countIfPresent("original_max_position_embeddings"))
        try parameters.refuseUnread()
        return rotary
    }

    /// Several rotary embeddings, one for each type of layer, in `rope_parameters`; nil where it has none.
    func nestedRotary(
        _ layerType: String, headWidth: Int, positions: Int, _ defaults: RotaryDefaults
    ) throws(TransformerError) -> RotaryEmbedding? {
        guard let nested = try json("rope_parameters")?[layerType] else { return nil }
        let settings = Settings(
            path: path, config: .object(JSONObject([("rope_parameters", nested)])), tensorCount: 0)
        return try settings.rotary(headWidth: headWidth, positions: positions, defaults)
    }
}

/// The members of `rope_parameters` or `rope_scaling`.
private final class RotaryParameters {
    private let settings: Settings
    private let name: String
    private let object: JSONObject
    private var read: Set<String> = ["rope_type", "type"]

    init(_ settings: Settings, _ parameters: JSON?, _ scaling: JSON?) throws(TransformerError) {
        self.settings = settings
        if parameters != nil, scaling != nil, parameters != scaling {
            throw settings.problem("rope_scaling", "contradicts rope_parameters")
        }
        name = parameters == nil ? "rope_scaling" : "rope_parameters"
        guard let json = parameters ?? scaling else {
            object = JSONObject([])
            return
        }
        guard let object = json.object else { throw settings.problem(name, "is not an object") }
        self.object = object
    }

    /// A number that stands among the parameters or, in older files, beside them.
    func outer(_ key: String, _ beside: JSON?) throws(TransformerError) -> Double? {
        let inside = try number(key)
        guard let beside else { return inside }
        guard let number = beside.number else { throw settings.problem(key, "is not a number") }
        if let inside, inside != number { throw settings.problem(key, "contradicts \(name).\(key)") }
        return number
    }

    func scaling(
        _ rotary: RotaryEmbedding, positions: Int, _ defaults: RotaryDefaults, original outer: Int?
    ) throws(TransformerError) -> RotaryEmbedding.Scaling {
        let written = try kind()
        let kind = defaults.aliases[written] ?? written
        guard kind == "default" || defaults.scalings.contains(kind) else {
            throw settings.problem(name, "rotary scaling \(kind.quoted) is not supported")
        }
        if kind == "default" { return .none }
        let inner = try number("original_max_position_embeddings").flatMap { Int(exactly: $0) }
        guard let original = Optional(outer ?? inner ?? positions), original > 0 else {
            throw problem("original_max_position_embeddings", "is not a positive number")
        }
        switch kind {
        case "linear": return .linear(factor: try positive("factor"))
        case "dynamic":
            guard rotary.width > 2 else { throw problem("rope_type", "'dynamic' needs heads wider than 2") }
            return .dynamic(factor: try positive("factor"), originalPositions: positions)
        case "llama3":
            let (low, high) = (try positive("low_freq_factor"), try positive("high_freq_factor"))
            guard low < high else { throw problem("low_freq_factor", "is not below high_freq_factor") }
            return .llama3(
                factor: try positive("factor"), lowFactor: low, highFactor: high, originalPositions: original)
        case "yarn": return .yarn(try yarn(positions: positions, original: original))
        default: return try longRope(rotary, positions: positions, original: original)
        }
    }

    private func kind() throws(TransformerError) -> String {
        guard let json = object["rope_type"] ?? object["type"], !json.isNull else { return "default" }
        guard let kind = json.string else { throw problem("rope_type", "is not a string") }
        if let type = object["type"]?.string, let other = object["rope_type"]?.string, type != other {
            throw problem("type", "contradicts rope_type")
        }
        return kind
    }

    private func yarn(positions: Int, original: Int) throws(TransformerError) -> RotaryEmbedding.YaRN {
        let factor = try positiveIfPresent("factor") ?? Double(positions) / Double(original)
        let (scale, scaleOfAll) = (try number("mscale") ?? 0, try number("mscale_all_dim") ?? 0)
        func logarithmic(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
        let inferred =
            scale != 0 && scaleOfAll != 0 ? logarithmic(scale) / logarithmic(scaleOfAll) : logarithmic(1)
        return RotaryEmbedding.YaRN(
            factor: factor, originalPositions: original, fastTurns: try positiveIfPresent("beta_fast") ?? 32,
            slowTurns: try positiveIfPresent("beta_slow") ?? 1,
            attentionFactor: Float(try positiveIfPresent("attention_factor") ?? inferred),
            truncates: try flag("truncate") ?? true)
    }

    private func longRope(
        _ rotary: RotaryEmbedding, positions: Int, original: Int
    ) throws(TransformerError) -> RotaryEmbedding.Scaling {
        let factor = try positiveIfPresent("factor") ?? Double(positions) / Double(original)
        let inferred = factor <= 1 ? 1 : (1 + log(factor) / log(Double(original))).squareRoot()
        return .longRope(
            short: try divisors("short_factor", rotary.width / 2), long: try divisors("long_factor", rotary.width / 2),
            originalPositions: original, attentionFactor: Float(try positiveIfPresent("attention_factor") ?? inferred))
    }

    /// Refuses parameters that the kind of scaling does not have.
    func refuseUnread() throws(TransformerError) {
        // Some files repeat the original positions where no scaling asks for them.
        let harmless: Set = ["original_max_position_embeddings", "rope_theta", "partial_rotary_factor"]
        for key in object.keys where !read.contains(key) && !harmless.contains(key) {
            guard let value = object[key], !value.isNull else { continue }
            throw problem(key, "is not understood, and may change the mathematics")
        }
    }

    // MARK: Values

    private func number(_ key: String) throws(TransformerError) -> Double? {
        read.insert(key)
        guard let json = object[key], !json.isNull else { return nil }
        guard let number = json.number, number.isFinite else { throw problem(key, "is not a number") }
        return number
    }

    private func positiveIfPresent(_ key: String) throws(TransformerError) -> Double? {
        guard let number = try number(key) else { return nil }
        guard Float(number) > 0, Float(number).isFinite else { throw problem(key, "is not a positive number") }
        return number
    }

    private func positive(_ key: String) throws(TransformerError) -> Double {
        guard let number = try positiveIfPresent(key) else { throw problem(key, "is missing") }
        return number
    }

    private func flag(_ key: String) throws(TransformerError) -> Bool? {
        read.insert(key)
        guard let json = object[key], !json.isNull else { return nil }
        guard let flag = json.bool else { throw problem(key, "is neither true nor false") }
        return flag
    }

    private func divisors(_ key: String, _ count: Int) throws(TransformerError) -> [Float] {
        read.insert(key)
        guard let numbers = object[key]?.array?.compactMap(\.number).map({ Float($0) }), numbers.count == count,
            numbers.allSatisfy({ $0 > 0 && $0.isFinite })
        else { throw problem(key, "is not a list of \(count) positive numbers, one for each pair of elements") }
        return numbers
    }

    private func problem(_ key: String, _ text: String) -> TransformerError {
        settings.problem("\(name).\(key)", text)
    }
}
