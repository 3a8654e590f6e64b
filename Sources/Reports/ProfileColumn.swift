import Linearity

/// The figures of a row by their names in profile.json and layers.csv, in order.
struct ProfileColumn: Sendable {
    let name: String
    let figure: @Sendable (LayerFigures) -> Figure

    static let all: [ProfileColumn] = [
        ProfileColumn(name: "linearity") { $0.linearity },
        ProfileColumn(name: "linearity_without_residual") { $0.linearityWithoutResidual },
        ProfileColumn(name: "linearity_heldout") { $0.linearityHeldOut },
        ProfileColumn(name: "linearity_heldout_standard_error") { $0.linearityHeldOutStandardError },
        ProfileColumn(name: "linearity_without_residual_heldout") { $0.linearityWithoutResidualHeldOut },
        ProfileColumn(name: "linearity_without_residual_heldout_standard_error") {
            $0.linearityWithoutResidualHeldOutStandardError
        },
        ProfileColumn(name: "linearity_adjusted") { $0.linearityAdjusted },
        ProfileColumn(name: "linearity_without_residual_adjusted") { $0.linearityWithoutResidualAdjusted },
        ProfileColumn(name: "chance_floor") { $0.chanceFloor },
        ProfileColumn(name: "linearity_if_contribution_unrelated") { $0.linearityIfContributionUnrelated },
        ProfileColumn(name: "rank") { $0.rank },
        ProfileColumn(name: "rank_cutoff") { $0.rankCutoff },
        ProfileColumn(name: "condition_number") { $0.conditionNumber },
        ProfileColumn(name: "orthogonal_procrustes") { $0.orthogonalProcrustes },
        ProfileColumn(name: "contribution_mean") { $0.contribution.mean },
        ProfileColumn(name: "contribution_to_output_mean") { $0.contributionToOutput.mean },
        ProfileColumn(name: "cosine_mean") { $0.cosine.mean },
        ProfileColumn(name: "angular_distance_mean") { $0.angularDistance.mean },
        ProfileColumn(name: "anisotropy") { $0.anisotropy },
        ProfileColumn(name: "stream_norm_mean") { $0.streamNormMean },
    ]
}
