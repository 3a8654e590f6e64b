import ArgumentParser
import Compute
import LinearAlgebra
import Pruning
import Transformers

/// Which maps to fit, and how.
struct FittingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Layers, as half-open ranges: 8:12,20 is layers 8, 9, 10, 11 and 20 (default: all).", valueName: "ranges"),
        transform: { try LayerSelection($0) })
    var layers: LayerSelection?

    @Option(help: ArgumentHelp("Layers that one map stands for together.", valueName: "n"))
    var block = 1

    @Option(
        help: ArgumentHelp(
            "What the maps stand for, comma-separated: layer, attention, mlp.", valueName: "sites"))
    var site = StepSites(sites: [.layer])

    @OptionGroup var maps: MapOptions

    func validate() throws {
        if block < 1 { throw ValidationError("--block must be at least 1.") }
        if block > 1, site.sites != [.layer] {
            throw ValidationError("--block is for whole layers: leave out --site \(site.defaultValueDescription).")
        }
    }

    /// What is to be fitted of this model on this device.
    ///
    /// - Throws: `LayerSelectionError` where layers are not the model's, or no whole number of blocks.
    func settings(
        computing options: DeviceOptions, _ model: DecoderModel, _ device: Device
    ) throws -> LayerFitting.Settings {
        let selection = layers ?? LayerSelection([0..<model.plan.layerCount])
        try selection.check(layerCount: model.plan.layerCount)
        var settings = LayerFitting.Settings(blocks: try selection.blocks(of: block))
        settings.kind = maps.fit ?? .leastSquares
        settings.sites = site.sites.compactMap { Site(rawValue: $0.rawValue) }
        settings.foldCount = maps.folds
        settings.skippedTokenCount = maps.skipTokens
        settings.computeType = options.computeType(of: model, on: device)
        settings.memoryByteCount = options.memory?.value
        return settings
    }
}
