public import Tensors

/// A place in a layer where the residual stream can be watched.
public enum Site: String, Sendable, Hashable, CaseIterable {
    /// The attention sublayer's own step: X enters the layer, B is what attention adds.
    case attention
    /// The MLP's own step: X is the stream that it reads, after attention in sequential layers and entering the layer in
    /// parallel ones; B is what the MLP adds.
    case feedForward = "mlp"
    /// The whole layer's step.
    case layer
}

/// Someone who watches the residual stream. An observer never alters it.
public protocol Observer: Sendable {
    /// Whether slabs of this site of this layer are wanted; nothing is computed or kept for a site nobody wants.
    func wants(_ site: Site, layer: Int) -> Bool

    /// Receives a slab; called from several lanes at once, in no particular order.
    ///
    /// - Parameters:
    ///   - rows: The packed rows of the slab.
    ///   - x: The stream before the site's step, (rows.count, width); valid during the call only.
    ///   - contribution: B, what the step adds, likewise.
    func observe(_ site: Site, layer: Int, rows: Range<Int>, x: Tensor, contribution: Tensor) throws(TransformerError)
}
