/// A value for each character: pages of 256 characters, of those that have values.
struct ScalarTable<Value: Sendable>: Sendable {
    private var values: [Value]
    /// Where each page starts in `values`; the first one has no values.
    private var starts = [Int32](repeating: 0, count: 0x11_0000 >> 8)
    private let absent: Value

    init(absent: Value) {
        self.absent = absent
        values = [Value](repeating: absent, count: 256)
    }

    subscript(scalar: Unicode.Scalar) -> Value {
        @inline(__always) get { self[Int(scalar.value)] }
        set {
            let page = Int(scalar.value >> 8)
            if starts[page] == 0 {
                starts[page] = Int32(values.count)
                values.append(contentsOf: repeatElement(absent, count: 256))
            }
            values[Int(starts[page]) + Int(scalar.value & 0xFF)] = newValue
        }
    }

    /// The value of the character with the number `value`.
    @inline(__always)
    subscript(value: Int) -> Value { values[Int(starts[value >> 8]) + value & 0xFF] }
}
