/// Which step of the residual stream is measured.
public enum StepSite: String, Sendable, Hashable, CaseIterable {
    /// The whole layer's.
    case layer
    /// The attention sublayer's own.
    case attention
    /// The MLP's own.
    case feedForward = "mlp"
    /// From the stream entering the last layer to the output of the final norm.
    case finalNorm = "final_norm"
}

/// What was measured of one step in one view.
public struct StepResult: Sendable, Hashable {
    public let layer: Int
    public let site: StepSite
    public let figures: LayerFigures
    /// nil where they were not asked for, or the view has no map.
    public let tokenErrors: TokenErrorFigures?

    public init(layer: Int, site: StepSite, figures: LayerFigures, tokenErrors: TokenErrorFigures?) {
        self.layer = layer
        self.site = site
        self.figures = figures
        self.tokenErrors = tokenErrors
    }
}

/// Everything that was measured of one layer: for each step, and then for each view, what there is to say.
public struct LayerResult: Sendable {
    public let layer: Int
    public var steps: [MeasuredStep]

    /// One step in all views.
    public struct MeasuredStep: Sendable {
        public let site: StepSite
        public let views: [LayerMeasurement.Result]

        public init(site: StepSite, views: [LayerMeasurement.Result]) {
            self.site = site
            self.views = views
        }
    }

    public init(layer: Int, steps: [MeasuredStep]) {
        self.layer = layer
        self.steps = steps
    }
}
