import CKernels
package import Tensors

extension CUDABackend {
    package func gatherPanels(
        _ pair: StreamPair, rows: [Int32], shifts: PanelShifts, into panels: Panels
    ) throws(ComputeError) {
        let stream = ck_stream_pair(
            x: pair.x.kernels, y: pair.y.kernels, shift_x: shifts.x.kernels, shift_target: shifts.target.kernels,
            is_contribution: pair.target == .contribution ? 1 : 0)
        try unsafe call("gather_panels") { api, context in
            unsafe api.gather_panels(context, stream, rows, Int64(rows.count), panels.kernels)
        }
    }

    package func addCrossProducts(
        _ panels: Panels, rowCount: Int, gram: Tensor, cross: Tensor, targetGram: Tensor?
    ) throws(ComputeError) {
        try unsafe call("add_cross_products") { api, context in
            unsafe api.add_cross_products(
                context, panels.kernels, Int64(rowCount), gram.kernels, cross.kernels, targetGram?.kernels ?? .none)
        }
    }

    package func rowStatistics(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("row_statistics") { api, context in
            unsafe api.row_statistics(context, x.kernels, y.kernels, result.kernels)
        }
    }

    package func rowProducts(_ x: Tensor, _ y: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("row_products") { api, context in
            unsafe api.row_products(context, x.kernels, y.kernels, result.kernels)
        }
    }

    package func squaredDistances(_ x: Tensor, from center: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("squared_distances") { api, context in
            unsafe api.squared_distances(context, x.kernels, center.kernels, result.kernels)
        }
    }

    package func predictionErrors(
        _ prediction: Tensor, bias: Tensor, target: Tensor, x: Tensor, inputWeights: Tensor, outputWeights: Tensor,
        into result: Tensor
    ) throws(ComputeError) {
        try unsafe call("prediction_errors") { api, context in
            unsafe api.prediction_errors(
                context, prediction.kernels, bias.kernels, target.kernels, x.kernels, inputWeights.kernels,
                outputWeights.kernels, result.kernels)
        }
    }
}

extension Panels {
    fileprivate var kernels: ck_panels { ck_panels(x: x.kernels, target: target.kernels, sums: sums.kernels) }
}
