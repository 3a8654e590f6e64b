public import Compute
public import Tensors

/// From the stream after the final norm to logits, in float32.
public struct OutputHead: Sendable {
    /// (head's width, width), where the head is of another width than the stream.
    let projection: Tensor?
    /// (vocabulary, head's width).
    public let weight: Tensor
    /// (vocabulary).
    let bias: Tensor?
    /// Before all that.
    let norm: NormWeights?

    /// Bytes of the head's weights on a device.
    public static func byteCount(_ plan: DecoderPlan) -> Int {
        let width = plan.embedding.projectedWidth ?? plan.width
        return 4 * (plan.vocabularySize + (width == plan.width ? 0 : plan.width)) * width
    }

    /// Logits (tokens, vocabulary) of rows (tokens, width) of the stream that leaves the last layer: the final norm, and
    /// then the head. Ask for few rows at a time.
    ///
    /// - Parameter plan: Of the model that the head is of.
    public func logits(
        ofLastStream rows: Tensor, plan: DecoderPlan, device: Device
    ) throws(TransformerError) -> Tensor {
        try wrapping { () throws(ComputeError) in
            guard let norm else { return try logits(of: rows, plan: plan, device: device) }
            let normed = try device.makeTensor(rows.shape, .float32, for: "rows of the stream")
            try device.normalize(rows, norm, into: normed)
            return try logits(of: normed, plan: plan, device: device)
        }
    }

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
