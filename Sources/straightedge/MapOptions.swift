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
    var folds = MapOptions.defaultFoldCount

    private static let defaultFoldCount = 5

    /// Whether anything but the default is asked for.
    var areGiven: Bool { fit != nil || skipTokens != 0 || folds != MapOptions.defaultFoldCount }

    func validate() throws {
        if skipTokens < 0 { throw ValidationError("--skip-tokens must not be negative.") }
        try Limits.check(folds: folds)
        if folds == 1, let fit, fit.isOpen {
            throw ValidationError(
                "--fit \(fit) is chosen by held-out errors: give --folds 2 or more, or say how much, as in "
                    + "\(fit == .lowRank(nil) ? "low-rank:64" : "ridge:1000").")
        }
    }
}
