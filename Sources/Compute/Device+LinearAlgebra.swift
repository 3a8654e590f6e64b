public import Tensors

/// Dense linear algebra in float64. Column-major routines see row-major matrices as their transposes; that is met
/// behind the backend, and nowhere else.
extension Device {
    /// y += scale · x, element by element; both float64 and contiguous, of the same shape.
    public func addScaled(_ x: Tensor, scale: Double = 1, to y: Tensor) throws(ComputeError) {
        try check(x, "x", .float64, in: "addScaled")
        try check(y, "y", .float64, in: "addScaled")
        try check(y, "y", rows: x.rows, columns: x.columns, in: "addScaled")
        try checkContiguous(x, "x", in: "addScaled")
        try checkContiguous(y, "y", in: "addScaled")
        try backend.addScaled(x, scale: scale, to: y)
    }

    /// a += scale · x·yᵀ.
    ///
    /// - Parameters:
    ///   - x: (m).
    ///   - y: (n).
    ///   - a: (m, n).
    public func addOuterProduct(_ x: Tensor, _ y: Tensor, scale: Double, to a: Tensor) throws(ComputeError) {
        try check(a, "a", .float64, in: "addOuterProduct")
        for (tensor, operand, count) in [(x, "x", a.rows), (y, "y", a.columns)] {
            try check(tensor, operand, .float64, in: "addOuterProduct")
            try check(tensor, operand, rows: 1, columns: count, in: "addOuterProduct")
        }
        try backend.addOuterProduct(x, y, scale: scale, to: a)
    }

    /// a[i, j] ← rows[i] · a[i, j] · columns[j].
    ///
    /// - Parameters:
    ///   - a: (m, n).
    ///   - rows: (m), or nil for ones.
    ///   - columns: (n), or nil for ones.
    public func scale(_ a: Tensor, rows: Tensor?, columns: Tensor?) throws(ComputeError) {
        try check(a, "a", .float64, in: "scale")
        for (tensor, operand, count) in [(rows, "rows", a.rows), (columns, "columns", a.columns)] {
            guard let tensor else { continue }
            try check(tensor, operand, .float64, in: "scale")
            try check(tensor, operand, rows: 1, columns: count, in: "scale")
        }
        try backend.scale(a, rows: rows, columns: columns)
    }

    /// The elements a[i, i] of a square matrix.
    public func diagonal(of a: Tensor) throws(ComputeError) -> [Double] {
        try checkSquare(a, "a", in: "diagonal")
        return try backend.diagonal(of: a)
    }

    /// a[i, i] ← value, for a square matrix.
    public func fillDiagonal(of a: Tensor, with value: Double) throws(ComputeError) {
        try checkSquare(a, "a", in: "fillDiagonal")
        try backend.fillDiagonal(of: a, with: value)
    }

    /// Copies the upper triangle of a square matrix into its lower one.
    public func mirrorUpperTriangle(_ a: Tensor) throws(ComputeError) {
        try checkSquare(a, "a", in: "mirrorUpperTriangle")
        try backend.mirrorUpperTriangle(a)
    }

    /// The Frobenius inner product Σ aᵢⱼ · bᵢⱼ of two contiguous tensors of the same shape.
    public func innerProduct(_ a: Tensor, _ b: Tensor) throws(ComputeError) -> Double {
        for (tensor, operand) in [(a, "a"), (b, "b")] {
            try check(tensor, operand, .float64, in: "innerProduct")
            try check(tensor, operand, rows: a.rows, columns: a.columns, in: "innerProduct")
            try checkContiguous(tensor, operand, in: "innerProduct")
        }
        return try backend.innerProduct(a, b)
    }

    /// Factors a symmetric positive definite matrix a = L·Lᵀ in place.
    ///
    /// - Parameter a: (n, n) float64; its lower triangle is read and becomes L. The upper triangle is left as it was.
    /// - Returns: 0, or the order (from 1) of the first leading minor that is not positive definite.
    public func choleskyFactor(_ a: Tensor) throws(ComputeError) -> Int {
        try checkSquare(a, "a", in: "choleskyFactor")
        return try backend.choleskyFactor(a)
    }

    /// result = aᵀ, both float64.
    ///
    /// - Parameters:
    ///   - a: (m, n).
    ///   - result: (n, m), another tensor.
    public func transpose(_ a: Tensor, into result: Tensor) throws(ComputeError) {
        try check(a, "a", .float64, in: "transpose")
        try check(result, "result", .float64, in: "transpose")
        try check(result, "result", rows: a.columns, columns: a.rows, in: "transpose")
        try backend.transpose(a, into: result)
    }

    /// Takes more rows into a triangular factor: L becomes L' with L'·L'ᵀ = L·Lᵀ + rowsᵀ·rows.
    ///
    /// L'ᵀ is the factor R of a QR factorization of Lᵀ with the rows beneath it. No product of rows is formed, so that
    /// singular values come out right down to about ε of the largest, where those of rowsᵀ·rows end at √ε (Demmel,
    /// Grigori, Hoemmen and Langou 2012). The diagonal may be negative.
    ///
    /// - Parameters:
    ///   - factor: L, (n, n) float64; the lower triangle is read and written, the upper one left as it was.
    ///   - rows: (m, n) float64; overwritten.
    ///   - transposesRows: Whether `rows` is (n, m), and its columns are the rows.
    public func updateTriangularFactor(
        _ factor: Tensor, with rows: Tensor, transposesRows: Bool = false
    ) throws(ComputeError) {
        let operation = "updateTriangularFactor"
        try checkSquare(factor, "factor", in: operation)
        try check(rows, "rows", .float64, in: operation)
        try check(
            rows, "rows", rows: transposesRows ? factor.rows : nil, columns: transposesRows ? nil : factor.rows,
            in: operation)
        if factor.rows == 0 || rows.shape.count == 0 { return }
        try backend.updateTriangularFactor(factor, with: rows, transposesRows: transposesRows)
    }

    /// b ← L⁻¹·b, or L⁻ᵀ·b where `transposes`.
    ///
    /// - Parameters:
    ///   - factor: L, (n, n), from `choleskyFactor`.
    ///   - b: (n, m).
    public func solveTriangular(_ factor: Tensor, transposes: Bool, _ b: Tensor) throws(ComputeError) {
        try checkSquare(factor, "factor", in: "solveTriangular")
        try check(b, "b", .float64, in: "solveTriangular")
        try check(b, "b", rows: factor.rows, in: "solveTriangular")
        try backend.solveTriangular(factor, transposes: transposes, b)
    }

    /// Eigenvalues of a symmetric matrix, ascending.
    ///
    /// - Parameter a: (n, n), of which the upper triangle is read; on return its row i is eigenvector i.
    /// - Throws: `ComputeError.routine` where the iteration does not converge.
    public func symmetricEigen(_ a: Tensor) throws(ComputeError) -> [Double] {
        try checkSquare(a, "a", in: "symmetricEigen")
        return try backend.symmetricEigen(a)
    }

    /// Singular values, descending.
    ///
    /// - Parameter a: (m, n); overwritten.
    /// - Throws: `ComputeError.routine` where the iteration does not converge.
    public func singularValues(_ a: Tensor) throws(ComputeError) -> [Double] {
        try check(a, "a", .float64, in: "singularValues")
        return try backend.singularValues(a)
    }

    /// The singular value decomposition a = left·diag(values)·right.
    ///
    /// - Parameter a: (m, n); overwritten.
    /// - Returns: With k = min(m, n), left (m, k) of orthonormal columns, k values, descending, and right (k, n) of
    ///   orthonormal rows.
    /// - Throws: `ComputeError.routine` where the iteration does not converge.
    public func singularDecomposition(
        _ a: Tensor
    ) throws(ComputeError) -> (left: Tensor, values: [Double], right: Tensor) {
        try check(a, "a", .float64, in: "singularDecomposition")
        let count = min(a.rows, a.columns)
        let left = try makeTensor([a.rows, count], .float64, for: "left singular vectors")
        let right = try makeTensor([count, a.columns], .float64, for: "right singular vectors")
        return (left, try backend.singularDecomposition(a, left: left, right: right), right)
    }

    /// y = a·x with a symmetric matrix.
    ///
    /// - Parameters:
    ///   - a: (n, n), of which the upper triangle is read.
    ///   - x: (n); `y` likewise, another tensor.
    public func symmetricProduct(_ a: Tensor, _ x: Tensor, into y: Tensor) throws(ComputeError) {
        try checkSquare(a, "a", in: "symmetricProduct")
        for (tensor, operand) in [(x, "x"), (y, "y")] {
            try check(tensor, operand, .float64, in: "symmetricProduct")
            try check(tensor, operand, rows: 1, columns: a.rows, in: "symmetricProduct")
        }
        try backend.symmetricProduct(a, x, into: y)
    }

    private func checkSquare(_ a: Tensor, _ operand: String, in operation: String) throws(ComputeError) {
        try check(a, operand, .float64, in: operation)
        try check(a, operand, rows: a.columns, in: operation)
    }
}
