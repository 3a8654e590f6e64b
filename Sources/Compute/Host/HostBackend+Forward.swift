import COpenBLAS
package import Tensors

extension HostBackend {
    /// Elements decoded by one task: enough to hide the cost of dealing it out.
    private static let decodeTaskElementCount = 1 << 16

    package func decode(
        _ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor
    ) throws(ComputeError) {
        try rounding(into: result) { wide throws(ComputeError) in
            unsafe decodeWide(bytes, elementType: elementType, into: wide)
        }
    }

    private func decodeWide(_ bytes: UnsafeRawBufferPointer, elementType: ElementType, into result: Tensor) {
        guard let address = bytes.baseAddress else { return }
        nonisolated(unsafe) let source = unsafe address
        let count = result.shape.count
        let taskElementCount = HostBackend.decodeTaskElementCount
        lanes((count + taskElementCount - 1) / taskElementCount) { task, _ in
            let begin = task * taskElementCount
            let taskCount = min(taskElementCount, count - begin)
            let stored = unsafe source + begin / elementType.blockElementCount * elementType.blockByteCount
            if result.elementType == .float32 {
                unsafe BlockDecoding.decode(elementType, stored, into: result.floats + begin, count: taskCount)
            } else if elementType == .float64 {
                unsafe UnsafeMutableRawPointer(result.doubles + begin).copyMemory(
                    from: stored, byteCount: 8 * taskCount)
            } else {
                unsafe decodeWidening(elementType, stored, into: result.doubles + begin, count: taskCount)
            }
        }
    }

    /// Decodes to float32, which holds every other type exactly, and from there to float64.
    private func decodeWidening(
        _ elementType: ElementType, _ source: UnsafeRawPointer, into result: UnsafeMutablePointer<Double>, count: Int
    ) {
        unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { decoded in
            guard let floats = decoded.baseAddress else { return }
            unsafe BlockDecoding.decode(elementType, source, into: floats, count: count)
            for i in 0..<count { unsafe result[i] = unsafe Double(floats[i]) }
        }
    }

    package func gatherRows(
        _ table: UnsafeRawBufferPointer, elementType: ElementType, rows: [Int32], into result: Tensor
    ) {
        guard let source = table.baseAddress else { return }
        let rowByteCount = result.columns / elementType.blockElementCount * elementType.blockByteCount
        for (i, row) in rows.enumerated() {
            unsafe BlockDecoding.decode(
                elementType, source + Int(row) * rowByteCount, into: result.floats + i * result.leadingDimension,
                count: result.columns)
        }
    }

    package func product(
        _ a: Tensor, _ b: Tensor, transposesA: Bool, transposesB: Bool, scale: Double, accumulates: Bool,
        into result: Tensor
    ) throws(ComputeError) {
        let (a, b) = (try widened(a), try widened(b))
        try rounding(into: result, isUpdate: accumulates) { wide throws(ComputeError) in
            multiply(
                a, b, transposesA: transposesA, transposesB: transposesB, scale: scale, accumulates: accumulates,
                into: wide)
        }
    }

    private func multiply(
        _ a: Tensor, _ b: Tensor, transposesA: Bool, transposesB: Bool, scale: Double, accumulates: Bool,
        into result: Tensor
    ) {
        let k = Int32(transposesA ? a.rows : a.columns)
        let (m, n) = (Int32(result.rows), Int32(result.columns))
        let transposeA = transposesA ? CblasTrans : CblasNoTrans
        let transposeB = transposesB ? CblasTrans : CblasNoTrans
        let leading = (Int32(a.leadingDimension), Int32(b.leadingDimension), Int32(result.leadingDimension))
        if a.elementType == .float32 {
            unsafe cblas_sgemm(
                CblasRowMajor, transposeA, transposeB, m, n, k, Float(scale), a.floats, leading.0, b.floats, leading.1,
                accumulates ? 1 : 0, result.floats, leading.2)
        } else {
            unsafe cblas_dgemm(
                CblasRowMajor, transposeA, transposeB, m, n, k, scale, a.doubles, leading.0, b.doubles, leading.1,
                accumulates ? 1 : 0, result.doubles, leading.2)
        }
    }

    package func addBias(_ bias: Tensor, to x: Tensor) throws(ComputeError) {
        try rounding(into: x, isUpdate: true) { wide throws(ComputeError) in
            let addend = unsafe bias.floats
            for row in 0..<wide.rows {
                let output = unsafe wide.floats + row * wide.leadingDimension
                for i in 0..<wide.columns { unsafe output[i] += unsafe addend[i] }
            }
        }
    }

    package func rotate(
        _ x: Tensor, cosines: Tensor, sines: Tensor, positions: [Int32], headWidth: Int, layout: RotaryLayout
    ) throws(ComputeError) {
        try rounding(into: x, isUpdate: true) { wide throws(ComputeError) in
            turn(wide, cosines: cosines, sines: sines, positions: positions, headWidth: headWidth, layout: layout)
        }
    }

    private func turn(
        _ x: Tensor, cosines: Tensor, sines: Tensor, positions: [Int32], headWidth: Int, layout: RotaryLayout
    ) {
        let pairCount = cosines.columns
        let (stride, partner) = layout == .halves ? (1, pairCount) : (2, 1)
        for (row, position) in positions.enumerated() {
            let cosine = unsafe cosines.floats + Int(position) * cosines.leadingDimension
            let sine = unsafe sines.floats + Int(position) * sines.leadingDimension
            for head in 0..<x.columns / headWidth {
                let element = unsafe x.floats + row * x.leadingDimension + head * headWidth
                for pair in 0..<pairCount {
                    let (a, b) = unsafe (element[pair * stride], element[pair * stride + partner])
                    unsafe element[pair * stride] = unsafe a * cosine[pair] - b * sine[pair]
                    unsafe element[pair * stride + partner] = unsafe b * cosine[pair] + a * sine[pair]
                }
            }
        }
    }

    package func scale(_ x: Tensor, by factor: Float) {
        for row in 0..<x.rows {
            let elements = unsafe x.floats + row * x.leadingDimension
            for i in 0..<x.columns { unsafe elements[i] *= factor }
        }
    }

    package func add(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        for row in 0..<a.rows {
            let left = unsafe a.floats + row * a.leadingDimension
            let right = unsafe b.floats + row * b.leadingDimension
            let output = unsafe result.floats + row * result.leadingDimension
            for i in 0..<a.columns { unsafe output[i] = unsafe left[i] + right[i] }
        }
    }

    package func subtract(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        for row in 0..<a.rows {
            let minuend = unsafe a.floats + row * a.leadingDimension
            let subtrahend = unsafe b.floats + row * b.leadingDimension
            let output = unsafe result.floats + row * result.leadingDimension
            for i in 0..<a.columns { unsafe output[i] = unsafe minuend[i] - subtrahend[i] }
        }
    }

    package func firstNonFiniteRow(_ x: Tensor) throws(ComputeError) -> Int? {
        let x = try widened(x)
        return (0..<x.rows).first { row in
            let offset = row * x.leadingDimension
            return unsafe x.elementType == .float64
                ? !isFinite(x.doubles + offset, x.columns) : !isFinite(x.floats + offset, x.columns)
        }
    }

    @inline(__always)
    private func isFinite<Element: BinaryFloatingPoint>(_ row: UnsafePointer<Element>, _ count: Int) -> Bool {
        // 0 · x is 0 for finite x and NaN otherwise.
        var sums = SIMD4<Double>.zero
        let wholeCount = count & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) { sums += unsafe Loops.doubles(row + i) * 0 }
        for i in wholeCount..<count { sums[0] += unsafe Double(row[i]) * 0 }
        return sums.sum().isFinite
    }
}
