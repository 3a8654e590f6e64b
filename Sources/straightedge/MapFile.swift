import Checkpoints
import Compute
import LinearAlgebra
import Pruning
import Reports
import Tokenizers
import Transformers

/// The file of `fit`: maps one after another, and what they are in the metadata.
final class MapFile {
    private let writer: SafetensorsWriter
    private let type: MapElementType
    private let common: [(key: String, value: String)]
    private var maps: [JSON] = []

    /// Bytes of the metadata that one map takes at most: some twenty figures, and the trials of alpha or K.
    private static let mapByteCount = 4096

    init(
        path: String, replaces: Bool, type: MapElementType, settings: LayerFitting.Settings, model: DecoderModel,
        corpus: Corpus, device: Device
    ) throws {
        self.type = type
        common = MapFile.describe(settings, model, corpus, device)
        let width = model.plan.width
        let names = settings.blocks.flatMap { block in settings.sites.map { MapFile.name(block, $0) } }
        let commonByteCount = common.reduce(64) { $0 + 6 * ($1.key.utf8.count + $1.value.utf8.count) + 8 }
        writer = try SafetensorsWriter(
            path: path, replaces: replaces,
            tensors: names.flatMap { name in
                [
                    .init(name: "\(name).weight", type: type.rawValue.uppercased(), shape: [width, width]),
                    .init(name: "\(name).bias", type: type.rawValue.uppercased(), shape: [width]),
                ]
            }, metadataByteCount: commonByteCount + names.count * MapFile.mapByteCount)
    }

    /// layers.8 for the map of layer 8 or of a block that begins there, layers.8.mlp for its MLP's.
    private static func name(_ layers: Range<Int>, _ site: Site) -> String {
        "layers.\(layers.lowerBound)" + (site == .layer ? "" : ".\(site.rawValue)")
    }

    /// Appends a map; they come in the order of the blocks and sites of the settings.
    func write(_ map: LayerFitting.PlacedMap) throws {
        switch type {
        case .f32:
            try writer.write(map.fitted.outputMatrix.map { Float($0) })
            try writer.write(map.fitted.bias.map { Float($0) })
        case .f64:
            try writer.write(map.fitted.outputMatrix)
            try writer.write(map.fitted.bias)
        }
        maps.append(MapFile.describe(map))
    }

    func finish() throws {
        let text = JSON.array(maps).serialized(indented: false)
        try writer.finish(metadata: common + [("maps", text)])
    }

    private static func describe(
        _ settings: LayerFitting.Settings, _ model: DecoderModel, _ corpus: Corpus, _ device: Device
    ) -> [(key: String, value: String)] {
        [
            ("format", "pt"), ("schema", "straightedge.maps/1"),
            (
                "convention",
                "y = x · weight + bias for rows x: weight is (inputs, outputs); torch.nn.Linear holds its transpose, "
                    + "linear.weight = weight.T"
            ),
            ("model", model.checkpoint.givenName), ("model_fingerprint", model.checkpoint.fingerprint()),
            ("corpus", corpus.source), ("corpus_protocol", corpus.protocolDescription),
            ("corpus_fingerprint", corpus.fingerprint), ("tokens", "\(corpus.tokenCount)"),
            ("sequences", "\(corpus.sequences.count)"), ("fit", settings.kind.description),
            ("skip_tokens", "\(settings.skippedTokenCount)"), ("folds", "\(settings.foldCount)"),
            ("compute_type", settings.computeType.rawValue), ("device", device.name),
            ("library", device.libraryDescription), ("version", Version.current),
            ("revision", BuildInformation.gitRevision ?? ""),
        ]
    }

    private static func describe(_ map: LayerFitting.PlacedMap) -> JSON {
        let fitted = map.fitted
        func number(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
        var object: JSONObject = [
            "name": .string(name(map.layers, map.site)),
            "layers": [.integer(map.layers.lowerBound), .integer(map.layers.upperBound)],
            "site": .string(map.site.rawValue), "kind": .string(fitted.kind.name),
            "alpha": number(fitted.kind.alpha), "k": fitted.kind.rank.map(JSON.integer) ?? .null,
            "tokens": .integer(fitted.tokenCount), "score": number(fitted.inSample.withResidual),
            "score_without_residual": number(fitted.inSample.withoutResidual),
            "score_heldout": number(fitted.heldOut?.withResidual),
            "score_without_residual_heldout": number(fitted.heldOut?.withoutResidual),
            "rank": fitted.rank.map(JSON.integer) ?? .null, "condition_number": number(fitted.conditionNumber),
            "moments": fitted.precision == .float64 ? "float64" : "float32 blocks",
        ]
        if !fitted.heldOutReason.isEmpty { object["heldout_reason"] = .string(fitted.heldOutReason) }
        if let warning = fitted.warning { object["warning"] = .string(warning) }
        if !fitted.trials.isEmpty {
            object["trials"] = .array(
                fitted.trials.map { trial in
                    [
                        trial.kind.alpha.map(JSON.number) ?? .integer(trial.kind.rank ?? 0),
                        .number(trial.residualSquares),
                    ]
                })
        }
        return .object(object)
    }
}

extension MapKind {
    /// Without its alpha or K.
    var name: String { String(description.prefix { $0 != ":" }) }

    var alpha: Double? { if case .ridge(let alpha) = self { alpha } else { nil } }

    var rank: Int? { if case .lowRank(let rank) = self { rank } else { nil } }
}
