import Compute
import Tensors
import Transformers

/// Keeps what a layer's MLP adds to the stream.
final class ContributionRecorder: Observer {
    /// (tokens, width).
    let contribution: Stream
    private let layer: Int

    init(layer: Int, beside stream: Stream) throws(TransformerError) {
        self.layer = layer
        contribution = try Stream(
            layout: stream.layout, width: stream.width, device: stream.device, placement: stream.placementKind)
    }

    func wants(_ site: Site, layer: Int) -> Bool { site == .feedForward && layer == self.layer }

    func observe(
        _ site: Site, layer: Int, rows: Range<Int>, x: Tensor, contribution values: Tensor
    ) throws(TransformerError) {
        let place = try contribution.destination(rows, staging: values)
        if contribution.placementKind == .memory {
            do { try contribution.device.copy(values, to: place) } catch { throw .compute(error) }
        }
        try contribution.commit(place, at: rows)
    }
}
