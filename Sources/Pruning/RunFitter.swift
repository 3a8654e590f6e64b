import Compute
import LinearAlgebra
import Linearity
import Transformers

/// Fits maps as the settings say.
struct RunFitter {
    private let fitter: MapFitter
    private let kind: MapKind
    private let hasIntercept: Bool

    /// - Parameter hasIntercept: Whether maps may have a bias.
    init(
        _ settings: FitSettings, kind: MapKind, device: Device, layout: SequenceLayout, width: Int, stages: Bool,
        hasIntercept: Bool = true
    ) throws(PruningError) {
        self.kind = kind
        self.hasIntercept = hasIntercept
        fitter = try MapFitter(
            device: device, layout: layout, folds: FoldLayout(layout: layout, foldCount: settings.foldCount),
            skippedTokenCount: settings.skippedTokenCount, width: width, stages: stages)
    }

    /// The map of x to y, for these layers.
    func fit(x: Stream, y: Stream, of layers: Range<Int>) throws(PruningError) -> FittedMap {
        let place =
            layers.count == 1 ? "layer \(layers.lowerBound)" : "layers \(layers.lowerBound):\(layers.upperBound)"
        return try fitter.fit(x: x, y: y, kind: kind, hasIntercept: hasIntercept, place: place)
    }
}
