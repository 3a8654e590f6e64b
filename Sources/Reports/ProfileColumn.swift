import Linearity

/// The figures of a row by their names in profile.json and layers.csv, in order.
struct ProfileColumn: Sendable {
    let name: String
    private typealias Path = any (WritableKeyPath<LayerFigures, Figure> & Sendable)
    private let path: Path

    private init(_ name: String, _ path: Path) {
        self.name = name
        self.path = path
    }

    func figure(_ figures: LayerFigures) -> Figure { figures[keyPath: path] }

    /// The figure as a field of a CSV; empty where there is none.
    func text(_ figures: LayerFigures) -> String {
        figure(figures).value.map { name == "rank" ? String(Int($0)) : String($0) } ?? ""
    }

    func set(_ figure: Figure, in figures: inout LayerFigures) { figures[keyPath: path] = figure }

    static let all: [ProfileColumn] = [
        ProfileColumn("linearity", \.linearity),
        ProfileColumn("linearity_without_residual", \.linearityWithoutResidual),
        ProfileColumn("linearity_heldout", \.linearityHeldOut),
        ProfileColumn("linearity_heldout_standard_error", \.linearityHeldOutStandardError),
        ProfileColumn("linearity_without_residual_heldout", \.linearityWithoutResidualHeldOut),
        ProfileColumn(
            "linearity_without_residual_heldout_standard_error", \.linearityWithoutResidualHeldOutStandardError),
        ProfileColumn("linearity_adjusted", \.linearityAdjusted),
        ProfileColumn("linearity_without_residual_adjusted", \.linearityWithoutResidualAdjusted),
        ProfileColumn("chance_floor", \.chanceFloor),
        ProfileColumn("linearity_if_contribution_unrelated", \.linearityIfContributionUnrelated),
        ProfileColumn("rank", \.rank),
        ProfileColumn("rank_cutoff", \.rankCutoff),
        ProfileColumn("condition_number", \.conditionNumber),
        ProfileColumn("orthogonal_procrustes", \.orthogonalProcrustes),
        ProfileColumn("contribution_mean", \.contribution.mean),
        ProfileColumn("contribution_to_output_mean", \.contributionToOutput.mean),
        ProfileColumn("cosine_mean", \.cosine.mean),
        ProfileColumn("angular_distance_mean", \.angularDistance.mean),
        ProfileColumn("anisotropy", \.anisotropy),
        ProfileColumn("stream_norm_mean", \.streamNormMean),
    ]
}
