public import ArgumentParser
import LinearAlgebra
public import Pruning

extension PruningMode: ExpressibleByArgument {}
extension Criterion: ExpressibleByArgument {}
extension PruningJob.Format: ExpressibleByArgument {}

/// How what takes the place of layers is fitted, and on which tokens it is judged.
struct CalibrationOptions: ParsableArguments {
    @OptionGroup var maps: MapOptions

    @Option(
        help: ArgumentHelp(
            "Tokens that no map is fitted on, and perplexities are measured on: the last sequences, at most half of all.",
            valueName: "n"))
    var heldOutTokens = 8192

    @Flag(
        help: """
            Give merged projections a bias where the architecture has a setting for it (LLaMA's mlp_bias), with zeros \
            elsewhere.
            """)
    var addBias = false

    func validate() throws {
        if !(1...Limits.tokenCount).contains(heldOutTokens) {
            throw ValidationError("--held-out-tokens is a number from 1 to \(Limits.tokenCount).")
        }
    }

    var settings: FitSettings {
        var settings = FitSettings()
        settings.kind = maps.fit ?? .leastSquares
        // Alpha is chosen on folds.
        settings.mergedKind = maps.fit ?? (maps.folds > 1 ? .ridge(alpha: nil) : .leastSquares)
        settings.skippedTokenCount = maps.skipTokens
        settings.foldCount = maps.folds
        settings.addsBiases = addBias
        return settings
    }
}
