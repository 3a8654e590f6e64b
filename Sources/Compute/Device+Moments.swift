public import Tensors

/// The operations that turn rows of the residual stream into sufficient statistics.
extension Device {
    /// Gathers the rows of x and of the target into panels, each minus its shift, and adds to the panels' sums the
    /// column sums of both and of the target's squares.
    ///
    /// The target is y - x or y (`pair.target`). Of float32 rows every difference is exact in float64 panels, and in
    /// float32 panels each shifted value is rounded once, in the end. Float64 rows are gathered into float64 panels.
    ///
    /// - Parameters:
    ///   - pair: x, (tokens, width), and y, (tokens, targetWidth), both float32 or both float64; of one width where the
    ///     target is y - x.
    ///   - rows: Which tokens; at most the panels' capacity.
    ///   - shifts: (width) and (targetWidth), of the rows' element type.
    ///   - panels: (capacity, width) and (capacity, targetWidth), float32 or float64, and sums; see `Panels`.
    public func gatherPanels(
        _ pair: StreamPair, rows: [Int32], shifts: PanelShifts, into panels: Panels
    ) throws(ComputeError) {
        let operation = "gatherPanels"
        try checkFloatingPoint(pair.x, "x", in: operation)
        try check(pair.y, "y", pair.x.elementType, in: operation)
        try check(
            pair.y, "y", rows: pair.x.rows, columns: pair.target == .contribution ? pair.x.columns : nil, in: operation)
        for (tensor, operand, width) in [
            (shifts.x, "shift of x", pair.x.columns), (shifts.target, "shift of the target", pair.y.columns),
        ] {
            try check(tensor, operand, pair.x.elementType, in: operation)
            try check(tensor, operand, rows: 1, columns: width, in: operation)
        }
        if pair.x.elementType == .float64 { try check(panels.x, "panel of x", .float64, in: operation) }
        try checkPanels(
            panels, rowCount: rows.count, width: pair.x.columns, targetWidth: pair.y.columns, in: operation)
        if let row = rows.first(where: { $0 < 0 || Int($0) >= pair.x.rows }) {
            throw .index(operation: operation, index: Int(row), count: pair.x.rows)
        }
        if rows.isEmpty { return }
        try backend.gatherPanels(pair, rows: rows, shifts: shifts, into: panels)
    }

    /// gram += xᵀx, cross += xᵀt and targetGram += tᵀt over the first `rowCount` rows of the panels.
    ///
    /// The sums are float64. Float32 panels are multiplied in float32 over blocks of at most
    /// `crossProductBlockRowCount` rows, and each block's product is added in float64; float64 panels are multiplied in
    /// float64. The order of additions does not depend on the number of lanes.
    ///
    /// - Parameters:
    ///   - gram: (width, width) float64; the upper triangle is written.
    ///   - cross: (width, targetWidth) float64; row i belongs to column i of x.
    ///   - targetGram: (targetWidth, targetWidth) float64, of which the upper triangle is written; nil where it is not
    ///     wanted.
    public func addCrossProducts(
        _ panels: Panels, rowCount: Int, gram: Tensor, cross: Tensor, targetGram: Tensor? = nil
    ) throws(ComputeError) {
        let (width, targetWidth) = (panels.x.columns, panels.target.columns)
        try checkPanels(panels, rowCount: rowCount, width: width, targetWidth: targetWidth, in: "addCrossProducts")
        for (tensor, operand, rows, columns) in [
            (gram, "gram", width, width), (cross, "cross", width, targetWidth),
            (targetGram, "gram of the target", targetWidth, targetWidth),
        ] {
            guard let tensor else { continue }
            try check(tensor, operand, .float64, in: "addCrossProducts")
            try check(tensor, operand, rows: rows, columns: columns, in: "addCrossProducts")
        }
        if rowCount == 0 { return }
        try backend.addCrossProducts(panels, rowCount: rowCount, gram: gram, cross: cross, targetGram: targetGram)
    }

    /// Rows whose float32 product is formed before it is added in float64.
    public static let crossProductBlockRowCount = 512

    /// Per token: result[i] = (‖x‖, ‖y‖, ‖y - x‖, x·y), computed in float64.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32 or float64; `y` likewise.
    ///   - result: (tokens, 4) float64.
    public func rowStatistics(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError) {
        try checkFloatingPoint(x, "x", in: "rowStatistics")
        try check(y, "y", x.elementType, in: "rowStatistics")
        try check(y, "y", rows: x.rows, columns: x.columns, in: "rowStatistics")
        try check(result, "result", .float64, in: "rowStatistics")
        try check(result, "result", rows: x.rows, columns: 4, in: "rowStatistics")
        try backend.rowStatistics(x, y, into: result)
    }

    /// Per row: result[i] = xᵢ·yᵢ, computed in float64.
    ///
    /// - Parameters:
    ///   - x: (rows, width) float32 or float64; `y` likewise.
    ///   - result: (rows) float64.
    public func rowProducts(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError) {
        try checkFloatingPoint(x, "x", in: "rowProducts")
        try check(y, "y", x.elementType, in: "rowProducts")
        try check(y, "y", rows: x.rows, columns: x.columns, in: "rowProducts")
        try check(result, "result", .float64, in: "rowProducts")
        try check(result, "result", rows: 1, columns: x.rows, in: "rowProducts")
        try backend.rowProducts(x, y, into: result)
    }

    /// Per row: result[i] = ‖xᵢ - center‖², computed in float64.
    ///
    /// - Parameters:
    ///   - x: (rows, width) float32 or float64.
    ///   - center: (width) float64.
    ///   - result: (rows) float64.
    public func squaredDistances(_ x: Tensor, from center: Tensor, into result: Tensor) throws(ComputeError) {
        let operation = "squaredDistances"
        try checkFloatingPoint(x, "x", in: operation)
        try check(center, "center", .float64, in: operation)
        try check(center, "center", rows: 1, columns: x.columns, in: operation)
        try check(result, "result", .float64, in: operation)
        try check(result, "result", rows: 1, columns: x.rows, in: operation)
        try backend.squaredDistances(x, from: center, into: result)
    }

    /// Per token, with e = predictionᵢ + bias - targetᵢ: result[i] = (‖e‖, √Σⱼ xᵢⱼ²·inputWeightsⱼ,
    /// √Σⱼ eⱼ²·outputWeightsⱼ), computed in float64.
    ///
    /// With the squared norms of a map's rows and the shares of its columns as weights, the others tell how rounding
    /// errors in prediction = x·map move the first.
    ///
    /// - Parameters:
    ///   - prediction: (tokens, m) float32 or float64.
    ///   - bias: (m) float64; `outputWeights` likewise.
    ///   - target: (tokens, m), of the same element type.
    ///   - x: (tokens, width), of the same element type.
    ///   - inputWeights: (width) float64.
    ///   - result: (tokens, 3) float64.
    public func predictionErrors(
        _ prediction: Tensor, bias: Tensor, target: Tensor, x: Tensor, inputWeights: Tensor, outputWeights: Tensor,
        into result: Tensor
    ) throws(ComputeError) {
        let operation = "predictionErrors"
        try checkFloatingPoint(prediction, "prediction", in: operation)
        for (tensor, operand, columns) in [(target, "target", prediction.columns), (x, "x", x.columns)] {
            try check(tensor, operand, prediction.elementType, in: operation)
            try check(tensor, operand, rows: prediction.rows, columns: columns, in: operation)
        }
        for (tensor, operand, columns) in [
            (bias, "bias", prediction.columns), (inputWeights, "inputWeights", x.columns),
            (outputWeights, "outputWeights", prediction.columns),
        ] {
            try check(tensor, operand, .float64, in: operation)
            try check(tensor, operand, rows: 1, columns: columns, in: operation)
        }
        try check(result, "result", .float64, in: operation)
        try check(result, "result", rows: prediction.rows, columns: 3, in: operation)
        try backend.predictionErrors(
            prediction, bias: bias, target: target, x: x, inputWeights: inputWeights, outputWeights: outputWeights,
            into: result)
    }

    private func checkPanels(
        _ panels: Panels, rowCount: Int, width: Int, targetWidth: Int, in operation: String
    ) throws(ComputeError) {
        try checkFloatingPoint(panels.x, "panel of x", in: operation)
        guard rowCount >= 0 else { throw .index(operation: operation, index: rowCount, count: panels.x.rows + 1) }
        for (tensor, operand, columns) in [
            (panels.x, "panel of x", width), (panels.target, "panel of the target", targetWidth),
        ] {
            try check(tensor, operand, panels.x.elementType, in: operation)
            try check(tensor, operand, rows: panels.x.rows, columns: columns, in: operation)
            guard rowCount <= tensor.rows else {
                throw .shape(
                    operation: operation, operand: operand, expected: "at least \(rowCount) rows", got: tensor.shape)
            }
        }
        try check(panels.sums, "sums", .float64, in: operation)
        try check(panels.sums, "sums", rows: 3, columns: max(width, targetWidth), in: operation)
    }
}
