import COpenBLAS
package import Tensors

extension HostBackend {
    /// Rows whose sums one task forms; a constant, so that results do not depend on the number of lanes.
    private static let panelTaskRowCount = 256
    /// Columns of a product's tile: large enough for BLAS, small enough to keep many cores busy.
    private static let tileColumnCount = 192

    package func gatherPanels(_ pair: StreamPair, rows: [Int32], shifts: PanelShifts, into panels: Panels) {
        let width = panels.sums.columns
        let taskCount = (rows.count + HostBackend.panelTaskRowCount - 1) / HostBackend.panelTaskRowCount
        unsafe withUnsafeTemporaryAllocation(of: Double.self, capacity: taskCount * 3 * width) { partialSums in
            unsafe partialSums.initialize(repeating: 0)
            guard let address = partialSums.baseAddress else { return }
            nonisolated(unsafe) let partials = unsafe address
            lanes(taskCount) { task, _ in
                let begin = task * HostBackend.panelTaskRowCount
                let end = min(begin + HostBackend.panelTaskRowCount, rows.count)
                let sums = unsafe PanelSums(
                    x: partials + task * 3 * width, target: partials + (task * 3 + 1) * width,
                    targetSquares: partials + (task * 3 + 2) * width)
                for panelRow in begin..<end {
                    unsafe gatherRow(pair, Int(rows[panelRow]), shifts: shifts, into: panels, panelRow, sums)
                }
            }
            for row in 0..<3 {
                let sums = unsafe panels.sums.doubles + row * panels.sums.leadingDimension
                let columnCount = row == 0 ? pair.x.columns : pair.y.columns
                for task in 0..<taskCount {
                    let partial = unsafe partials + (task * 3 + row) * width
                    for i in 0..<columnCount { unsafe sums[i] += unsafe partial[i] }
                }
            }
        }
    }

    private func gatherRow(
        _ pair: StreamPair, _ row: Int, shifts: PanelShifts, into panels: Panels, _ panelRow: Int, _ sums: PanelSums
    ) {
        let panelX = panels.x.rows(panelRow..<panelRow + 1)
        let panelTarget = panels.target.rows(panelRow..<panelRow + 1)
        let (offsetX, offsetY) = (row * pair.x.leadingDimension, row * pair.y.leadingDimension)
        if pair.x.elementType == .float64 {
            let (x, y) = unsafe (pair.x.doubles + offsetX, pair.y.doubles + offsetY)
            unsafe gatherRow(
                pair, x, y, shifts.x.doubles, shifts.target.doubles, panelX.doubles, panelTarget.doubles, sums)
        } else if panels.x.elementType == .float64 {
            let (x, y) = unsafe (pair.x.floats + offsetX, pair.y.floats + offsetY)
            unsafe gatherRow(
                pair, x, y, shifts.x.floats, shifts.target.floats, panelX.doubles, panelTarget.doubles, sums)
        } else {
            let (x, y) = unsafe (pair.x.floats + offsetX, pair.y.floats + offsetY)
            unsafe gatherRow(pair, x, y, shifts.x.floats, shifts.target.floats, panelX.floats, panelTarget.floats, sums)
        }
    }

    @inline(__always)
    private func gatherRow<Source: BinaryFloatingPoint, Element: BinaryFloatingPoint>(
        _ pair: StreamPair, _ x: UnsafePointer<Source>, _ y: UnsafePointer<Source>, _ shiftX: UnsafePointer<Source>,
        _ shiftTarget: UnsafePointer<Source>, _ panelX: UnsafeMutablePointer<Element>,
        _ panelTarget: UnsafeMutablePointer<Element>, _ sums: PanelSums
    ) {
        let (width, targetWidth) = (pair.x.columns, pair.y.columns)
        unsafe gatherElements(x, minus: nil, shiftX, panelX, sums.x, squares: nil, width)
        if pair.target == .contribution {
            unsafe gatherElements(
                y, minus: x, shiftTarget, panelTarget, sums.target, squares: sums.targetSquares, width)
        } else {
            unsafe gatherElements(
                y, minus: nil, shiftTarget, panelTarget, sums.target, squares: sums.targetSquares, targetWidth)
        }
    }

    /// Elements less those of `minus` and of `shift`, in Double, and then rounded once: a B with a large mean would lose
    /// digits before the shift removes it.
    @inline(__always)
    private func gatherElements<Source: BinaryFloatingPoint, Element: BinaryFloatingPoint>(
        _ values: UnsafePointer<Source>, minus: UnsafePointer<Source>?, _ shift: UnsafePointer<Source>,
        _ panel: UnsafeMutablePointer<Element>, _ sums: UnsafeMutablePointer<Double>,
        squares: UnsafeMutablePointer<Double>?, _ count: Int
    ) {
        let wholeCount = count & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) {
            var value = unsafe Loops.doubles(values + i)
            if let minus = unsafe minus { value -= unsafe Loops.doubles(minus + i) }
            let stored = unsafe store(value - Loops.doubles(shift + i), panel + i)
            unsafe add(stored, to: sums + i)
            if let squares = unsafe squares { unsafe add(stored * stored, to: squares + i) }
        }
        for i in wholeCount..<count {
            var value = unsafe Double(values[i])
            if let minus = unsafe minus { value -= unsafe Double(minus[i]) }
            let stored = unsafe Element(value - Double(shift[i]))
            unsafe panel[i] = stored
            unsafe sums[i] += Double(stored)
            if let squares = unsafe squares { unsafe squares[i] += Double(stored) * Double(stored) }
        }
    }

    /// Stores values in the panel's element type, and returns them as they are stored.
    @inline(__always)
    private func store<Element: BinaryFloatingPoint>(
        _ values: SIMD4<Double>, _ address: UnsafeMutablePointer<Element>
    ) -> SIMD4<Double> {
        if Element.self == Double.self {
            unsafe UnsafeMutableRawPointer(address).storeBytes(of: values, as: SIMD4<Double>.self)
            return values
        }
        let rounded = SIMD4<Float>(values)
        unsafe UnsafeMutableRawPointer(address).storeBytes(of: rounded, as: SIMD4<Float>.self)
        return SIMD4<Double>(rounded)
    }

    @inline(__always)
    private func add(_ values: SIMD4<Double>, to address: UnsafeMutablePointer<Double>) {
        let memory = UnsafeMutableRawPointer(address)
        unsafe memory.storeBytes(of: memory.loadUnaligned(as: SIMD4<Double>.self) + values, as: SIMD4<Double>.self)
    }

    package func addCrossProducts(
        _ panels: Panels, rowCount: Int, gram: Tensor, cross: Tensor, targetGram: Tensor?
    ) {
        let (tiles, targetTiles) = (tiles(panels.x.columns), tiles(panels.target.columns))
        var tasks: [TileTask] = []
        for (i, rows) in tiles.enumerated() {
            tasks += targetTiles.map { TileTask(left: panels.x, rows, panels.target, $0, cross) }
            tasks += tiles[i...].map { TileTask(left: panels.x, rows, panels.x, $0, gram, isGram: true) }
        }
        if let targetGram {
            for (i, rows) in targetTiles.enumerated() {
                tasks += targetTiles[i...].map {
                    TileTask(left: panels.target, rows, panels.target, $0, targetGram, isGram: true)
                }
            }
        }
        lanes(tasks.count) { [tasks] index, _ in
            let task = tasks[index]
            let left = task.left.rows(0..<rowCount).columns(task.rows)
            let right = task.right.rows(0..<rowCount).columns(task.columns)
            let leading = task.result.leadingDimension
            let result = unsafe task.result.doubles + task.rows.lowerBound * leading + task.columns.lowerBound
            if left.elementType == .float64 {
                unsafe cblas_dgemm(
                    CblasRowMajor, CblasTrans, CblasNoTrans, Int32(left.columns), Int32(right.columns),
                    Int32(rowCount), 1, left.doubles, Int32(left.leadingDimension), right.doubles,
                    Int32(right.leadingDimension), 1, result, Int32(leading))
            } else {
                let isSymmetric = task.isGram && task.rows == task.columns
                unsafe addTile(left, right, isSymmetric: isSymmetric, to: result, leading)
            }
        }
    }

    /// Ranges of columns of about equal size.
    private func tiles(_ width: Int) -> [Range<Int>] {
        let tileCount = (width + HostBackend.tileColumnCount - 1) / HostBackend.tileColumnCount
        return (0..<tileCount).map { $0 * width / tileCount..<($0 + 1) * width / tileCount }
    }

    /// result += leftᵀ · right, block products in float32, sums in float64; of a symmetric tile the upper triangle.
    private func addTile(
        _ left: Tensor, _ right: Tensor, isSymmetric: Bool, to result: UnsafeMutablePointer<Double>, _ leading: Int
    ) {
        let (height, width) = (left.columns, right.columns)
        unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: height * width) { tile in
            guard let block = tile.baseAddress else { return }
            for begin in stride(from: 0, to: left.rows, by: Device.crossProductBlockRowCount) {
                let rowCount = Int32(min(Device.crossProductBlockRowCount, left.rows - begin))
                let a = unsafe left.floats + begin * left.leadingDimension
                let b = unsafe right.floats + begin * right.leadingDimension
                if isSymmetric {
                    unsafe cblas_ssyrk(
                        CblasRowMajor, CblasUpper, CblasTrans, Int32(width), rowCount, 1, a,
                        Int32(left.leadingDimension), 0, block, Int32(width))
                } else {
                    unsafe cblas_sgemm(
                        CblasRowMajor, CblasTrans, CblasNoTrans, Int32(height), Int32(width), rowCount, 1, a,
                        Int32(left.leadingDimension), b, Int32(right.leadingDimension), 0, block, Int32(width))
                }
                for row in 0..<height {
                    let sums = unsafe result + row * leading
                    let products = unsafe block + row * width
                    for i in (isSymmetric ? row : 0)..<width { unsafe sums[i] += unsafe Double(products[i]) }
                }
            }
        }
    }

    package func rowStatistics(_ x: Tensor, _ y: Tensor, into result: Tensor) {
        forEachRow(of: x) { row in
            let (offsetX, offsetY) = (row * x.leadingDimension, row * y.leadingDimension)
            let output = unsafe result.doubles + row * result.leadingDimension
            if x.elementType == .float64 {
                unsafe rowStatistics(x.doubles + offsetX, y.doubles + offsetY, x.columns, into: output)
            } else {
                unsafe rowStatistics(x.floats + offsetX, y.floats + offsetY, x.columns, into: output)
            }
        }
    }

    @inline(__always)
    private func rowStatistics<Element: BinaryFloatingPoint>(
        _ x: UnsafePointer<Element>, _ y: UnsafePointer<Element>, _ width: Int,
        into result: UnsafeMutablePointer<Double>
    ) {
        var (xx, yy) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        var (bb, xy) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        let wholeCount = width & ~3
        func add(_ vectorX: SIMD4<Double>, _ vectorY: SIMD4<Double>) {
            let difference = vectorY - vectorX
            xx += vectorX * vectorX
            yy += vectorY * vectorY
            bb += difference * difference
            xy += vectorX * vectorY
        }
        for i in stride(from: 0, to: wholeCount, by: 4) { unsafe add(Loops.doubles(x + i), Loops.doubles(y + i)) }
        for i in wholeCount..<width {
            unsafe add(SIMD4(Double(x[i]), 0, 0, 0), SIMD4(Double(y[i]), 0, 0, 0))
        }
        unsafe result[0] = xx.sum().squareRoot()
        unsafe result[1] = yy.sum().squareRoot()
        unsafe result[2] = bb.sum().squareRoot()
        unsafe result[3] = xy.sum()
    }

    package func rowProducts(_ x: Tensor, _ y: Tensor, into result: Tensor) {
        forEachRow(of: x) { row in
            let (offsetX, offsetY) = (row * x.leadingDimension, row * y.leadingDimension)
            unsafe result.doubles[row] =
                unsafe x.elementType == .float64
                ? product(x.doubles + offsetX, y.doubles + offsetY, x.columns)
                : product(x.floats + offsetX, y.floats + offsetY, x.columns)
        }
    }

    @inline(__always)
    private func product<Element: BinaryFloatingPoint>(
        _ x: UnsafePointer<Element>, _ y: UnsafePointer<Element>, _ width: Int
    ) -> Double {
        var (even, odd) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        let wholeCount = width & ~7
        for i in stride(from: 0, to: wholeCount, by: 8) {
            even += unsafe Loops.doubles(x + i) * Loops.doubles(y + i)
            odd += unsafe Loops.doubles(x + i + 4) * Loops.doubles(y + i + 4)
        }
        var sum = (even + odd).sum()
        for i in wholeCount..<width { sum += unsafe Double(x[i]) * Double(y[i]) }
        return sum
    }

    package func squaredDistances(_ x: Tensor, from center: Tensor, into result: Tensor) {
        forEachRow(of: x) { row in
            let offset = row * x.leadingDimension
            unsafe result.doubles[row] =
                unsafe x.elementType == .float64
                ? squaredDistance(x.doubles + offset, center.doubles, x.columns)
                : squaredDistance(x.floats + offset, center.doubles, x.columns)
        }
    }

    @inline(__always)
    private func squaredDistance<Element: BinaryFloatingPoint>(
        _ x: UnsafePointer<Element>, _ center: UnsafePointer<Double>, _ width: Int
    ) -> Double {
        var sums = SIMD4<Double>.zero
        let wholeCount = width & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) {
            let difference = unsafe Loops.doubles(x + i) - Loops.doubles(center + i)
            sums += difference * difference
        }
        var sum = sums.sum()
        for i in wholeCount..<width {
            let difference = unsafe Double(x[i]) - center[i]
            sum += difference * difference
        }
        return sum
    }

    /// Rows in tasks over the lanes.
    private func forEachRow(of x: Tensor, _ body: @Sendable (_ row: Int) -> Void) {
        let taskRowCount = HostBackend.panelTaskRowCount
        lanes((x.rows + taskRowCount - 1) / taskRowCount) { task, _ in
            for row in task * taskRowCount..<min((task + 1) * taskRowCount, x.rows) { body(row) }
        }
    }
}

/// Where one task adds up the columns that it gathers.
@unsafe
private struct PanelSums {
    let x: UnsafeMutablePointer<Double>
    let target: UnsafeMutablePointer<Double>
    let targetSquares: UnsafeMutablePointer<Double>
}

/// One tile of a product leftᵀ · right.
private struct TileTask: Sendable {
    let left: Tensor
    /// Columns of `left`, rows of the result.
    let rows: Range<Int>
    let right: Tensor
    let columns: Range<Int>
    let result: Tensor
    /// Whether left and right are the same, so that only the upper triangle is wanted.
    let isGram: Bool

    init(
        left: Tensor, _ rows: Range<Int>, _ right: Tensor, _ columns: Range<Int>, _ result: Tensor, isGram: Bool = false
    ) {
        self.left = left
        self.rows = rows
        self.right = right
        self.columns = columns
        self.result = result
        self.isGram = isGram
    }
}
