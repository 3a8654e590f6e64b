import COpenBLAS
package import Tensors

extension HostBackend {
    /// Rows whose sums one task forms; a constant, so that results do not depend on the number of lanes.
    private static let panelTaskRowCount = 256
    /// Columns of a product's tile: large enough for BLAS, small enough to keep many cores busy.
    private static let tileColumnCount = 192

    package func gatherPanels(_ pair: StreamPair, rows: [Int32], shifts: PanelShifts, into panels: Panels) {
        let width = pair.x.columns
        let taskCount = (rows.count + HostBackend.panelTaskRowCount - 1) / HostBackend.panelTaskRowCount
        unsafe withUnsafeTemporaryAllocation(of: Double.self, capacity: taskCount * 3 * width) { partialSums in
            unsafe partialSums.initialize(repeating: 0)
            guard let address = partialSums.baseAddress else { return }
            nonisolated(unsafe) let partials = unsafe address
            lanes(taskCount) { task, _ in
                let begin = task * HostBackend.panelTaskRowCount
                let end = min(begin + HostBackend.panelTaskRowCount, rows.count)
                for panelRow in begin..<end {
                    unsafe gatherRow(
                        pair, Int(rows[panelRow]), shifts: shifts, into: panels, panelRow,
                        sums: partials + task * 3 * width)
                }
            }
            for row in 0..<3 {
                let sums = unsafe panels.sums.doubles + row * panels.sums.leadingDimension
                for task in 0..<taskCount {
                    let partial = unsafe partials + (task * 3 + row) * width
                    for i in 0..<width { unsafe sums[i] += unsafe partial[i] }
                }
            }
        }
    }

    private func gatherRow(
        _ pair: StreamPair, _ row: Int, shifts: PanelShifts, into panels: Panels, _ panelRow: Int,
        sums: UnsafeMutablePointer<Double>
    ) {
        let x = unsafe pair.x.floats + row * pair.x.leadingDimension
        let y = unsafe pair.y.floats + row * pair.y.leadingDimension
        let isContribution = pair.target == .contribution
        if panels.x.elementType == .float32 {
            let panelX = unsafe panels.x.floats + panelRow * panels.x.leadingDimension
            let panelTarget = unsafe panels.target.floats + panelRow * panels.target.leadingDimension
            unsafe gatherElements(
                x, y, isContribution, shifts.x.floats, shifts.target.floats, panelX, panelTarget, sums, pair.x.columns)
        } else {
            let panelX = unsafe panels.x.doubles + panelRow * panels.x.leadingDimension
            let panelTarget = unsafe panels.target.doubles + panelRow * panels.target.leadingDimension
            unsafe gatherElements(
                x, y, isContribution, shifts.x.floats, shifts.target.floats, panelX, panelTarget, sums, pair.x.columns)
        }
    }

    @inline(__always)
    private func gatherElements<Element: BinaryFloatingPoint>(
        _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ isContribution: Bool,
        _ shiftX: UnsafePointer<Float>, _ shiftTarget: UnsafePointer<Float>,
        _ panelX: UnsafeMutablePointer<Element>, _ panelTarget: UnsafeMutablePointer<Element>,
        _ sums: UnsafeMutablePointer<Double>, _ width: Int
    ) {
        // In Double, and then rounded once: a B with a large mean would lose digits before the shift removes it.
        let wholeCount = width & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) {
            let doubleX = unsafe SIMD4<Double>(Loops.load(x + i))
            let doubleY = unsafe SIMD4<Double>(Loops.load(y + i))
            let differenceX = unsafe doubleX - SIMD4<Double>(Loops.load(shiftX + i))
            let target = isContribution ? doubleY - doubleX : doubleY
            let differenceTarget = unsafe target - SIMD4<Double>(Loops.load(shiftTarget + i))
            let valueX = unsafe store(differenceX, panelX + i)
            let valueTarget = unsafe store(differenceTarget, panelTarget + i)
            unsafe add(valueX, to: sums + i)
            unsafe add(valueTarget, to: sums + width + i)
            unsafe add(valueTarget * valueTarget, to: sums + 2 * width + i)
        }
        for i in wholeCount..<width {
            let valueX = unsafe Element(Double(x[i]) - Double(shiftX[i]))
            let target = unsafe isContribution ? Double(y[i]) - Double(x[i]) : Double(y[i])
            let valueTarget = unsafe Element(target - Double(shiftTarget[i]))
            unsafe panelX[i] = valueX
            unsafe panelTarget[i] = valueTarget
            unsafe sums[i] += Double(valueX)
            unsafe sums[width + i] += Double(valueTarget)
            unsafe sums[2 * width + i] += Double(valueTarget) * Double(valueTarget)
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

    package func addCrossProducts(_ panels: Panels, rowCount: Int, gram: Tensor, cross: Tensor) {
        let width = panels.x.columns
        let tileCount = (width + HostBackend.tileColumnCount - 1) / HostBackend.tileColumnCount
        let tiles = (0..<tileCount).map { $0 * width / tileCount..<($0 + 1) * width / tileCount }
        var tasks: [(rows: Range<Int>, columns: Range<Int>, isGram: Bool)] = []
        for (i, rows) in tiles.enumerated() {
            tasks += tiles.map { (rows, $0, false) }
            tasks += tiles[i...].map { (rows, $0, true) }
        }
        lanes(tasks.count) { [tasks] task, _ in
            let (rows, columns, isGram) = tasks[task]
            let left = panels.x.rows(0..<rowCount).columns(rows)
            let right = (isGram ? panels.x : panels.target).rows(0..<rowCount).columns(columns)
            let result =
                unsafe (isGram ? gram : cross).doubles
                + rows.lowerBound * (isGram ? gram : cross).leadingDimension + columns.lowerBound
            let leading = (isGram ? gram : cross).leadingDimension
            if left.elementType == .float64 {
                unsafe cblas_dgemm(
                    CblasRowMajor, CblasTrans, CblasNoTrans, Int32(rows.count), Int32(columns.count), Int32(rowCount),
                    1, left.doubles, Int32(left.leadingDimension), right.doubles, Int32(right.leadingDimension), 1,
                    result, Int32(leading))
            } else {
                unsafe addTile(left, right, isSymmetric: isGram && rows == columns, to: result, leading)
            }
        }
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
        let taskRowCount = HostBackend.panelTaskRowCount
        lanes((x.rows + taskRowCount - 1) / taskRowCount) { task, _ in
            for row in task * taskRowCount..<min((task + 1) * taskRowCount, x.rows) {
                let inputX = unsafe x.floats + row * x.leadingDimension
                let inputY = unsafe y.floats + row * y.leadingDimension
                let output = unsafe result.doubles + row * result.leadingDimension
                unsafe rowStatistics(inputX, inputY, x.columns, into: output)
            }
        }
    }

    private func rowStatistics(
        _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ width: Int, into result: UnsafeMutablePointer<Double>
    ) {
        var (xx, yy) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        var (bb, xy) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        unsafe Loops.forEachVector(x, width) { vector, offset in
            let other = unsafe offset + 4 <= width ? Loops.load(y + offset) : Loops.loadRest(y + offset, width - offset)
            let vectorX = SIMD4<Double>(vector)
            let vectorY = SIMD4<Double>(other)
            let difference = vectorY - vectorX
            xx += vectorX * vectorX
            yy += vectorY * vectorY
            bb += difference * difference
            xy += vectorX * vectorY
        }
        unsafe result[0] = xx.sum().squareRoot()
        unsafe result[1] = yy.sum().squareRoot()
        unsafe result[2] = bb.sum().squareRoot()
        unsafe result[3] = xy.sum()
    }
}
