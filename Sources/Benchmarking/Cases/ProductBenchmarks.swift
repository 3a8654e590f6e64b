import Compute
import Conformance
import Tensors

/// Matrix products x·weightᵀ, weights (outputs, inputs) as checkpoints have them: a cube, and those of a decoder layer.
enum ProductBenchmarks {
    /// Types of the operands that a device multiplies, each with that of the result.
    typealias Offer = (operands: ElementType, result: ElementType)

    /// What the device offers: it is asked for a small product of each type.
    static func offers(_ device: Device) throws(ComputeError) -> [Offer] {
        var offers: [Offer] = []
        for type in [ElementType.float32, .float64, .bfloat16, .float16] {
            for result in type == .float64 ? [type] : [.float32, type] where !offers.contains(where: { $0.0 == type }) {
                if try multiplies(type, result, device) { offers.append((type, result)) }
            }
        }
        return offers
    }

    private static func multiplies(
        _ type: ElementType, _ result: ElementType, _ device: Device
    ) throws(ComputeError) -> Bool {
        let operand = try device.makeZeros([16, 16], type, for: "a benchmark")
        do throws(ComputeError) {
            try device.product(
                operand, operand, transposesB: true,
                into: try device.makeZeros([16, 16], result, for: "a benchmark"))
            return true
        } catch .elementType {
            return false
        }
    }

    static func cube(_ offer: Offer, _ scale: BenchmarkScale) -> BenchmarkCase {
        product(offer, "cube", m: scale.cube, n: scale.cube, k: scale.cube)
    }

    static func layer(_ offer: Offer, _ scale: BenchmarkScale) -> [BenchmarkCase] {
        let (shape, tokens) = (scale.shape, scale.tokenCount)
        let queryWidth = shape.heads.queryCount * shape.heads.width
        let keyWidth = shape.heads.keyCount * shape.heads.width
        return [
            product(offer, "query-key-value", m: tokens, n: queryWidth + 2 * keyWidth, k: shape.width),
            product(offer, "output", m: tokens, n: shape.width, k: queryWidth),
            product(offer, "gate-up", m: tokens, n: 2 * shape.feedForwardWidth, k: shape.width),
            product(offer, "down", m: tokens, n: shape.width, k: shape.feedForwardWidth),
        ]
    }

    private static func product(_ offer: Offer, _ name: String, m: Int, n: Int, k: Int) -> BenchmarkCase {
        let type = offer.operands
        let byteCount = (m * k + n * k) * type.blockByteCount + m * n * offer.result.blockByteCount
        return BenchmarkCase(
            "product", "\(type.rawValue) \(name) m=\(m) n=\(n) k=\(k)",
            .computing(2 * Double(m) * Double(n) * Double(k), in: type, bytes: byteCount), byteCount: byteCount
        ) { device, random throws(ComputeError) in
            let (x, weight) = (
                try Operand(device, m, k, type, &random), try Operand(device, n, k, type, &random)
            )
            let result = try device.makeZeros([m, n], offer.result, for: "a benchmark")
            let (a, b) = (x.tensor, weight.tensor)
            return PreparedCall(
                run: { () throws(ComputeError) in try device.product(a, b, transposesB: true, into: result) }
            ) { judgement throws(ComputeError) in
                try judgement.compareRows(
                    "result", result, device, places: Places.spread(m, 3), tolerance(offer, length: k)
                ) { row in
                    let left = x.row(row)
                    return (0..<n).map { dot(left, weight.row($0)) }
                }
            }
        }
    }

    /// Of float32 and float64 operands as in the conformance cases. Tensor cores cut sums off after every 8 to 16 terms,
    /// always towards zero, so that these errors add up one by one; and a 16-bit result is rounded once.
    static func tolerance(_ offer: Offer, length: Int) -> Tolerance {
        switch offer.operands {
        case .float32: return Tolerance(.float32, roundings: 4, factor: 1, length: length)
        case .float64: return Tolerance(.float64, roundings: 4, factor: 2, length: length)
        default:
            let final = offer.result == .float32 ? 0.0 : offer.result == .bfloat16 ? 0x1p15 : 0x1p12
            return Tolerance(
                .float32, roundings: 4 + final + Double(length) / 8, factor: 1, length: length)
        }
    }
}
