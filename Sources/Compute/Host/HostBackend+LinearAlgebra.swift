import COpenBLAS
package import Tensors

/// LAPACK is column-major: it sees a row-major matrix as its transpose, so the lower triangle here is 'U' there.
extension HostBackend {
    package func addScaled(_ x: Tensor, scale: Double, to y: Tensor) {
        unsafe cblas_daxpy(Int32(x.shape.count), scale, x.doubles, 1, y.doubles, 1)
    }

    package func addOuterProduct(_ x: Tensor, _ y: Tensor, scale: Double, to a: Tensor) {
        unsafe cblas_dger(
            CblasRowMajor, Int32(a.rows), Int32(a.columns), scale, x.doubles, 1, y.doubles, 1, a.doubles,
            Int32(a.leadingDimension))
    }

    package func scale(_ a: Tensor, rows: Tensor?, columns: Tensor?) {
        let columnFactors = unsafe columns?.doubles
        for row in 0..<a.rows {
            let elements = unsafe a.doubles + row * a.leadingDimension
            let factor = rows.map { unsafe $0.doubles[row] } ?? 1
            if let columnFactors = unsafe columnFactors {
                for i in 0..<a.columns { unsafe elements[i] *= unsafe factor * columnFactors[i] }
            } else {
                for i in 0..<a.columns { unsafe elements[i] *= factor }
            }
        }
    }

    package func diagonal(of a: Tensor) -> [Double] {
        (0..<a.rows).map { unsafe a.doubles[$0 * (a.leadingDimension + 1)] }
    }

    package func fillDiagonal(of a: Tensor, with value: Double) {
        for i in 0..<a.rows { unsafe a.doubles[i * (a.leadingDimension + 1)] = value }
    }

    package func mirrorUpperTriangle(_ a: Tensor) {
        let (elements, leading) = unsafe (a.doubles, a.leadingDimension)
        // Square tiles, so that the strided reads stay in cache.
        for rowTile in stride(from: 0, to: a.rows, by: 32) {
            for columnTile in stride(from: 0, through: rowTile, by: 32) {
                for row in rowTile..<min(rowTile + 32, a.rows) {
                    for column in columnTile..<min(columnTile + 32, row) {
                        unsafe elements[row * leading + column] = unsafe elements[column * leading + row]
                    }
                }
            }
        }
    }

    package func innerProduct(_ a: Tensor, _ b: Tensor) -> Double {
        unsafe cblas_ddot(Int32(a.shape.count), a.doubles, 1, b.doubles, 1)
    }

    package func choleskyFactor(_ a: Tensor) throws(ComputeError) -> Int {
        var (n, leading, status) = (Int32(a.rows), Int32(a.leadingDimension), Int32(0))
        unsafe dpotrf_("U", &n, a.doubles, &leading, &status)
        guard status >= 0 else { throw HostBackend.illegalArgument("dpotrf", status) }
        return Int(status)
    }

    package func updateTriangularFactor(
        _ factor: Tensor, with rows: Tensor, transposesRows: Bool
    ) throws(ComputeError) {
        let width = factor.rows
        let count = transposesRows ? rows.columns : rows.rows
        // At this many rows and columns at once the routine runs at 90 % of the rate of matrix products.
        let (blockRowCount, blockColumnCount) = (min(512, count), min(32, width))
        let reflectors = try workspace(blockColumnCount * width, "a block of reflectors")
        let work = try workspace(blockColumnCount * width, "a block of reflectors")
        let transposed = try transposesRows ? nil : workspace(width * blockRowCount, "rows of a factorization")
        for begin in stride(from: 0, to: count, by: blockRowCount) {
            let range = begin..<min(begin + blockRowCount, count)
            var block = transposesRows ? rows.columns(range) : rows
            if let transposed {
                block = transposed.reshaped([width, blockRowCount]).columns(0..<range.count)
                transpose(rows.rows(range), into: block)
            }
            try update(factor, with: block, reflectors, work, blockColumnCount)
        }
    }

    private func workspace(_ count: Int, _ purpose: String) throws(ComputeError) -> Tensor {
        let storage = try allocate(byteCount: 8 * count, purpose: purpose)
        return Tensor(storage: storage, shape: [count], elementType: .float64)
    }

    /// - Parameter columns: (width, rows): what LAPACK sees as the rows.
    private func update(
        _ factor: Tensor, with columns: Tensor, _ reflectors: Tensor, _ work: Tensor, _ blockColumnCount: Int
    ) throws(ComputeError) {
        var (rowCount, width, pentagonal) = (Int32(columns.columns), Int32(factor.rows), Int32(0))
        var (block, leading, leadingColumns) = (
            Int32(blockColumnCount), Int32(factor.leadingDimension), Int32(columns.leadingDimension)
        )
        var status = Int32(0)
        unsafe dtpqrt_(
            &rowCount, &width, &pentagonal, &block, factor.doubles, &leading, columns.doubles, &leadingColumns,
            reflectors.doubles, &block, work.doubles, &status)
        guard status == 0 else { throw HostBackend.illegalArgument("dtpqrt", status) }
    }

    package func transpose(_ a: Tensor, into result: Tensor) {
        let (source, destination) = unsafe (a.doubles, result.doubles)
        // Tiles, so that both sides stay in cache.
        for rowTile in stride(from: 0, to: a.rows, by: 16) {
            for columnTile in stride(from: 0, to: a.columns, by: 16) {
                for column in columnTile..<min(columnTile + 16, a.columns) {
                    let place = column * result.leadingDimension
                    for row in rowTile..<min(rowTile + 16, a.rows) {
                        unsafe destination[place + row] = unsafe source[row * a.leadingDimension + column]
                    }
                }
            }
        }
    }

    package func solveTriangular(_ factor: Tensor, transposes: Bool, _ b: Tensor) {
        if b.columns == 1 {
            // One column is not worth the copies that the matrix routine makes of the factor.
            return unsafe cblas_dtrsv(
                CblasRowMajor, CblasLower, transposes ? CblasTrans : CblasNoTrans, CblasNonUnit, Int32(b.rows),
                factor.doubles, Int32(factor.leadingDimension), b.doubles, Int32(b.leadingDimension))
        }
        unsafe cblas_dtrsm(
            CblasRowMajor, CblasLeft, CblasLower, transposes ? CblasTrans : CblasNoTrans, CblasNonUnit, Int32(b.rows),
            Int32(b.columns), 1, factor.doubles, Int32(factor.leadingDimension), b.doubles, Int32(b.leadingDimension))
    }

    package func symmetricEigen(_ a: Tensor) throws(ComputeError) -> [Double] {
        var (n, leading, status) = (Int32(a.rows), Int32(a.leadingDimension), Int32(0))
        var values = [Double](repeating: 0, count: a.rows)
        var (workCount, integerWorkCount) = (Int32(-1), Int32(-1))
        var (work, integerWork) = ([0.0], [Int32(0)])
        // The first call asks for the sizes of the workspaces.
        for _ in 0..<2 {
            unsafe dsyevd_(
                "V", "L", &n, a.doubles, &leading, &values, &work, &workCount, &integerWork, &integerWorkCount, &status)
            guard status == 0 else { break }
            if workCount < 0 {
                (workCount, integerWorkCount) = (Int32(work[0]), integerWork[0])
                work = [Double](repeating: 0, count: Int(workCount))
                integerWork = [Int32](repeating: 0, count: Int(integerWorkCount))
            }
        }
        guard status >= 0 else { throw HostBackend.illegalArgument("dsyevd", status) }
        guard status == 0 else {
            throw .routine(name: "dsyevd", code: Int(status), meaning: "the eigenvalue iteration did not converge")
        }
        return values
    }

    package func singularValues(_ a: Tensor) throws(ComputeError) -> [Double] {
        try unsafe decompose(a, "N", left: nil, right: nil)
    }

    package func singularDecomposition(_ a: Tensor, left: Tensor, right: Tensor) throws(ComputeError) -> [Double] {
        try unsafe decompose(a, "S", left: left.doubles, right: right.doubles)
    }

    /// LAPACK sees aᵀ = rightᵀ·diag·leftᵀ, so that its left vectors, column by column, are the rows of `right`.
    private func decompose(
        _ a: Tensor, _ job: String, left: UnsafeMutablePointer<Double>?, right: UnsafeMutablePointer<Double>?
    ) throws(ComputeError) -> [Double] {
        let valueCount = min(a.rows, a.columns)
        guard valueCount > 0 else { return [] }
        var (rows, columns, leading) = (Int32(a.columns), Int32(a.rows), Int32(a.leadingDimension))
        var (status, workCount, rank) = (Int32(0), Int32(-1), Int32(valueCount))
        var values = [Double](repeating: 0, count: valueCount)
        var integerWork = [Int32](repeating: 0, count: 8 * valueCount)
        var work = [0.0]
        for _ in 0..<2 {
            unsafe dgesdd_(
                job, &rows, &columns, a.doubles, &leading, &values, right, &rows, left, &rank, &work, &workCount,
                &integerWork, &status)
            guard status == 0 else { break }
            if workCount < 0 {
                workCount = Int32(work[0])
                work = [Double](repeating: 0, count: Int(workCount))
            }
        }
        guard status >= 0 else { throw HostBackend.illegalArgument("dgesdd", status) }
        guard status == 0 else {
            throw .routine(name: "dgesdd", code: Int(status), meaning: "the singular value iteration did not converge")
        }
        return values
    }

    package func symmetricProduct(_ a: Tensor, _ x: Tensor, into y: Tensor) {
        unsafe cblas_dsymv(
            CblasRowMajor, CblasUpper, Int32(a.rows), 1, a.doubles, Int32(a.leadingDimension), x.doubles, 1, 0,
            y.doubles, 1)
    }

    private static func illegalArgument(_ routine: String, _ status: Int32) -> ComputeError {
        .routine(name: routine, code: Int(status), meaning: "argument \(-status) is not valid, for instance a NaN")
    }
}
