package import Compute
package import Tensors
package import Transformers

/// Keeps the streams that a layer's sublayers read and leave, where they are not the layer's own.
package final class SublayerRecorder: Observer {
    private let device: Device
    private let isParallel: Bool
    /// In sequential layers what the MLP reads, which is what attention leaves; in parallel ones x plus attention's
    /// contribution.
    private let afterAttention: Stream?
    /// In parallel layers x plus the MLP's contribution.
    private let afterFeedForward: Stream?

    /// nil where no sublayer is asked for.
    package init?(
        sites: [StepSite], plan: DecoderPlan, layout: SequenceLayout, device: Device, placement: Stream.PlacementKind
    ) throws(TransformerError) {
        let attention = sites.contains(.attention)
        let feedForward = sites.contains(.feedForward)
        if !attention && !feedForward { return nil }
        self.device = device
        isParallel = plan.residual == .parallel
        func makeStream() throws(TransformerError) -> Stream {
            try Stream(layout: layout, width: plan.width, device: device, placement: placement)
        }
        afterAttention = try attention || !isParallel ? makeStream() : nil
        afterFeedForward = try feedForward && isParallel ? makeStream() : nil
    }

    /// X and Y of a sublayer's step, once the layer has been applied.
    package func streams(of site: StepSite, x: Stream, y: Stream) -> (x: Stream, y: Stream) {
        switch site {
        case .attention: (x, afterAttention ?? y)
        case .feedForward: isParallel ? (x, afterFeedForward ?? y) : (afterAttention ?? x, y)
        case .layer, .finalNorm: (x, y)
        }
    }

    package func wants(_ site: Site, layer: Int) -> Bool {
        switch site {
        case .attention: isParallel && afterAttention != nil
        case .feedForward: isParallel ? afterFeedForward != nil : afterAttention != nil
        case .layer: false
        }
    }

    package func observe(
        _ site: Site, layer: Int, rows: Range<Int>, x: Tensor, contribution: Tensor
    ) throws(TransformerError) {
        guard let stream = site == .attention || !isParallel ? afterAttention : afterFeedForward else { return }
        let sum = try computing { () throws(ComputeError) in
            try device.makeTensor(x.shape, .float32, for: "a sublayer's stream")
        }
        let place = try stream.destination(rows, staging: sum)
        try computing { () throws(ComputeError) in
            if isParallel {
                try device.add(x, contribution, into: place)
            } else {
                // What the MLP reads, to the bit.
                try device.copy(x, to: place)
            }
        }
        try stream.commit(place, at: rows)
    }
}
