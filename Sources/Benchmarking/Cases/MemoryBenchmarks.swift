import Compute
import Conformance
import Tensors

/// The rates that bound all others: a copy within the device's memory, and a write from the program's.
enum MemoryBenchmarks {
    static func copy(_ scale: BenchmarkScale) -> BenchmarkCase {
        let count = scale.copyByteCount / 4
        return BenchmarkCase(
            "copy", "bytes=\(4 * count)", .moving(bytes: 8 * count), byteCount: 8 * count
        ) { device, random throws(ComputeError) in
            let source = try Operand(device, 1, count, .float32, &random)
            let destination = try device.makeZeros([1, count], .float32, for: "a benchmark")
            let tensor = source.tensor
            return PreparedCall(run: { () throws(ComputeError) in try device.copy(tensor, to: destination) }) {
                judgement throws(ComputeError) in
                try judge(destination, source, device, &judgement)
            }
        }
    }

    static func write(_ scale: BenchmarkScale) -> BenchmarkCase {
        let count = scale.copyByteCount / 4
        return BenchmarkCase(
            "write", "bytes=\(4 * count)", .moving(bytes: 4 * count, ceiling: .write), byteCount: 8 * count
        ) { device, random throws(ComputeError) in
            let source = try Operand(device, 1, count, .float32, &random)
            let values = source.floats
            let destination = try device.makeZeros([1, count], .float32, for: "a benchmark")
            return PreparedCall(
                run: { () throws(ComputeError) in
                    try values.withRawSpan { bytes throws(ComputeError) in try device.write(bytes, to: destination) }
                }
            ) { judgement throws(ComputeError) in
                try judge(destination, source, device, &judgement)
            }
        }
    }

    private static func judge(
        _ got: Tensor, _ want: Operand, _ device: Device, _ judgement: inout Judgement
    ) throws(ComputeError) {
        let length = min(1000, want.columns)
        for begin in Places.spread(want.columns - length + 1, 3) {
            let values = try device.floats(of: got.columns(begin..<begin + length))
            for (i, value) in values.enumerated() {
                judgement.compare(
                    Double(value), want[0, begin + i], scale: 1, .exact, "element \(begin + i)")
            }
        }
    }
}
