/// Loops over rows of floats in vectors of four; a shorter rest is padded.
enum Loops {
    typealias Vector = SIMD4<Float>

    /// Calls `body(vector, offset)` for all whole vectors of a row, then once for the rest padded with `padding`.
    @inline(__always)
    static func forEachVector(
        _ row: UnsafePointer<Float>, _ count: Int, padding: Float = 0, _ body: (Vector, Int) -> Void
    ) {
        var offset = 0
        while offset + 4 <= count {
            body(unsafe load(row + offset), offset)
            offset += 4
        }
        if offset < count { body(unsafe loadRest(row + offset, count - offset, padding: padding), offset) }
    }

    /// Replaces every vector of a row by `body(vector, offset)`; the rest is padded with 0.
    @inline(__always)
    static func replaceEachVector(
        _ row: UnsafeMutablePointer<Float>, _ count: Int, _ body: (Vector, Int) -> Vector
    ) {
        var offset = 0
        while offset + 4 <= count {
            unsafe store(body(load(row + offset), offset), to: row + offset)
            offset += 4
        }
        if offset < count {
            unsafe storeRest(body(loadRest(row + offset, count - offset), offset), to: row + offset, count - offset)
        }
    }

    @inline(__always)
    static func load(_ address: UnsafePointer<Float>) -> Vector {
        unsafe UnsafeRawPointer(address).loadUnaligned(as: Vector.self)
    }

    /// Four elements, or the fewer that there are, padded with zeros.
    @inline(__always)
    static func load(_ address: UnsafePointer<Float>, atMost count: Int) -> Vector {
        unsafe count >= 4 ? load(address) : loadRest(address, count)
    }

    /// Four elements, float32 or float64, in Double.
    @inline(__always)
    static func doubles<Element: BinaryFloatingPoint>(_ address: UnsafePointer<Element>) -> SIMD4<Double> {
        if Element.self == Double.self {
            return unsafe UnsafeRawPointer(address).loadUnaligned(as: SIMD4<Double>.self)
        }
        return unsafe SIMD4<Double>(UnsafeRawPointer(address).loadUnaligned(as: SIMD4<Float>.self))
    }

    /// Fewer than four elements, padded.
    @inline(never)
    static func loadRest(_ address: UnsafePointer<Float>, _ count: Int, padding: Float = 0) -> Vector {
        var vector = Vector(repeating: padding)
        for i in 0..<count { vector[i] = unsafe address[i] }
        return vector
    }

    @inline(__always)
    static func store(_ vector: Vector, to address: UnsafeMutablePointer<Float>) {
        unsafe UnsafeMutableRawPointer(address).storeBytes(of: vector, as: Vector.self)
    }

    /// Four elements, or the first `count`.
    @inline(__always)
    static func store(_ vector: Vector, to address: UnsafeMutablePointer<Float>, atMost count: Int) {
        if count >= 4 { unsafe store(vector, to: address) } else { unsafe storeRest(vector, to: address, count) }
    }

    /// The first `count` elements, fewer than four.
    @inline(never)
    static func storeRest(_ vector: Vector, to address: UnsafeMutablePointer<Float>, _ count: Int) {
        for i in 0..<count { unsafe address[i] = vector[i] }
    }

    /// Σ aᵢ·bᵢ in sixteen partial sums.
    @inline(__always)
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
        var (sum0, sum1, sum2, sum3) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
        var offset = 0
        while offset + 16 <= count {
            sum0 += unsafe load(a + offset) * load(b + offset)
            sum1 += unsafe load(a + offset + 4) * load(b + offset + 4)
            sum2 += unsafe load(a + offset + 8) * load(b + offset + 8)
            sum3 += unsafe load(a + offset + 12) * load(b + offset + 12)
            offset += 16
        }
        var sum = ((sum0 + sum1) + (sum2 + sum3)).sum()
        while offset < count {
            sum += unsafe a[offset] * b[offset]
            offset += 1
        }
        return sum
    }

    /// Σ xᵢ in sixteen partial sums.
    static func sum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
        var (sum0, sum1, sum2, sum3) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
        var offset = 0
        while offset + 16 <= count {
            sum0 += unsafe load(x + offset)
            sum1 += unsafe load(x + offset + 4)
            sum2 += unsafe load(x + offset + 8)
            sum3 += unsafe load(x + offset + 12)
            offset += 16
        }
        var sum = ((sum0 + sum1) + (sum2 + sum3)).sum()
        while offset < count {
            sum += unsafe x[offset]
            offset += 1
        }
        return sum
    }
}
