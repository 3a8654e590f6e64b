import Compute
import Tensors

#if canImport(Glibc)
    import Glibc
#endif

/// Cosines and sines of position · frequency, (rows, pairs) each. Sequences whose frequencies differ with their length
/// have rows of their own.
struct RotaryTable: Sendable {
    let cosines: Tensor
    let sines: Tensor
    /// The row of position 0, for each sequence.
    private let firstRows: [Int32]

    /// Frequencies and angles are rounded to float32 before cosine and sine are taken: that is what Hugging Face's models
    /// do, in training too, and so the model's definition.
    init(_ embedding: RotaryEmbedding, lengths: [Int], device: Device) throws(ComputeError) {
        var longest: [Int: Int] = [:]
        for length in lengths {
            let variant = embedding.variant(sequenceLength: length)
            longest[variant] = max(longest[variant] ?? 0, length)
        }
        var (cosines, sines): ([Float], [Float]) = ([], [])
        var rows: [Int: Int32] = [:]
        let pairCount = embedding.width / 2
        for (variant, positionCount) in longest.sorted(by: { $0.key < $1.key }) {
            rows[variant] = Int32(cosines.count / max(1, pairCount))
            let frequencies = embedding.frequencies(sequenceLength: positionCount)
            for position in 0..<positionCount {
                for frequency in frequencies {
                    let angle = Double(Float(position) * frequency)
                    cosines.append(Float(cos(angle)) * embedding.attentionFactor)
                    sines.append(Float(sin(angle)) * embedding.attentionFactor)
                }
            }
        }
        firstRows = lengths.map { rows[embedding.variant(sequenceLength: $0)] ?? 0 }
        let rowCount = cosines.count / max(1, pairCount)
        self.cosines = try device.makeTensor(cosines, [rowCount, pairCount], for: "rotary cosines")
        self.sines = try device.makeTensor(sines, [rowCount, pairCount], for: "rotary sines")
    }

    /// The rows of the tokens of some sequences, which are packed one after another.
    func rows(of sequences: Range<Int>, lengths: [Int]) -> [Int32] {
        sequences.flatMap { firstRows[$0]..<firstRows[$0] + Int32(lengths[$0]) }
    }

    /// Bytes of the tables of a plan for sequences of at most `longest` tokens, each in two variants at most.
    static func byteCount(_ plan: DecoderPlan, longest: Int) -> Int {
        plan.rotaries.reduce(0) { $0 + 2 * 4 * longest * $1.width }
    }
}
