public import Tensors

/// The operations that turn rows of the residual stream into sufficient statistics.
extension Device {
    /// Gathers the rows of x and of the target into panels, each minus its shift, and adds to the panels' sums the
    /// column sums of both and of the target's squares.
    ///
    /// The target is y - x or y (`pair.target`). In float64 panels every difference is exact; in float32 panels each
    /// shifted value is rounded once, in the end.
    ///
    /// - Parameters:
    ///   - pair: x and y, (tokens, width) float32.
    ///   - rows: Which tokens; at most the panels' capacity.
    ///   - shifts: (width) float32 each.
    ///   - panels: (capacity, width) float32 or float64, and (3, width) float64 sums.
    public func gatherPanels(
        _ pair: StreamPair, rows: [Int32], shifts: PanelShifts, into panels: Panels
    ) throws(ComputeError) {
        let operation = "gatherPanels"
        for (tensor, operand) in [(pair.x, "x"), (pair.y, "y")] {
            try check(tensor, operand, .float32, in: operation)
            try check(tensor, operand, rows: pair.x.rows, columns: pair.x.columns, in: operation)
        }
        for (tensor, operand) in [(shifts.x, "shift of x"), (shifts.target, "shift of the target")] {
            try check(tensor, operand, .float32, in: operation)
            try check(tensor, operand, rows: 1, columns: pair.x.columns, in: operation)
        }
        try checkPanels(panels, rowCount: rows.count, width: pair.x.columns, in: operation)
        if let row = rows.first(where: { $0 < 0 || Int($0) >= pair.x.rows }) {
            throw .index(operation: operation, index: Int(row), count: pair.x.rows)
        }
        if rows.isEmpty { return }
        backend.gatherPanels(pair, rows: rows, shifts: shifts, into: panels)
    }

    /// gram += xᵀx and cross += xᵀt over the first `rowCount` rows of the panels.
    ///
    /// The sums are float64. Float32 panels are multiplied in float32 over blocks of at most
    /// `crossProductBlockRowCount` rows, and each block's product is added in float64; float64 panels are multiplied in
    /// float64. The order of additions does not depend on the number of lanes.
    ///
    /// - Parameters:
    ///   - gram: (width, width) float64; the upper triangle is written.
    ///   - cross: (width, width) float64; row i belongs to column i of x.
    public func addCrossProducts(
        _ panels: Panels, rowCount: Int, gram: Tensor, cross: Tensor
    ) throws(ComputeError) {
        let width = panels.x.columns
        try checkPanels(panels, rowCount: rowCount, width: width, in: "addCrossProducts")
        for (tensor, operand) in [(gram, "gram"), (cross, "cross")] {
            try check(tensor, operand, .float64, in: "addCrossProducts")
            try check(tensor, operand, rows: width, columns: width, in: "addCrossProducts")
        }
        if rowCount == 0 { return }
        backend.addCrossProducts(panels, rowCount: rowCount, gram: gram, cross: cross)
    }

    /// Rows whose float32 product is formed before it is added in float64.
    public static let crossProductBlockRowCount = 512

    /// Per token: result[i] = (‖x‖, ‖y‖, ‖y - x‖, x·y), computed in float64.
    ///
    /// - Parameters:
    ///   - x: (tokens, width) float32; `y` likewise.
    ///   - result: (tokens, 4) float64.
    public func rowStatistics(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError) {
        try check(x, "x", .float32, in: "rowStatistics")
        try check(y, "y", .float32, in: "rowStatistics")
        try check(y, "y", rows: x.rows, columns: x.columns, in: "rowStatistics")
        try check(result, "result", .float64, in: "rowStatistics")
        try check(result, "result", rows: x.rows, columns: 4, in: "rowStatistics")
        backend.rowStatistics(x, y, into: result)
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
        guard prediction.elementType == .float32 || prediction.elementType == .float64 else {
            throw .elementType(
                operation: operation, operand: "prediction", expected: "F32 or F64", got: prediction.elementType)
        }
        try check(prediction, "prediction", nil, in: operation)
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
        backend.predictionErrors(
            prediction, bias: bias, target: target, x: x, inputWeights: inputWeights, outputWeights: outputWeights,
            into: result)
    }

    private func checkPanels(_ panels: Panels, rowCount: Int, width: Int, in operation: String) throws(ComputeError) {
        guard panels.x.elementType == .float32 || panels.x.elementType == .float64 else {
            throw .elementType(
                operation: operation, operand: "panel of x", expected: "F32 or F64", got: panels.x.elementType)
        }
        guard rowCount >= 0 else { throw .index(operation: operation, index: rowCount, count: panels.x.rows + 1) }
        for (tensor, operand) in [(panels.x, "panel of x"), (panels.target, "panel of the target")] {
            try check(tensor, operand, panels.x.elementType, in: operation)
            try check(tensor, operand, rows: panels.x.rows, columns: width, in: operation)
            guard rowCount <= tensor.rows else {
                throw .shape(
                    operation: operation, operand: operand, expected: "at least \(rowCount) rows", got: tensor.shape)
            }
        }
        try check(panels.sums, "sums", .float64, in: operation)
        try check(panels.sums, "sums", rows: 3, columns: width, in: operation)
    }
}
