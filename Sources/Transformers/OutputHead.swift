import Compute
public import Tensors

/// From the stream after the final norm to logits, in float32.
public struct OutputHead: Sendable {
    /// (head's width, width), where the head is of another width than the stream.
    let projection: Tensor?
    /// (vocabulary, head's width).
    public let weight: Tensor
    /// (vocabulary).
    let bias: Tensor?

    /// Logits (tokens, vocabulary) of (tokens, width).
    func logits(of normed: Tensor, plan: DecoderPlan, device: Device) throws(ComputeError) -> Tensor {
        let logits = try device.makeTensor([normed.rows, plan.vocabularySize], .float32, for: "logits")
        var input = normed
        if let projection {
            input = try device.makeTensor([normed.rows, projection.rows], .float32, for: "rows of the stream")
            try device.product(normed, projection, transposesB: true, into: input)
        }
        try device.product(input, weight, transposesB: true, scale: Double(plan.logitScale), into: logits)
        if let bias { try device.addBias(bias, to: logits) }
        if let cap = plan.logitSoftCap { try device.softCap(logits, at: cap) }
        return logits
    }
}
