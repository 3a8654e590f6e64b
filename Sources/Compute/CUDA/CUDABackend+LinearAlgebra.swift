import CKernels
package import Tensors

extension CUDABackend {
    package func addOuterProduct(_ x: Tensor, _ y: Tensor, scale: Double, to a: Tensor) throws(ComputeError) {
        try unsafe call("add_outer_product") { api, context in
            unsafe api.add_outer_product(context, x.kernels, y.kernels, scale, a.kernels)
        }
    }

    package func scale(_ a: Tensor, rows: Tensor?, columns: Tensor?) throws(ComputeError) {
        try unsafe call("scale") { api, context in
            unsafe api.scale(context, a.kernels, rows?.kernels ?? .none, columns?.kernels ?? .none)
        }
    }

    package func diagonal(of a: Tensor) throws(ComputeError) -> [Double] {
        var values = [Double](repeating: 0, count: a.rows)
        try unsafe call("diagonal") { api, context in unsafe api.diagonal(context, a.kernels, &values) }
        return values
    }

    package func fillDiagonal(of a: Tensor, with value: Double) throws(ComputeError) {
        try unsafe call("fill_diagonal") { api, context in unsafe api.fill_diagonal(context, a.kernels, value) }
    }

    package func mirrorUpperTriangle(_ a: Tensor) throws(ComputeError) {
        try unsafe call("mirror_upper_triangle") { api, context in unsafe api.mirror_upper_triangle(context, a.kernels)
        }
    }

    package func innerProduct(_ a: Tensor, _ b: Tensor) throws(ComputeError) -> Double {
        var value = 0.0
        try unsafe call("inner_product") { api, context in
            unsafe api.inner_product(context, a.kernels, b.kernels, &value)
        }
        return value
    }

    package func addScaled(_ x: Tensor, scale: Double, to y: Tensor) throws(ComputeError) {
        try unsafe call("add_scaled") { api, context in unsafe api.add_scaled(context, x.kernels, scale, y.kernels) }
    }

    package func choleskyFactor(_ a: Tensor) throws(ComputeError) -> Int {
        var order: Int64 = 0
        try unsafe call("cholesky_factor") { api, context in unsafe api.cholesky_factor(context, a.kernels, &order) }
        return Int(order)
    }

    package func transpose(_ a: Tensor, into result: Tensor) throws(ComputeError) {
        try unsafe call("transpose") { api, context in unsafe api.transpose(context, a.kernels, result.kernels) }
    }

    package func updateTriangularFactor(
        _ factor: Tensor, with rows: Tensor, transposesRows: Bool
    ) throws(ComputeError) {
        try unsafe call("update_triangular_factor") { api, context in
            unsafe api.update_triangular_factor(context, factor.kernels, rows.kernels, transposesRows ? 1 : 0)
        }
    }

    package func solveTriangular(_ factor: Tensor, transposes: Bool, _ b: Tensor) throws(ComputeError) {
        try unsafe call("solve_triangular") { api, context in
            unsafe api.solve_triangular(context, factor.kernels, transposes ? 1 : 0, b.kernels)
        }
    }

    package func symmetricEigen(_ a: Tensor) throws(ComputeError) -> [Double] {
        var values = [Double](repeating: 0, count: a.rows)
        try unsafe call("symmetric_eigen") { api, context in unsafe api.symmetric_eigen(context, a.kernels, &values) }
        return values
    }

    package func singularValues(_ a: Tensor) throws(ComputeError) -> [Double] {
        try decompose(a, left: .none, right: .none)
    }

    package func singularDecomposition(_ a: Tensor, left: Tensor, right: Tensor) throws(ComputeError) -> [Double] {
        try decompose(a, left: left.kernels, right: right.kernels)
    }

    private func decompose(_ a: Tensor, left: ck_tensor, right: ck_tensor) throws(ComputeError) -> [Double] {
        var values = [Double](repeating: 0, count: min(a.rows, a.columns))
        try unsafe call("singular_decomposition") { api, context in
            unsafe api.singular_decomposition(context, a.kernels, left, right, &values)
        }
        return values
    }

    package func symmetricProduct(_ a: Tensor, _ x: Tensor, into y: Tensor) throws(ComputeError) {
        try unsafe call("symmetric_product") { api, context in
            unsafe api.symmetric_product(context, a.kernels, x.kernels, y.kernels)
        }
    }
}
