import ArgumentParser
import LinearAlgebra

/// How linear maps are fitted.
struct MapOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Kind of map: \(MapKind.spellings.joined(separator: ", ")) (default: least-squares; for merged projections ridge).",
            valueName: "kind"),
        transform: { try MapKind($0) })
    var fit: MapKind?

    @Option(help: ArgumentHelp("First tokens of each sequence to leave out of the fit.", valueName: "k"))
    var skipTokens = 0

    @Option(
        help: ArgumentHelp(
            "Folds of the held-out scores, on which alpha or K is chosen; 1 for none.", valueName: "k"))
    var folds = 5

    func validate() throws {
        if skipTokens < 0 { throw ValidationError("--skip-tokens must not be negative.") }
        if folds < 1 { throw ValidationError("--folds must be at least 1.") }
    }
}
