import Compute
import Tensors

#if canImport(Glibc)
    import Glibc
#endif

/// Cosines and sines of position · frequency, (positions, headWidth / 2) each.
struct RotaryTable: Sendable {
    let cosines: Tensor
    let sines: Tensor

    /// Frequencies base^(-2i/headWidth) and angles are rounded to float32 before cosine and sine are taken: that is
    /// what Hugging Face's models do, in training too, and so the model's definition.
    init(base: Double, headWidth: Int, positionCount: Int, device: Device) throws(ComputeError) {
        let pairCount = headWidth / 2
        let frequencies = (0..<pairCount).map { pair in
            1 / Float(pow(base, Double(Float(2 * pair) / Float(headWidth))))
        }
        var (cosines, sines): ([Float], [Float]) = ([], [])
        cosines.reserveCapacity(positionCount * pairCount)
        sines.reserveCapacity(positionCount * pairCount)
        for position in 0..<positionCount {
            for frequency in frequencies {
                let angle = Double(Float(position) * frequency)
                cosines.append(Float(cos(angle)))
                sines.append(Float(sin(angle)))
            }
        }
        self.cosines = try device.makeTensor(cosines, [positionCount, pairCount], for: "rotary cosines")
        self.sines = try device.makeTensor(sines, [positionCount, pairCount], for: "rotary sines")
    }
}
