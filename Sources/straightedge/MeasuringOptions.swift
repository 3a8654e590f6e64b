import ArgumentParser
import Compute
import Linearity
import Transformers

/// What to measure of a model, and how.
struct MeasuringOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "First tokens of each sequence that the second view leaves out; 0 for one view only.", valueName: "k"))
    var skipTokens = 1

    @Option(help: ArgumentHelp("Folds of the held-out scores; 1 for none.", valueName: "k"))
    var folds = 5

    @Option(
        help: ArgumentHelp("Layers to measure, half-open: 0:12 is the first twelve.", valueName: "range"),
        transform: { try LayerRange($0) })
    var layers: LayerRange?

    @Option(
        help: ArgumentHelp(
            "Steps of each layer to measure, comma-separated: layer, attention, mlp.", valueName: "sites"))
    var site = StepSites(sites: [.layer])

    @Flag(inversion: .prefixedNo, help: "Measure the error of every token.")
    var tokenErrors = true

    @Option(
        help: ArgumentHelp(
            "Seconds of work on the stream that an interruption may cost; 0 keeps it after every layer.",
            valueName: "seconds"))
    var saveInterval = 60.0

    func validate() throws {
        if skipTokens < 0 { throw ValidationError("--skip-tokens must not be negative.") }
        try Limits.check(folds: folds)
        if !(saveInterval >= 0) { throw ValidationError("--save-interval must not be negative.") }
    }

    /// The settings of an analysis, but for the compute type, which may follow the model.
    func settings(memory: ByteCount?) -> Analysis.Settings {
        var settings = Analysis.Settings()
        settings.foldCount = folds
        settings.skippedTokenCount = skipTokens
        settings.layers = layers?.range
        settings.sites = site.sites
        settings.measuresTokenErrors = tokenErrors
        settings.memoryByteCount = memory?.value
        return settings
    }

    /// The settings of an analysis of this model on this device.
    func settings(
        computing options: DeviceOptions, _ model: DecoderModel, _ device: Device
    ) -> Analysis.Settings {
        var settings = settings(memory: options.memory)
        settings.computeType = options.computeType(of: model, on: device)
        return settings
    }
}
