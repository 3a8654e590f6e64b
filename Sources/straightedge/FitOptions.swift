public import ArgumentParser
import LinearAlgebra
public import Pruning

extension PruningMode: ExpressibleByArgument {}
extension Criterion: ExpressibleByArgument {}
extension PruningJob.Format: ExpressibleByArgument {}

/// How maps are fitted, and on which tokens they are judged.
struct FitOptions: ParsableArguments {
    @Option(
        name: .customLong("fit"),
        help: ArgumentHelp("Kind of the maps: \(MapKind.spellings.joined(separator: ", ")).", valueName: "kind"))
    var kind = "least-squares"

    @Option(help: ArgumentHelp("First tokens of each sequence that fits leave out.", valueName: "k"))
    var skipTokens = 0

    @Option(help: ArgumentHelp("Folds on which alpha or a rank is chosen, and fits are judged.", valueName: "k"))
    var folds = 5

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
        _ = try settings()
        if skipTokens < 0 { throw ValidationError("--skip-tokens must not be negative.") }
        if folds < 1 { throw ValidationError("--folds must be at least 1.") }
        if heldOutTokens < 1 { throw ValidationError("--held-out-tokens must be at least 1.") }
    }

    func settings() throws -> FitSettings {
        var settings = FitSettings()
        do throws(MapError) { settings.kind = try MapKind(kind) } catch { throw ValidationError("\(error)") }
        settings.skippedTokenCount = skipTokens
        settings.foldCount = folds
        settings.addsBiases = addBias
        return settings
    }
}
