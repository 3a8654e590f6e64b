public import Transformers

/// Keeps the finished layers of an analysis, so that it can go on after an interruption.
public protocol AnalysisStore {
    /// Layers that an earlier run has finished, by number.
    var finishedLayers: [Int: LayerResult] { get }
    /// Seconds that earlier runs spent, by stage.
    var earlierSeconds: Analysis.Seconds { get }
    /// Tokens of a slab in the earlier runs, which decide the last bits of the streams; nil for a first run.
    var slabTokenCount: Int? { get }

    /// Called before the first layer.
    func begin(slabTokenCount: Int) throws(LinearityError)

    /// Keeps a finished layer; it is safe when this returns.
    func keep(_ result: LayerResult, seconds: Analysis.Seconds) throws(LinearityError)

    /// Offers the stream that enters a layer; the store keeps it when enough work would be lost otherwise.
    func keep(_ stream: Stream, entering layer: Int, secondsSoFar: Double) throws(LinearityError)

    /// Fills a stream with what was kept last, if that enters this layer or an earlier one.
    ///
    /// - Returns: The layer that it enters, or nil where nothing was kept.
    func restore(into stream: Stream, enteringAtMost layer: Int) throws(LinearityError) -> Int?
}
