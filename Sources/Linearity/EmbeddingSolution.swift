import LinearAlgebra

/// What a method finds of two matrices.
struct EmbeddingSolution {
    var solution: ViewSolution
    var correlation: MatrixCorrelation?
    var map: EmbeddingMap?
    var warnings: [String] = []
    /// Of the products of rows.
    var precision: MomentPrecision

    func figures(_ survey: EmbeddingSurvey) -> LayerFigures {
        var figures = solution.figures(survey.statistics, precision: precision)
        figures.streamNormMean = Figure(survey.normMean, otherwise: "the norms of X's rows are not finite")
        return figures
    }

    var linearCKA: Figure { Figure(correlation?.linearCKA, otherwise: "X or Y has no variance") }

    var modifiedRV: Figure {
        Figure(
            correlation?.modifiedRV,
            otherwise: linearCKA.reason ?? "the centred rows of X or of Y are orthogonal to each other")
    }
}

extension EmbeddingRows {
    /// Why there is no contribution Y - X; nil where there is.
    var contributionReason: String? {
        hasEqualWidths ? nil : "X has \(x.columnCount) columns and Y \(y.columnCount): it needs equal widths"
    }
}
